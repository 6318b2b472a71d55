//! What one side does, and when: the words that scenarios and networks are made of.

use crate::support::{ScenarioError, pick};
use std::fmt;

/// What one side does besides talking: nothing, or some things, each at its point of the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Each is done once, when its point is there.
    pub steps: Vec<Step>,
}

/// One thing that one side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What.
    pub action: Action,
    /// When.
    pub point: Point,
}

/// How a side ends its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// As it should: the client closes, the server drains.
    Close,
    /// FIN from below the protocol, as a program that calls `shutdown(SHUT_WR)`; it reads on.
    HalfClose,
    /// The socket is closed under the protocol. With unread input that is RST, otherwise FIN.
    Drop,
    /// It reads no more, and closes the socket when there is unread input: RST.
    DropUnread,
    /// RST at once, as with linger time zero.
    Abort,
    /// The process dies, and its kernel closes the socket: as [`Action::Drop`], for the host as a whole.
    Crash,
    /// Power loss: from now on it sends nothing and hears nothing.
    Vanish,
    /// It breaks the protocol: it says CLOSE with a count that cannot be, and goes on as if it had said nothing.
    Violate,
}

/// A point of the conversation, defined by what was sent and got so far, and so the same on every backend.
///
/// *This side* is the one whose plan it is; a fault of the network can only wait for a point of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// There is a connection, and nobody has sent anything.
    Connecting,
    /// Half of this side's preface has left.
    InPreface,
    /// The client has the answer to its first request, and nothing is under way.
    Idle,
    /// The client has sent its second request, the server has not got it.
    RequestInFlight,
    /// The server has sent the answer to the second request, the client has not got it.
    AnswerInFlight,
    /// Ten bytes have left of what this side says after its first request or answer.
    InsideFrame,
    /// This side has something to say after its first request or answer, and its transport takes none of it, for the
    /// other side has stopped reading for good.
    PeerNotReading,
    /// A GOAWAY was sent.
    Draining,
    /// The other side's GOAWAY is there, and this side has not acted upon it.
    AfterGoAway,
    /// A CLOSE was sent, and the other side has not got it.
    CloseInFlight,
    /// The other side's CLOSE is there, and this side has not acted upon it.
    AfterClose,
    /// A FIN was sent.
    Finishing,
    /// The other side's FIN is there, and this side has not acted upon it.
    AfterFin,
}

impl Plan {
    /// No plan: the side only reacts.
    pub fn none() -> Self {
        Self::default()
    }

    /// One thing at one point.
    pub fn one(action: Action, point: Point) -> Self {
        Self { steps: vec![Step { action, point }] }
    }

    /// The points at which something is done.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.steps.iter().map(|step| step.point)
    }

    /// Whether it does what a correct peer never does.
    pub fn misbehaves(&self) -> bool {
        self.steps.iter().any(|step| step.action != Action::Close)
    }

    /// Whether it says what breaks the order of words while half of something else is kept back.
    pub(crate) fn breaks_bytes(&self) -> bool {
        let violates = self.steps.iter().any(|step| step.action == Action::Violate);
        violates && self.points().any(|point| matches!(point, Point::InPreface | Point::InsideFrame))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ScenarioError> {
        if text == "none" {
            return Ok(Self::none());
        }
        let step = |text: &str| match text.split_once('@') {
            Some((action, point)) => Ok(Step { action: Action::parse(action)?, point: Point::parse(point)? }),
            None => Err(ScenarioError::Parse(format!(
                "a plan is none, ACTION@POINT, or several joined by commas, not {text:?}"
            ))),
        };
        Ok(Self { steps: text.split(',').map(step).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("none");
        }
        for (index, step) in self.steps.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}@{}", step.action.id(), step.point.id())?;
        }
        Ok(())
    }
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 8] = [
        Self::Close,
        Self::HalfClose,
        Self::Drop,
        Self::DropUnread,
        Self::Abort,
        Self::Crash,
        Self::Vanish,
        Self::Violate,
    ];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::HalfClose => "half-close",
            Self::Drop => "drop",
            Self::DropUnread => "drop-unread",
            Self::Abort => "abort",
            Self::Crash => "crash",
            Self::Vanish => "vanish",
            Self::Violate => "violate",
        }
    }

    /// Whether an end that does this can report no outcome.
    pub fn takes_away(self) -> bool {
        match self {
            Self::Close | Self::HalfClose | Self::Violate => false,
            Self::Drop | Self::DropUnread | Self::Abort | Self::Crash | Self::Vanish => true,
        }
    }

    fn parse(text: &str) -> Result<Self, ScenarioError> {
        pick("action", text, &Self::ALL, Self::id)
    }
}

impl Point {
    /// All points.
    pub const ALL: [Self; 13] = [
        Self::Connecting,
        Self::InPreface,
        Self::Idle,
        Self::RequestInFlight,
        Self::AnswerInFlight,
        Self::InsideFrame,
        Self::PeerNotReading,
        Self::Draining,
        Self::AfterGoAway,
        Self::CloseInFlight,
        Self::AfterClose,
        Self::Finishing,
        Self::AfterFin,
    ];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::InPreface => "in-preface",
            Self::Idle => "idle",
            Self::RequestInFlight => "request-in-flight",
            Self::AnswerInFlight => "answer-in-flight",
            Self::InsideFrame => "inside-frame",
            Self::PeerNotReading => "peer-not-reading",
            Self::Draining => "draining",
            Self::AfterGoAway => "after-goaway",
            Self::CloseInFlight => "close-in-flight",
            Self::AfterClose => "after-close",
            Self::Finishing => "finishing",
            Self::AfterFin => "after-fin",
        }
    }

    /// Whether it is one side's, and so nothing that a fault of the network can wait for.
    pub fn is_of_one_side(self) -> bool {
        match self {
            Self::InPreface | Self::InsideFrame | Self::PeerNotReading => true,
            Self::AfterGoAway | Self::AfterClose | Self::AfterFin => true,
            Self::Connecting | Self::Idle | Self::RequestInFlight | Self::AnswerInFlight => false,
            Self::Draining | Self::CloseInFlight | Self::Finishing => false,
        }
    }

    /// Whether it needs words that the plain wire does not have.
    pub fn is_framed(self) -> bool {
        match self {
            Self::InPreface | Self::Draining | Self::AfterGoAway => true,
            Self::CloseInFlight | Self::AfterClose => true,
            Self::Connecting | Self::Idle | Self::RequestInFlight | Self::AnswerInFlight => false,
            Self::InsideFrame | Self::PeerNotReading | Self::Finishing | Self::AfterFin => false,
        }
    }

    /// Whether it needs a second request.
    pub fn needs_two(self) -> bool {
        match self {
            Self::RequestInFlight | Self::AnswerInFlight | Self::InsideFrame | Self::PeerNotReading => true,
            Self::Connecting | Self::InPreface | Self::Idle | Self::Draining | Self::AfterGoAway => false,
            Self::CloseInFlight | Self::AfterClose | Self::Finishing | Self::AfterFin => false,
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ScenarioError> {
        pick("point", text, &Self::ALL, Self::id)
    }
}

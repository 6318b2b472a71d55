//! Plans: what one side does, and at which point of the conversation.

use crate::support::{ScenarioError, pick};
use std::fmt;

/// What one side does besides its requests or answers: any number of steps, each at its point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The steps. Each is carried out once, when its point is reached.
    pub steps: Vec<Step>,
}

/// One action at one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The action.
    pub action: Action,
    /// The point at which it is carried out.
    pub point: Point,
}

/// How a side ends the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Action {
    /// The regular end: the client closes, the server drains.
    Close,
    /// Sends FIN below the protocol, like a program that calls `shutdown(SHUT_WR)`, and continues to read.
    HalfClose,
    /// Closes the socket below the protocol. With unread input this sends RST, otherwise FIN.
    Drop,
    /// Stops reading, and closes the socket once there is unread input. This sends RST.
    DropUnread,
    /// Sends RST at once, as with linger time zero.
    Abort,
    /// The process dies and its kernel closes the socket: like [`Action::Drop`], for the whole host.
    Crash,
    /// Power loss: the host sends and receives nothing more.
    Vanish,
    /// Breaks the protocol: sends CLOSE with an impossible count, and continues as if it had not.
    Violate,
}

/// A point of the conversation. It is defined by what was sent and received, so it is the same on every backend.
///
/// *This side* is the side that has the plan. A fault of the network can only wait for a point of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Point {
    /// The connection exists, and neither side has sent anything.
    Connecting,
    /// Half of this side's preface was sent.
    InPreface,
    /// The client has received the first answer, and nothing is in flight.
    Idle,
    /// The client has sent its second request, and the server has not received it.
    RequestInFlight,
    /// The server has sent the second answer, and the client has not received it.
    AnswerInFlight,
    /// This side has sent ten bytes of what follows its first request or answer.
    InsideFrame,
    /// This side has data to send after its first request or answer, but its transport takes none: the peer has stopped
    /// reading for good.
    PeerNotReading,
    /// A GOAWAY was sent.
    Draining,
    /// The peer's GOAWAY has arrived, and this side has not acted on it.
    AfterGoAway,
    /// A CLOSE was sent, and the peer has not received it.
    CloseInFlight,
    /// The peer's CLOSE has arrived, and this side has not acted on it.
    AfterClose,
    /// A FIN was sent.
    Finishing,
    /// The peer's FIN has arrived, and this side has not acted on it.
    AfterFin,
}

impl Plan {
    /// Creates an empty plan: the side only reacts.
    pub fn none() -> Self {
        Self::default()
    }

    /// Creates a plan of one action at one point.
    pub fn one(action: Action, point: Point) -> Self {
        Self { steps: vec![Step { action, point }] }
    }

    /// Returns the points of all steps.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.steps.iter().map(|step| step.point)
    }

    /// Returns whether it contains something that a correct peer never does.
    pub fn misbehaves(&self) -> bool {
        self.steps.iter().any(|step| step.action != Action::Close)
    }

    /// Returns whether it sends a message out of order while half of another one is held back.
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
                "expected a plan: none, ACTION@POINT, or several joined by commas, got {text:?}"
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

    /// Returns its part of an id.
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

    /// Returns whether an end that does this cannot report an outcome.
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

    /// Returns its part of an id.
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

    /// Returns whether it concerns one side only. A fault of the network cannot wait for such a point.
    pub fn is_of_one_side(self) -> bool {
        match self {
            Self::InPreface | Self::InsideFrame | Self::PeerNotReading => true,
            Self::AfterGoAway | Self::AfterClose | Self::AfterFin => true,
            Self::Connecting | Self::Idle | Self::RequestInFlight | Self::AnswerInFlight => false,
            Self::Draining | Self::CloseInFlight | Self::Finishing => false,
        }
    }

    /// Returns whether it needs frames that the plain wire does not have.
    pub fn is_framed(self) -> bool {
        match self {
            Self::InPreface | Self::Draining | Self::AfterGoAway => true,
            Self::CloseInFlight | Self::AfterClose => true,
            Self::Connecting | Self::Idle | Self::RequestInFlight | Self::AnswerInFlight => false,
            Self::InsideFrame | Self::PeerNotReading | Self::Finishing | Self::AfterFin => false,
        }
    }

    /// Returns whether it needs a second request.
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

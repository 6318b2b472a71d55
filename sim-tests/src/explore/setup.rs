//! What is explored: a kind of conversation, and how much of everything may happen in it.

use echo_core::Role::{self, Client, Server};
use std::fmt;
use std::time::Duration;

/// The wire, and who sends FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Frames; the client sends FIN first.
    Framed,
    /// Frames; the server sends FIN first.
    FramedServerFin,
    /// Lines.
    Plain,
    /// Text; each read is a message, as in the classic program.
    PlainReads,
}

/// Who is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Two connections, everything between them in every order.
    Pair,
    /// One connection, and a peer that says whatever it likes, so many times.
    Against(Role, u8),
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The program of this side dies; its kernel sends FIN, and answers what still comes with RST.
    Kill(Role),
    /// It dies with unread input: its kernel sends RST.
    KillUnread(Role),
    /// Its sending half is closed below the protocol.
    HalfClose(Role),
    /// The network is gone for good, or a side without power: nothing gets through any more.
    Cut,
    /// Somebody on the way sends RST to this side.
    Reset(Role),
    /// A relay makes FIN of the RST for this side.
    FinForReset(Role),
    /// A relay drops what is on its way to this side and all that follows, and says FIN.
    FinForTheRest(Role),
}

impl Fault {
    /// All faults, at both sides.
    pub const ALL: [Self; 13] = [
        Self::Kill(Client),
        Self::Kill(Server),
        Self::KillUnread(Client),
        Self::KillUnread(Server),
        Self::HalfClose(Client),
        Self::HalfClose(Server),
        Self::Cut,
        Self::Reset(Client),
        Self::Reset(Server),
        Self::FinForReset(Client),
        Self::FinForReset(Server),
        Self::FinForTheRest(Client),
        Self::FinForTheRest(Server),
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = super::notes::name;
        match self {
            Self::Kill(role) => write!(f, "the {} is killed, its kernel says FIN", name(*role)),
            Self::KillUnread(role) => write!(f, "the {} is killed with unread input: RST", name(*role)),
            Self::HalfClose(role) => write!(f, "the {} half-closes below the protocol", name(*role)),
            Self::Cut => write!(f, "the network is cut"),
            Self::Reset(role) => write!(f, "a RST for the {} from on the way", name(*role)),
            Self::FinForReset(role) => write!(f, "a relay makes FIN of the RST for the {}", name(*role)),
            Self::FinForTheRest(role) => write!(f, "a relay drops all for the {} and says FIN", name(*role)),
        }
    }
}

/// One exploration. It visits every state there is; what is bounded is how much is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// Its name.
    pub name: &'static str,
    /// Who takes part.
    pub who: Who,
    /// What is spoken.
    pub wire: Wire,
    /// How many requests the client may make.
    pub requests: u8,
    /// Who may end politely, once.
    pub leave: &'static [Role],
    /// Who may fail, once.
    pub fail: &'static [Role],
    /// Who may abort, once.
    pub abort: &'static [Role],
    /// What may go wrong.
    pub faults: &'static [Fault],
    /// How many times.
    pub faults_at_most: u8,
    /// Whether a deadline that runs may pass, at any moment and before any other.
    pub deadlines: bool,
    /// Where inside a frame, preface or line the stream may be cut, in bytes from its beginning. Between them it may
    /// be cut everywhere.
    pub cuts: &'static [usize],
}

impl Setup {
    /// Who sends FIN first.
    pub fn first_fin(&self) -> Role {
        match self.wire {
            Wire::Framed | Wire::Plain | Wire::PlainReads => Client,
            Wire::FramedServerFin => Server,
        }
    }

    /// Whether the wire is one of the plain ones.
    pub fn is_plain(&self) -> bool {
        match self.wire {
            Wire::Framed | Wire::FramedServerFin => false,
            Wire::Plain | Wire::PlainReads => true,
        }
    }

    /// How long the input is quiet before a line is a message: some time, or none.
    pub(super) fn quiet(&self) -> Duration {
        match self.wire {
            Wire::Framed | Wire::FramedServerFin | Wire::Plain => Duration::from_millis(20),
            Wire::PlainReads => Duration::ZERO,
        }
    }
}

const BOTH: &[Role] = &[Client, Server];

/// A calm conversation; the set-ups say what they add.
const CALM: Setup = Setup {
    name: "",
    who: Who::Pair,
    wire: Wire::Framed,
    requests: 3,
    leave: BOTH,
    fail: &[],
    abort: &[],
    faults: &[],
    faults_at_most: 0,
    deadlines: false,
    cuts: &[],
};

/// Everything, in a release build.
pub static FULL: [Setup; 6] = [
    Setup { name: "framed, peace", ..CALM },
    Setup { name: "framed, peace, cuts", cuts: &[5, 13], ..CALM },
    Setup { name: "framed, deadlines", deadlines: true, ..CALM },
    Setup { name: "framed, wishes", fail: BOTH, abort: BOTH, ..CALM },
    Setup { name: "framed, wishes, deadlines", fail: BOTH, abort: BOTH, deadlines: true, ..CALM },
    Setup { name: "framed, faults, deadlines", faults: &Fault::ALL, faults_at_most: 1, deadlines: true, ..CALM },
];

/// Enough for every rule, in a debug build.
pub static QUICK: [Setup; 1] = [Setup { name: "framed, peace", requests: 2, ..CALM }];

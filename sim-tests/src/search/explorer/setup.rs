//! The setups: the kind of conversation, and how much of everything may happen in it.

use crate::support::pairs::observe;
use echo_core::Role::{self, Client, Server};
use echo_core::{Config, Connection, Stamp};
use std::fmt;
use std::time::Duration;

/// The wire, and the side that sends FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExplorerWire {
    /// Frames; the client sends FIN first.
    Framed,
    /// Frames; the server sends FIN first.
    FramedServerFin,
    /// Plain lines.
    Plain,
    /// Plain text, where each read is a message, as in the classic program.
    PlainReads,
}

/// What is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Two connections, with everything between them in every order.
    Pair,
    /// One connection of this role, and an arbitrary peer that sends at most this number of inputs.
    Against(Role, u8),
}

/// A fault of a host or of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportFault {
    /// The program of this side dies. Its kernel sends FIN, and answers later data with RST.
    Kill(Role),
    /// The program dies with unread input. Its kernel sends RST.
    KillUnread(Role),
    /// The sending half of this side is closed below the protocol.
    HalfClose(Role),
    /// The network or a host is down for good: nothing gets through any more.
    Cut,
    /// A third party sends RST to this side.
    Reset(Role),
    /// A relay turns the RST for this side into FIN.
    FinForReset(Role),
    /// A relay drops everything in flight to this side and all that follows, and sends FIN.
    FinForTheRest(Role),
}

impl TransportFault {
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

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Role::name;
        match self {
            Self::Kill(role) => write!(f, "the {} is killed, and its kernel sends FIN", name(*role)),
            Self::KillUnread(role) => write!(f, "the {} is killed with unread input: RST", name(*role)),
            Self::HalfClose(role) => write!(f, "the {} half-closes below the protocol", name(*role)),
            Self::Cut => write!(f, "the network is cut"),
            Self::Reset(role) => write!(f, "the network sends RST to the {}", name(*role)),
            Self::FinForReset(role) => write!(f, "a relay turns the RST for the {} into FIN", name(*role)),
            Self::FinForTheRest(role) => write!(f, "a relay drops all data for the {} and sends FIN", name(*role)),
        }
    }
}

/// One exploration. It visits all states; the amounts below bound their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// Its name.
    pub name: &'static str,
    /// Who takes part.
    pub who: Peer,
    /// The wire.
    pub wire: ExplorerWire,
    /// The number of requests that the client may make.
    pub requests: u8,
    /// Whether the server is a service: its user answers, at any moment and in any order, or fails the request.
    pub service: bool,
    /// How often each side may use each of the commands below.
    pub times: u8,
    /// The sides that may end politely.
    pub leave: &'static [Role],
    /// The sides that may fail.
    pub fail: &'static [Role],
    /// The sides that may abort.
    pub abort: &'static [Role],
    /// The faults that may happen.
    pub faults: &'static [TransportFault],
    /// The largest number of faults.
    pub faults_at_most: u8,
    /// Whether running deadlines may pass, at any moment and before any other.
    pub deadlines: bool,
    /// Positions inside a frame, preface or line at which the stream may be cut, in bytes from its beginning. Between
    /// units it may always be cut.
    pub cuts: &'static [usize],
}

impl Setup {
    /// Returns the side that sends FIN first.
    pub fn first_fin(&self) -> Role {
        match self.wire {
            ExplorerWire::Framed | ExplorerWire::Plain | ExplorerWire::PlainReads => Client,
            ExplorerWire::FramedServerFin => Server,
        }
    }

    /// Returns whether the wire is one of the plain ones.
    pub fn is_plain(&self) -> bool {
        match self.wire {
            ExplorerWire::Framed | ExplorerWire::FramedServerFin => false,
            ExplorerWire::Plain | ExplorerWire::PlainReads => true,
        }
    }

    /// Returns the settings of both ends.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::default();
        (config.first_fin, config.quiet) = (self.first_fin(), self.quiet());
        // What the machine of a service receives between a request and its answer is seen only from inside.
        config.observe = self.service.then_some(observe);
        config
    }

    /// Returns a new server.
    pub(super) fn server(&self) -> Connection {
        match self.service {
            true => Connection::service(self.config(), Stamp(0)),
            false => Connection::server(self.config(), Stamp(0)),
        }
    }

    /// Returns the silence after which an incomplete line is a message; zero if each read is one.
    fn quiet(&self) -> Duration {
        match self.wire {
            ExplorerWire::Framed | ExplorerWire::FramedServerFin | ExplorerWire::Plain => Duration::from_millis(20),
            ExplorerWire::PlainReads => Duration::ZERO,
        }
    }
}

const BOTH: &[Role] = &[Client, Server];

/// A calm conversation: three requests, both sides may end politely, and there are no faults. Other setups are defined
/// as additions to it.
pub const CALM: Setup = Setup {
    name: "calm",
    who: Peer::Pair,
    wire: ExplorerWire::Framed,
    requests: 3,
    service: false,
    times: 1,
    leave: BOTH,
    fail: &[],
    abort: &[],
    faults: &[],
    faults_at_most: 0,
    deadlines: false,
    cuts: &[],
};

/// Deadlines may pass.
const LATE: Setup = Setup { deadlines: true, ..CALM };
/// Users may also fail and abort.
const CROSS: Setup = Setup { fail: BOTH, abort: BOTH, ..LATE };
/// One fault may happen.
const FAULTY: Setup = Setup { faults: &TransportFault::ALL, faults_at_most: 1, ..LATE };
const HALF: &[TransportFault] = &[TransportFault::HalfClose(Client), TransportFault::HalfClose(Server)];
/// Faults that at least one side detects without a deadline.
const DEAD: &[TransportFault] = &[
    TransportFault::Kill(Client),
    TransportFault::Kill(Server),
    TransportFault::KillUnread(Client),
    TransportFault::KillUnread(Server),
    TransportFault::FinForReset(Client),
    TransportFault::FinForReset(Server),
];
/// The peer is arbitrary.
const ALONE: Setup = Setup { times: 2, requests: 2, ..CROSS };
/// The server's user answers.
const SERVICE: Setup = Setup { service: true, requests: 2, ..LATE };
/// One position inside the header, one inside the body.
const CUTS: &[usize] = &[5, 13];

/// Returns explorations that together try everything, with up to three requests. They are for a release build.
pub fn full() -> Vec<Setup> {
    use ExplorerWire::{Framed, FramedServerFin, Plain, PlainReads};
    let against = |role, inputs| Peer::Against(role, inputs);
    vec![
        Setup { name: "framed, 3 requests, in peace, cut twice in every frame", cuts: CUTS, ..CALM },
        Setup {
            name: "server first, 3 requests, in peace, cut twice in every frame",
            wire: FramedServerFin,
            cuts: CUTS,
            ..CALM
        },
        Setup { name: "framed, 3 requests, deadlines", ..LATE },
        Setup { name: "server first, 3 requests, deadlines", wire: FramedServerFin, ..LATE },
        Setup { name: "framed, 3 requests, deadlines, a fault", ..FAULTY },
        Setup { name: "server first, 1 request, deadlines, a fault", wire: FramedServerFin, requests: 1, ..FAULTY },
        Setup { name: "framed, 1 request, deadlines, two faults", requests: 1, faults_at_most: 2, ..FAULTY },
        Setup { name: "framed, 2 requests, deadlines, fail and abort", requests: 2, ..CROSS },
        Setup {
            name: "server first, 1 request, deadlines, fail and abort",
            wire: FramedServerFin,
            requests: 1,
            ..CROSS
        },
        Setup { name: "framed, 1 request, deadlines, cut in every frame", requests: 1, cuts: &[13], ..LATE },
        Setup {
            name: "framed, 1 request, deadlines, a fault, cut in every header",
            requests: 1,
            cuts: &[5],
            leave: &[Client],
            ..FAULTY
        },
        Setup { name: "plain, 3 requests, deadlines, a fault", wire: Plain, ..FAULTY },
        Setup {
            name: "plain, 2 requests, deadlines, fail and abort, cut lines",
            wire: Plain,
            requests: 2,
            cuts: &[3],
            ..CROSS
        },
        Setup {
            name: "plain, each read a message, 2 requests, deadlines, a fault, cut",
            wire: PlainReads,
            requests: 2,
            cuts: &[3],
            ..FAULTY
        },
        Setup { name: "a service, 3 requests, in peace", deadlines: false, requests: 3, ..SERVICE },
        Setup {
            name: "a service, 2 requests, deadlines, a fault",
            faults: &TransportFault::ALL,
            faults_at_most: 1,
            ..SERVICE
        },
        Setup { name: "a service, 2 requests, fail and abort", deadlines: false, fail: BOTH, abort: BOTH, ..SERVICE },
        Setup { name: "a service that sends FIN first, 2 requests", wire: FramedServerFin, ..SERVICE },
        Setup {
            name: "a plain service, 2 requests, deadlines, a fault",
            wire: Plain,
            faults: &TransportFault::ALL,
            faults_at_most: 1,
            ..SERVICE
        },
        Setup { name: "a service and any peer", who: against(Server, 5), service: true, ..ALONE },
        Setup {
            name: "a service that sends FIN first and any peer",
            who: against(Server, 5),
            service: true,
            wire: FramedServerFin,
            ..ALONE
        },
        Setup { name: "a plain service and any peer", who: against(Server, 5), service: true, wire: Plain, ..ALONE },
        Setup { name: "a framed server and any peer", who: against(Server, 6), ..ALONE },
        Setup {
            name: "a framed server that sends FIN first and any peer",
            who: against(Server, 6),
            wire: FramedServerFin,
            ..ALONE
        },
        Setup {
            name: "a framed server and any peer, cut in every frame",
            who: against(Server, 4),
            cuts: CUTS,
            ..ALONE
        },
        Setup { name: "a framed client and any peer", who: against(Client, 6), wire: Framed, ..ALONE },
        Setup { name: "a plain server and any peer", who: against(Server, 5), wire: Plain, ..ALONE },
        Setup { name: "a plain client and any peer", who: against(Client, 5), wire: Plain, ..ALONE },
    ]
}

/// Returns smaller explorations in which every rule still takes effect. They are for a debug build.
pub fn quick() -> Vec<Setup> {
    use ExplorerWire::{FramedServerFin, Plain, PlainReads};
    let against = |role, inputs| Peer::Against(role, inputs);
    let late_alone = Setup { fail: &[], abort: &[], leave: BOTH, times: 1, ..ALONE };
    let alone = Setup { requests: 1, ..ALONE };
    vec![
        Setup { name: "server first, 3 requests, in peace", wire: FramedServerFin, ..CALM },
        Setup { name: "framed, 2 requests, in peace, cut in every header", requests: 2, cuts: &[5], ..CALM },
        Setup { name: "framed, 1 request, deadlines", requests: 1, ..LATE },
        Setup { name: "server first, 1 request, deadlines", requests: 1, wire: FramedServerFin, ..LATE },
        Setup { name: "framed, 3 requests, a fault", faults: DEAD, faults_at_most: 1, ..CALM },
        Setup { name: "framed, deadlines, the network is cut", requests: 0, faults: &[TransportFault::Cut], ..FAULTY },
        Setup { name: "framed, 1 request, fail and abort", requests: 1, deadlines: false, ..CROSS },
        Setup {
            name: "framed, a half-close, cut in every header",
            requests: 1,
            cuts: &[5],
            faults: HALF,
            faults_at_most: 1,
            ..CALM
        },
        Setup { name: "plain, 1 request, deadlines", requests: 1, wire: Plain, ..CROSS },
        Setup { name: "plain, each read a message", wire: PlainReads, requests: 1, cuts: &[3], ..LATE },
        Setup { name: "a service, 2 requests, in peace", deadlines: false, ..SERVICE },
        Setup {
            name: "a service, 1 request, deadlines, a fault",
            requests: 1,
            faults: DEAD,
            faults_at_most: 1,
            ..SERVICE
        },
        Setup { name: "a service and any peer", who: against(Server, 4), service: true, ..late_alone },
        Setup { name: "a service and any peer, fail and abort", who: against(Server, 3), service: true, ..alone },
        Setup {
            name: "a service that sends FIN first and any peer",
            who: against(Server, 4),
            service: true,
            wire: FramedServerFin,
            ..late_alone
        },
        Setup {
            name: "a service that sends FIN first and any peer, fail",
            who: against(Server, 3),
            service: true,
            wire: FramedServerFin,
            ..alone
        },
        Setup { name: "a plain service and any peer", who: against(Server, 4), service: true, wire: Plain, ..ALONE },
        Setup { name: "a framed server and any peer", who: against(Server, 4), ..late_alone },
        Setup { name: "a framed server and any peer, fail and abort", who: against(Server, 3), ..alone },
        Setup {
            name: "a framed server that sends FIN first and any peer",
            who: against(Server, 4),
            wire: FramedServerFin,
            ..late_alone
        },
        Setup {
            name: "a framed server that sends FIN first and any peer, fail",
            who: against(Server, 3),
            wire: FramedServerFin,
            ..alone
        },
        Setup { name: "a framed client and any peer", who: against(Client, 3), ..late_alone },
        Setup { name: "a framed client and any peer, fail and abort", who: against(Client, 2), ..alone },
        Setup { name: "a plain server and any peer", who: against(Server, 3), wire: Plain, ..alone },
        Setup { name: "a plain client and any peer", who: against(Client, 3), wire: Plain, ..ALONE },
    ]
}

//! A scenario of a trial: the fault, its side and I/O event, and the network. A value with a stable id.

use super::TICK;
use crate::network::Path;
use crate::network::relay::Relay;
use crate::support::{Millis, ScenarioError, pick};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// One run of a trial.
///
/// Its id has the form `SIDE:FAULT@EVENT/NETWORK`, such as `client:drop@7/relay-rst-to-fin`, or
/// `undisturbed/NETWORK`. [`TrialScenario::from_str`] parses every id that [`fmt::Display`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrialScenario {
    /// The fault to inject; `None` for an undisturbed run.
    pub injection: Option<Injection>,
    /// The network between the two ends.
    pub network: TrialNetwork,
}

/// A fault, and where it is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Injection {
    /// The side that the fault concerns.
    pub side: Role,
    /// The fault.
    pub fault: InjectedFault,
    /// Number of I/O events of that side after which the fault is injected at once; 0 is before the first.
    pub event: usize,
}

/// A fault of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum InjectedFault {
    /// Drops the stream and the future of the side: RST if there is unread input, otherwise FIN.
    Drop,
    /// Ends the future of the side, and drops its stream as soon as there is unread input: RST. After a second without
    /// input, drops it all the same.
    DropUnread,
    /// Sends FIN, like `shutdown(SHUT_WR)`. The program continues, and its writes fail.
    HalfClose,
    /// Sends RST at once, like `close()` with linger time zero.
    Abort,
    /// Ends the process with all its tasks. Its kernel closes the stream as with [`InjectedFault::Drop`].
    Crash,
    /// Cuts the power: the side sends and receives nothing more.
    Vanish,
    /// Does nothing, except that a network with a cut ([`TrialNetwork::is_cut`]) is cut at this event.
    Nothing,
}

/// The network between the two ends. Every network keeps the order of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum TrialNetwork {
    /// A short cable.
    Clear,
    /// A long cable.
    Slow,
    /// A read returns one byte.
    OneByteReads,
    /// Packets arrive only every 50 ms, several at once.
    Coalesced,
    /// A RST overtakes and deletes what was sent before it and is still in flight.
    RstOvertakes,
    /// The cable is cut when the fault is injected: what the fault sends is lost.
    Cut,
    /// The same, but the cable works again after half a second: what the fault sends arrives late.
    CutHealed,
    /// A relay that turns every RST into FIN.
    RelayRstToFin,
    /// A relay that turns every RST into FIN, and takes a half-close for the end of both directions.
    RelayClosesBoth,
    /// A relay that turns every RST into FIN, and closes a half-closed conversation after half a second.
    RelayCutsOff,
}

/// How long a healed network is cut, and how long a relay waits for the second FIN.
pub(super) const HALF_A_SECOND: Millis = 500;

impl InjectedFault {
    /// All faults.
    pub const ALL: [Self; 7] =
        [Self::Drop, Self::DropUnread, Self::HalfClose, Self::Abort, Self::Crash, Self::Vanish, Self::Nothing];

    /// Returns the part of an id that names it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::DropUnread => "drop-unread",
            Self::HalfClose => "half-close",
            Self::Abort => "abort",
            Self::Crash => "crash",
            Self::Vanish => "vanish",
            Self::Nothing => "nothing",
        }
    }

    /// Whether the fault can be injected only while the side has its stream.
    pub(super) fn needs_a_stream(self) -> bool {
        match self {
            Self::Drop | Self::DropUnread | Self::HalfClose | Self::Abort => true,
            Self::Crash | Self::Vanish | Self::Nothing => false,
        }
    }
}

impl TrialNetwork {
    /// All networks.
    pub const ALL: [Self; 10] = [
        Self::Clear,
        Self::Slow,
        Self::OneByteReads,
        Self::Coalesced,
        Self::RstOvertakes,
        Self::Cut,
        Self::CutHealed,
        Self::RelayRstToFin,
        Self::RelayClosesBoth,
        Self::RelayCutsOff,
    ];

    /// The relays. As measured with real ones, none forwards a RST.
    pub const RELAYS: [Self; 3] = [Self::RelayRstToFin, Self::RelayClosesBoth, Self::RelayCutsOff];

    /// Returns the part of an id that names it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Slow => "slow",
            Self::OneByteReads => "one-byte-reads",
            Self::Coalesced => "coalesced",
            Self::RstOvertakes => "rst-overtakes",
            Self::Cut => "cut",
            Self::CutHealed => "cut-healed",
            Self::RelayRstToFin => "relay-rst-to-fin",
            Self::RelayClosesBoth => "relay-closes-both",
            Self::RelayCutsOff => "relay-cuts-off",
        }
    }

    /// Returns whether it is cut when a fault is injected. Without a fault it is the same as [`TrialNetwork::Clear`].
    pub fn is_cut(self) -> bool {
        match self {
            Self::Cut | Self::CutHealed => true,
            Self::Clear | Self::Slow | Self::OneByteReads | Self::Coalesced | Self::RstOvertakes => false,
            Self::RelayRstToFin | Self::RelayClosesBoth | Self::RelayCutsOff => false,
        }
    }

    /// Returns whether there is a relay, so that each end has a connection of its own to it.
    pub fn is_relay(self) -> bool {
        self.relay().is_some()
    }

    fn relay(self) -> Option<Relay> {
        match self {
            Self::RelayRstToFin => Some(Relay::PassesHalfClose),
            Self::RelayClosesBoth => Some(Relay::ClosesBoth),
            Self::RelayCutsOff => Some(Relay::CutsOff(HALF_A_SECOND)),
            Self::Clear | Self::Slow | Self::OneByteReads | Self::Coalesced | Self::RstOvertakes => None,
            Self::Cut | Self::CutHealed => None,
        }
    }

    /// How long the network is cut when a fault is injected; the inner `None` means for ever.
    pub(super) fn cut(self) -> Option<Option<Millis>> {
        match self {
            Self::Cut => Some(None),
            Self::CutHealed => Some(Some(HALF_A_SECOND)),
            Self::Clear | Self::Slow | Self::OneByteReads | Self::Coalesced | Self::RstOvertakes => None,
            Self::RelayRstToFin | Self::RelayClosesBoth | Self::RelayCutsOff => None,
        }
    }

    /// Maximum size of a read, in bytes.
    pub(super) fn reads(self) -> usize {
        if self == Self::OneByteReads { 1 } else { usize::MAX }
    }

    pub(super) fn path(self) -> Path {
        Path {
            latency: if self == Self::Slow { 20 * TICK } else { 2 * TICK },
            batch: if self == Self::Coalesced { 10 * TICK } else { 0 },
            overtaking: self == Self::RstOvertakes,
            relay: self.relay(),
            takes: 0,
        }
    }
}

#[cfg(feature = "serde")]
crate::support::serde_as_text!(TrialScenario);

impl TrialScenario {
    /// Checks that it can run: a network with a cut needs a fault, and the fault `nothing` needs a network with a cut.
    fn check(self) -> Result<Self, ScenarioError> {
        match self.injection {
            None if self.network.is_cut() => Err(ScenarioError::Parse(format!(
                "{} is cut when a fault strikes, such as client:nothing@0",
                self.network.id()
            ))),
            Some(Injection { fault: InjectedFault::Nothing, .. }) if !self.network.is_cut() => {
                Err(ScenarioError::Parse(format!(
                    "nothing strikes only where the network is cut, not on {}",
                    self.network.id()
                )))
            }
            Some(_) | None => Ok(self),
        }
    }
}

impl fmt::Display for TrialScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.injection {
            None => f.write_str("undisturbed")?,
            Some(Injection { side, fault, event }) => write!(f, "{}:{}@{event}", side.name(), fault.id())?,
        }
        write!(f, "/{}", self.network.id())
    }
}

impl FromStr for TrialScenario {
    type Err = ScenarioError;

    fn from_str(id: &str) -> Result<Self, ScenarioError> {
        let (injection, network) = id.split_once('/').ok_or_else(|| {
            ScenarioError::Parse(format!("SIDE:FAULT@EVENT/NETWORK or undisturbed/NETWORK expected, not {id:?}"))
        })?;
        let injection = if injection == "undisturbed" { None } else { Some(injection.parse()?) };
        let network = pick("network", network, &TrialNetwork::ALL, TrialNetwork::id)?;
        Self { injection, network }.check()
    }
}

impl FromStr for Injection {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let bad = || ScenarioError::Parse(format!("SIDE:FAULT@EVENT or undisturbed expected, not {text:?}"));
        let (side, rest) = text.split_once(':').ok_or_else(bad)?;
        let (fault, event) = rest.split_once('@').ok_or_else(bad)?;
        let side = pick("side", side, &Role::BOTH, Role::name)?;
        let fault = pick("fault", fault, &InjectedFault::ALL, InjectedFault::id)?;
        let event = event
            .parse()
            .map_err(|_| ScenarioError::Parse(format!("the number of an I/O event expected, not {event:?}")))?;
        Ok(Self { side, fault, event })
    }
}

//! A scenario: what strikes whom, at which I/O event, and on which network. A value with a stable id.

use super::TICK;
use crate::network::Path;
use crate::network::relay::Relay;
use crate::support::{Millis, ScenarioError, pick};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// One run of a trial.
///
/// Its id reads `SIDE:FAULT@EVENT/NETWORK`, such as `client:drop@7/relay-rst-to-fin`, or `undisturbed/NETWORK`;
/// [`TrialScenario::from_str`] reads every id that [`fmt::Display`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrialScenario {
    /// What goes wrong; `None` is nothing.
    pub strike: Option<Injection>,
    /// What lies between.
    pub network: TrialNetwork,
}

/// A fault, and when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Injection {
    /// Whom.
    pub side: Role,
    /// How.
    pub fault: InjectedFault,
    /// Right after so many I/O events of that side; 0 is before the first.
    pub event: usize,
}

/// What befalls a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum InjectedFault {
    /// Its stream is dropped, and its future: RST if there is unread input, otherwise FIN.
    Drop,
    /// It reads no more, and its stream is dropped as soon as there is unread input: RST. After a second without
    /// any, it is dropped all the same.
    DropUnread,
    /// FIN is sent under it, as by `shutdown(SHUT_WR)`. It goes on; its writes fail.
    HalfClose,
    /// RST at once, as with linger time zero.
    Abort,
    /// The process dies with all its tasks, and its kernel closes the stream as with [`InjectedFault::Drop`].
    Crash,
    /// Power loss: from now on it sends nothing and hears nothing.
    Vanish,
    /// Nothing, except that a network that is cut ([`TrialNetwork::is_cut`]) is cut here.
    Nothing,
}

/// What lies between the two ends. All of them keep the order of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum TrialNetwork {
    /// A short cable.
    Clear,
    /// A long one.
    Slow,
    /// A read gives one byte.
    OneByteReads,
    /// Packets arrive only every 50 ms, several at once.
    Coalesced,
    /// A RST overtakes what is on its way before it, and destroys it.
    RstOvertakes,
    /// The cable is cut when the fault strikes: what the fault sends is lost.
    Cut,
    /// The same, but healed half a second later: it comes late.
    CutHealed,
    /// A relay that makes a FIN of every RST.
    RelayRstToFin,
    /// A relay that does the same, and takes a half-close for the end of both directions.
    RelayClosesBoth,
    /// A relay that does the same, and cuts a half-closed conversation off after half a second.
    RelayCutsOff,
}

/// How long a healed network was cut, and a relay has patience.
pub(super) const HALF_A_SECOND: Millis = 500;

impl InjectedFault {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Drop, Self::DropUnread, Self::HalfClose, Self::Abort, Self::Crash, Self::Vanish, Self::Nothing];

    /// Its part of an id.
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

    /// Whether a side that has dropped its stream can still be struck by it.
    pub(super) fn needs_a_stream(self) -> bool {
        match self {
            Self::Drop | Self::DropUnread | Self::HalfClose | Self::Abort => true,
            Self::Crash | Self::Vanish | Self::Nothing => false,
        }
    }
}

impl TrialNetwork {
    /// All of them.
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

    /// The relays, as they are found in the wild: none passes a RST on.
    pub const RELAYS: [Self; 3] = [Self::RelayRstToFin, Self::RelayClosesBoth, Self::RelayCutsOff];

    /// Its part of an id.
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

    /// Whether it is cut when a fault strikes. Undisturbed, it is the clear one.
    pub fn is_cut(self) -> bool {
        match self {
            Self::Cut | Self::CutHealed => true,
            Self::Clear | Self::Slow | Self::OneByteReads | Self::Coalesced | Self::RstOvertakes => false,
            Self::RelayRstToFin | Self::RelayClosesBoth | Self::RelayCutsOff => false,
        }
    }

    /// Whether something stands between the ends, so that their connections are two.
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

    /// How long it is cut when a fault strikes; the inner `None` is for ever.
    pub(super) fn cut(self) -> Option<Option<Millis>> {
        match self {
            Self::Cut => Some(None),
            Self::CutHealed => Some(Some(HALF_A_SECOND)),
            Self::Clear | Self::Slow | Self::OneByteReads | Self::Coalesced | Self::RstOvertakes => None,
            Self::RelayRstToFin | Self::RelayClosesBoth | Self::RelayCutsOff => None,
        }
    }

    /// How much a read gives at most.
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
    /// What can be run: a network that is cut needs a fault to be cut at, and nothing can happen only there.
    fn check(self) -> Result<Self, ScenarioError> {
        match self.strike {
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
        match self.strike {
            None => f.write_str("undisturbed")?,
            Some(Injection { side, fault, event }) => write!(f, "{}:{}@{event}", side.name(), fault.id())?,
        }
        write!(f, "/{}", self.network.id())
    }
}

impl FromStr for TrialScenario {
    type Err = ScenarioError;

    fn from_str(id: &str) -> Result<Self, ScenarioError> {
        let (strike, network) = id.split_once('/').ok_or_else(|| {
            ScenarioError::Parse(format!("SIDE:FAULT@EVENT/NETWORK or undisturbed/NETWORK expected, not {id:?}"))
        })?;
        let strike = if strike == "undisturbed" { None } else { Some(strike.parse()?) };
        let network = pick("network", network, &TrialNetwork::ALL, TrialNetwork::id)?;
        Self { strike, network }.check()
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

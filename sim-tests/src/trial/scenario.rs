//! A scenario of a trial: the fault, its side and I/O event, and the network. A value with a stable id.

use super::network::TrialNetwork;
use crate::support::{ScenarioError, pick};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// Maximum number of faults in a run.
pub(super) const MOST_FAULTS: usize = 3;

/// One run of a trial.
///
/// Its id has the form `SIDE:FAULT@EVENT/NETWORK`, such as `client:drop@7/relay-rst-to-fin`, or
/// `undisturbed/NETWORK`; several faults are joined by `+`. [`TrialScenario::from_str`] parses every id that
/// [`fmt::Display`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrialScenario {
    /// The fault to inject; `None` for an undisturbed run.
    pub injection: Option<Injection>,
    /// Further faults, of [`Trial::combinations`](super::Trial::combinations).
    pub more: [Option<Injection>; 2],
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
///
/// In a trial of a network ([`Trial::of_network`](super::Trial::of_network)), a fault of a stream concerns the connection of
/// the I/O event, and a machine between the two ends is what does it: their programs go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum InjectedFault {
    /// Drops the stream and the future of the side: RST if there is unread input, otherwise FIN. In a network: both ends of
    /// the connection receive FIN, as from a proxy that restarts, and RST for what they send later.
    Drop,
    /// Ends the future of the side, and drops its stream as soon as there is unread input: RST. After a second without
    /// input, drops it all the same. Not in a network.
    DropUnread,
    /// Sends FIN, like `shutdown(SHUT_WR)`. The program continues, and its writes fail.
    HalfClose,
    /// Sends RST at once, like `close()` with linger time zero. In a network: both ends of the connection receive RST, as
    /// from a firewall.
    Abort,
    /// Ends the process with all its tasks. Its kernel closes each stream: RST if there is unread input, otherwise FIN. See
    /// [`Trial::restarts`](super::Trial::restarts).
    Crash,
    /// Cuts the power: the side sends and receives nothing more.
    Vanish,
    /// Does nothing, except that a network with a cut ([`TrialNetwork::is_cut`]) is cut at this event.
    Nothing,
    /// In a network: the next `connect` of the side is refused.
    Refuse,
    /// In a network: the next `connect` of the side has no answer, as if its packets were lost.
    Ignore,
    /// In a network: the next `connect` of the side succeeds, and the connection ends at once, as a proxy does whose server
    /// is gone. The other side never sees it.
    AcceptAndClose,
    /// In a network: the next `accept` of the side fails, for want of file descriptors. The connection waits on.
    FailAccept,
    /// The next `flush` of the stream fails, as that of a layer on TCP can. Opt-in.
    FailFlush,
    /// The next `shutdown` of the stream fails, and sends nothing. Opt-in.
    FailShutdown,
    /// The next future in [`cancellable`](super::cancellable) that is pending is dropped. Opt-in.
    Cancel,
    /// The clock of the side jumps an hour ahead, as after a suspend: all its timers pass. Opt-in.
    ClockJump,
}

impl InjectedFault {
    /// All faults.
    pub const ALL: [Self; 15] = [
        Self::Drop,
        Self::DropUnread,
        Self::HalfClose,
        Self::Abort,
        Self::Crash,
        Self::Vanish,
        Self::Nothing,
        Self::Refuse,
        Self::Ignore,
        Self::AcceptAndClose,
        Self::FailAccept,
        Self::FailFlush,
        Self::FailShutdown,
        Self::Cancel,
        Self::ClockJump,
    ];

    /// The faults that a trial of either form has only if [`Trial::faults`](super::Trial::faults) names them.
    pub const OPT_IN: [Self; 4] = [Self::FailFlush, Self::FailShutdown, Self::Cancel, Self::ClockJump];

    /// The faults of a trial of one stream.
    pub const OF_STREAM: [Self; 7] =
        [Self::Drop, Self::DropUnread, Self::HalfClose, Self::Abort, Self::Crash, Self::Vanish, Self::Nothing];

    /// The faults of a trial of a network.
    pub const OF_NETWORK: [Self; 10] = [
        Self::Drop,
        Self::HalfClose,
        Self::Abort,
        Self::Crash,
        Self::Vanish,
        Self::Nothing,
        Self::Refuse,
        Self::Ignore,
        Self::AcceptAndClose,
        Self::FailAccept,
    ];

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
            Self::Refuse => "refuse",
            Self::Ignore => "ignore",
            Self::AcceptAndClose => "accept-and-close",
            Self::FailAccept => "fail-accept",
            Self::FailFlush => "fail-flush",
            Self::FailShutdown => "fail-shutdown",
            Self::Cancel => "cancel",
            Self::ClockJump => "clock-jump",
        }
    }

    /// Whether the fault can be injected only while the side has its stream.
    pub(super) fn needs_a_stream(self) -> bool {
        match self {
            Self::Drop | Self::DropUnread | Self::HalfClose | Self::Abort | Self::FailFlush | Self::FailShutdown => {
                true
            }
            Self::Crash | Self::Vanish | Self::Nothing => false,
            Self::Refuse | Self::Ignore | Self::AcceptAndClose | Self::FailAccept => false,
            Self::Cancel | Self::ClockJump => false,
        }
    }

    /// Whether the fault is that of the next `connect`.
    pub(super) fn is_of_connect(self) -> bool {
        matches!(self, Self::Refuse | Self::Ignore | Self::AcceptAndClose)
    }
}

#[cfg(feature = "serde")]
crate::support::serde_as_text!(TrialScenario);

impl TrialScenario {
    /// Returns the scenario with one fault on a network, or with none.
    pub const fn new(injection: Option<Injection>, network: TrialNetwork) -> Self {
        Self { injection, more: [None; 2], network }
    }

    /// Returns the scenario with these faults; at most three count.
    pub(super) fn with(injections: &[Injection], network: TrialNetwork) -> Self {
        let at = |index: usize| injections.get(index).copied();
        Self { injection: at(0), more: [at(1), at(2)], network }
    }

    /// Returns its faults.
    pub fn injections(self) -> impl Iterator<Item = Injection> {
        self.injection.into_iter().chain(self.more.into_iter().flatten())
    }

    /// Checks that it can run: a network with a cut needs a fault, and the fault `nothing` needs a network with a cut.
    fn check(self) -> Result<Self, ScenarioError> {
        let is_nothing = |injection: Injection| injection.fault == InjectedFault::Nothing;
        match self.injection {
            None if self.network.is_cut() => Err(ScenarioError::Parse(format!(
                "{} is cut when a fault strikes, such as client:nothing@0",
                self.network
            ))),
            Some(_) if !self.network.is_cut() && self.injections().any(is_nothing) => Err(ScenarioError::Parse(
                format!("nothing strikes only where the network is cut, not on {}", self.network),
            )),
            Some(_) | None => Ok(self),
        }
    }
}

impl fmt::Display for TrialScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.injection.is_none() {
            f.write_str("undisturbed")?;
        }
        for (number, Injection { side, fault, event }) in self.injections().enumerate() {
            let join = if number == 0 { "" } else { "+" };
            write!(f, "{join}{}:{}@{event}", side.name(), fault.id())?;
        }
        write!(f, "/{}", self.network)
    }
}

impl FromStr for TrialScenario {
    type Err = ScenarioError;

    fn from_str(id: &str) -> Result<Self, ScenarioError> {
        let (injections, network) = id.split_once('/').ok_or_else(|| {
            ScenarioError::Parse(format!("SIDE:FAULT@EVENT/NETWORK or undisturbed/NETWORK expected, not {id:?}"))
        })?;
        let injections: Vec<Injection> = match injections {
            "undisturbed" => Vec::new(),
            some => some.split('+').map(str::parse).collect::<Result<_, _>>()?,
        };
        if injections.len() > MOST_FAULTS {
            let count = injections.len();
            return Err(ScenarioError::Parse(format!("at most {MOST_FAULTS} faults expected, not {count}, in {id:?}")));
        }
        Self::with(&injections, network.parse()?).check()
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

//! The state diagram of TCP: the state changes and their triggers (RFC 9293 figure 5 and section 3.10).

use super::{Cause, Flags, Segment, TcpState};
use TcpState::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived, SynSent, TimeWait,
};
use std::fmt;

/// What triggers a state change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// The program listens or connects.
    Open,
    /// A SYN arrives.
    Syn,
    /// A SYN arrives that also acknowledges this socket's SYN.
    SynAck,
    /// This socket's SYN is acknowledged.
    AckOfSyn,
    /// The program shuts down or closes.
    Close,
    /// A FIN arrives.
    Fin,
    /// This socket's FIN is acknowledged.
    AckOfFin,
    /// A FIN arrives that also acknowledges this socket's FIN.
    FinAndAck,
    /// Twice the maximum segment lifetime has passed.
    TimeWaitOver,
    /// A SYN of a new conversation on the same ports arrives.
    NewSyn,
    /// A RST arrives.
    Rst,
    /// The program or the kernel aborts, or the power is lost.
    Abort,
    /// No answer came for too long.
    GiveUp,
}

/// A state change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The state before.
    pub from: TcpState,
    /// The state after.
    pub to: TcpState,
    /// The trigger.
    pub trigger: Trigger,
}

const fn edge(from: TcpState, to: TcpState, trigger: Trigger) -> Edge {
    Edge { from, to, trigger }
}

/// The changes that open a connection.
pub const OPENING: [Edge; 12] = [
    edge(Closed, Listen, Trigger::Open),
    edge(Closed, SynSent, Trigger::Open),
    edge(Listen, SynReceived, Trigger::Syn),
    edge(Listen, Closed, Trigger::Close),
    edge(SynSent, Established, Trigger::SynAck),
    edge(SynSent, SynReceived, Trigger::Syn),
    edge(SynSent, Closed, Trigger::Rst),
    edge(SynSent, Closed, Trigger::GiveUp),
    edge(SynSent, Closed, Trigger::Close),
    edge(SynReceived, Established, Trigger::AckOfSyn),
    edge(SynReceived, CloseWait, Trigger::Fin),
    edge(SynReceived, Listen, Trigger::Rst),
];

/// The changes that close a connection, from ESTABLISHED on.
pub const CLOSING: [Edge; 25] = [
    edge(Established, FinWait1, Trigger::Close),
    edge(Established, CloseWait, Trigger::Fin),
    edge(Established, Closed, Trigger::Rst),
    edge(Established, Closed, Trigger::Abort),
    edge(FinWait1, FinWait2, Trigger::AckOfFin),
    edge(FinWait1, Closing, Trigger::Fin),
    edge(FinWait1, TimeWait, Trigger::FinAndAck),
    edge(FinWait1, Closed, Trigger::Rst),
    edge(FinWait1, Closed, Trigger::Abort),
    edge(FinWait1, Closed, Trigger::GiveUp),
    edge(FinWait2, TimeWait, Trigger::Fin),
    edge(FinWait2, Closed, Trigger::Rst),
    edge(FinWait2, Closed, Trigger::Abort),
    edge(FinWait2, Closed, Trigger::GiveUp),
    edge(CloseWait, LastAck, Trigger::Close),
    edge(CloseWait, Closed, Trigger::Rst),
    edge(CloseWait, Closed, Trigger::Abort),
    edge(Closing, TimeWait, Trigger::AckOfFin),
    edge(Closing, Closed, Trigger::Rst),
    edge(Closing, Closed, Trigger::GiveUp),
    edge(LastAck, Closed, Trigger::AckOfFin),
    edge(LastAck, Closed, Trigger::Rst),
    edge(LastAck, Closed, Trigger::GiveUp),
    edge(TimeWait, Closed, Trigger::TimeWaitOver),
    edge(TimeWait, Closed, Trigger::NewSyn),
];

/// Legal changes that no run needs to show. smoltcp, the programs or the harness never make them, or only when the
/// power is lost.
const OTHER: [Edge; 9] = [
    edge(Established, Closed, Trigger::GiveUp),
    edge(CloseWait, Closed, Trigger::GiveUp),
    edge(Closing, Closed, Trigger::Abort),
    edge(LastAck, Closed, Trigger::Abort),
    edge(TimeWait, Closed, Trigger::Rst),
    edge(TimeWait, Closed, Trigger::Abort),
    edge(SynReceived, FinWait1, Trigger::Close),
    edge(SynReceived, Closed, Trigger::Abort),
    edge(Listen, Closed, Trigger::Abort),
];

impl Edge {
    /// Returns the change from `from` to `to` that `cause` made. `arrived` is the segment that arrived, if one did.
    /// `fin` is the number after this socket's FIN, if it was sent.
    ///
    /// # Errors
    /// A text that names the change, if RFC 9293 has no such change for this cause.
    pub fn of(
        from: TcpState,
        to: TcpState,
        cause: Cause,
        arrived: Option<&Segment>,
        fin: Option<u32>,
    ) -> Result<Self, String> {
        let fits = |trigger: &Trigger| match (trigger, cause, arrived) {
            (Trigger::Open | Trigger::Close | Trigger::Abort, Cause::Program, _) => true,
            (Trigger::TimeWaitOver | Trigger::GiveUp, Cause::Timer, _) => true,
            // A kernel answers data for a program that has closed with RST (RFC 1122 section 4.2.2.13), and also a FIN
            // that shows that there was data before it.
            (Trigger::Abort, Cause::Arrival(_), Some(segment)) => segment.space() > 0,
            (_, Cause::Arrival(_), Some(segment)) => trigger.is_made_by(segment, fin),
            (_, Cause::Program | Cause::Timer | Cause::Arrival(_), _) => false,
        };
        let known = OPENING.iter().chain(&CLOSING).chain(&OTHER);
        let mut edges = known.filter(|edge| edge.from == from && edge.to == to);
        let edge = edges.find(|edge| fits(&edge.trigger));
        edge.copied().ok_or_else(|| match arrived {
            Some(segment) => format!("{from} to {to} by {cause}, {} ack {}", segment.flags, segment.ack),
            None => format!("{from} to {to} by {cause}"),
        })
    }
}

impl Trigger {
    /// Returns whether the arrival of `segment` is this trigger.
    fn is_made_by(self, segment: &Segment, fin: Option<u32>) -> bool {
        let has = |bits| segment.flags.has(bits);
        let acknowledges = has(Flags::ACK) && fin == Some(segment.ack);
        match self {
            Self::Syn => has(Flags::SYN),
            Self::NewSyn => segment.is_first_syn(),
            Self::SynAck => has(Flags::SYN | Flags::ACK),
            Self::AckOfSyn => has(Flags::ACK),
            Self::Fin => has(Flags::FIN),
            Self::AckOfFin => acknowledges,
            Self::FinAndAck => has(Flags::FIN) && acknowledges,
            Self::Rst => has(Flags::RST),
            Self::Open | Self::Close | Self::TimeWaitOver | Self::Abort | Self::GiveUp => false,
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Syn => "SYN",
            Self::SynAck => "SYN and ACK of SYN",
            Self::AckOfSyn => "ACK of SYN",
            Self::Close => "close",
            Self::Fin => "FIN",
            Self::AckOfFin => "ACK of FIN",
            Self::FinAndAck => "FIN and ACK of FIN",
            Self::TimeWaitOver => "2 MSL",
            Self::NewSyn => "new SYN",
            Self::Rst => "RST",
            Self::Abort => "abort",
            Self::GiveUp => "gives up",
        }
    }

    /// Returns the section of RFC 9293 that defines it, and of RFC 1122 where RFC 9293 leaves it to the host.
    pub fn source(self) -> &'static str {
        match self {
            Self::Open => "3.10.1",
            Self::Syn => "3.10.7.2",
            Self::SynAck => "3.10.7.3",
            Self::AckOfSyn | Self::Fin | Self::AckOfFin | Self::FinAndAck | Self::Rst => "3.10.7.4",
            Self::Close => "3.10.4",
            Self::TimeWaitOver => "3.10.8",
            Self::NewSyn => "3.6.1",
            Self::Abort => "3.10.5",
            Self::GiveUp => "3.8.3, RFC 1122 4.2.3.5",
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, trigger } = self;
        write!(f, "{from:<12} {to:<12} {:<20}", trigger.name())
    }
}

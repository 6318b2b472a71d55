//! Checks the packets of a record against RFC 9293.

use crate::record::event_log::{LogEntry, LogEvent, Unit, is_close, is_fin};
use crate::record::segments::{beyond, segments};
use crate::record::{Ending, Record};
use crate::scenario::plan::Action;
use crate::scenario::{Backend, defaults};
use crate::support::{Breach, Rule};
use crate::tcp::{Cause, Edge, Flags, PacketFate, Segment, SocketId, TcpEvent, TcpState};
use echo_core::{End, Role};
use std::collections::BTreeMap;

/// The rules of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TcpRule {
    /// Each state change is in the diagram and has a matching cause (figure 5, section 3.10).
    Diagram,
    /// Each state change of a socket starts from the state that the previous one ended in.
    Path,
    /// Every socket is closed at the end, or on Linux left to its kernel.
    Closed,
    /// TIME-WAIT is only at the side that the setting names.
    TimeWait,
    /// No data is sent after FIN, and no number is acknowledged that was not sent (section 3.4).
    Numbers,
    /// Retransmitted data is the same (section 3.8).
    SameBytes,
    /// Corrupt segments are dropped (section 3.1, checksum).
    Checksum,
}

impl Rule for TcpRule {
    fn name(self) -> &'static str {
        match self {
            Self::Diagram => "TCP: the state diagram",
            Self::Path => "TCP: the path",
            Self::Closed => "TCP: every socket ends",
            Self::TimeWait => "TCP: TIME-WAIT",
            Self::Numbers => "TCP: numbers",
            Self::SameBytes => "TCP: the same bytes",
            Self::Checksum => "TCP: checksum",
        }
    }
}

/// A breach of a TCP rule.
pub type TcpBreach = Breach<TcpRule>;

/// Checks the packets of `record` against RFC 9293, and returns all breaches. A record without packets has none.
pub fn check_tcp(record: &Record) -> Vec<TcpBreach> {
    let breach = |rule| move |what| TcpBreach { rule, what };
    let mut breaches: Vec<TcpBreach> =
        edges(record).into_iter().filter_map(Result::err).map(breach(TcpRule::Diagram)).collect();
    breaches.extend(paths(record).into_iter().map(breach(TcpRule::Path)));
    breaches.extend(unclosed(record).into_iter().map(breach(TcpRule::Closed)));
    breaches.extend(time_wait(record).map(breach(TcpRule::TimeWait)));
    breaches.extend(numbers(record).into_iter().map(breach(TcpRule::Numbers)));
    breaches.extend(other_bytes(record).into_iter().map(breach(TcpRule::SameBytes)));
    breaches.extend(checksums(record).into_iter().map(breach(TcpRule::Checksum)));
    breaches
}

struct Change {
    side: Role,
    socket: SocketId,
    from: TcpState,
    to: TcpState,
    cause: Cause,
}

fn changes(record: &Record) -> impl Iterator<Item = Change> {
    record.packets.iter().filter_map(|moment| match &moment.event {
        TcpEvent::Changed { side, socket, from, to, cause } => {
            Some(Change { side: *side, socket: *socket, from: *from, to: *to, cause: *cause })
        }
        TcpEvent::Sent { .. } | TcpEvent::Arrived { .. } => None,
    })
}

/// Returns each state change in `record` as an edge of the diagram, or a text that says what is wrong with it.
pub(crate) fn edges(record: &Record) -> Vec<Result<Edge, String>> {
    let sent: BTreeMap<u32, &Segment> = segments(record).map(|(segment, _)| (segment.index, segment)).collect();
    let mut fins = [None; 2];
    for (segment, _) in segments(record).filter(|(segment, _)| segment.flags.has(Flags::FIN)) {
        fins[segment.from as usize] = Some(segment.seq.wrapping_add(segment.space()));
    }
    // By sender: its FIN has arrived, perhaps before data that was sent before it. Then that data completes it.
    let mut fin_arrived = [false; 2];
    let mut edges = Vec::new();
    for moment in &record.packets {
        match &moment.event {
            TcpEvent::Arrived { index, .. } => {
                if let Some(segment) = sent.get(index).filter(|segment| segment.flags.has(Flags::FIN)) {
                    fin_arrived[segment.from as usize] = true;
                }
            }
            TcpEvent::Changed { side, socket, from, to, cause } => {
                let arrived = match cause {
                    Cause::Arrival(index) => sent.get(index).map(|segment| completed(segment, fin_arrived)),
                    Cause::Timer | Cause::Program => None,
                };
                let edge = Edge::of(*from, *to, *cause, arrived.as_ref(), fins[*side as usize]);
                edges.push(edge.map_err(|what| format!("the {}'s socket {socket}: {what}", side.name())));
            }
            TcpEvent::Sent { .. } => (),
        }
    }
    edges
}

/// Returns the segment, with the FIN that it completes.
fn completed(segment: &Segment, fin_arrived: [bool; 2]) -> Segment {
    let mut segment = segment.clone();
    if segment.length > 0 && fin_arrived[segment.from as usize] {
        segment.flags.0 |= Flags::FIN;
    }
    segment
}

/// Returns the last state of each socket.
fn last_states(record: &Record) -> BTreeMap<(usize, SocketId), TcpState> {
    changes(record).map(|change| ((change.side as usize, change.socket), change.to)).collect()
}

fn paths(record: &Record) -> Vec<String> {
    let mut states = BTreeMap::new();
    let mut broken = Vec::new();
    for Change { side, socket, from, to, .. } in changes(record) {
        let before = states.insert((side as usize, socket), to);
        // The socket of an earlier conversation is in TIME-WAIT when this one begins.
        let begins = from == TcpState::Closed || from == TcpState::TimeWait && record.scenario.network.earlier;
        if before.map_or(!begins, |before| before != from) {
            let before = before.unwrap_or(TcpState::Closed);
            broken.push(format!(
                "the {}'s socket {socket} was in {before}, but changes from {from} to {to}",
                side.name()
            ));
        }
    }
    broken
}

fn unclosed(record: &Record) -> Vec<String> {
    let open = |((side, socket), state): (&(usize, SocketId), &TcpState)| {
        let side = if *side == Role::Client as usize { "client" } else { "server" };
        format!("the {side}'s socket {socket} stays in {state}")
    };
    let states = last_states(record);
    let is_left = |state: &TcpState| match record.backend {
        // Linux ends these by itself, after up to two minutes.
        Backend::Linux => matches!(state, TcpState::Established | TcpState::CloseWait),
        Backend::Pair | Backend::Turmoil | Backend::Packet => !matches!(state, TcpState::Closed | TcpState::Listen),
    };
    let left = states.iter().filter(|(_, state)| is_left(state));
    if record.over_at.is_none() { Vec::new() } else { left.map(open).collect() }
}

/// Checks runs in which both ends close regularly, no RST was sent, and the FINs did not cross.
fn time_wait(record: &Record) -> Option<String> {
    let correct = |side| {
        let is_meant = matches!(record.ending(side), Ending::Outcome(outcome) if matches!(outcome.end, End::Clean { .. } | End::Unproven));
        is_meant && record.scenario.plan(side).steps.iter().all(|step| step.action == Action::Close)
    };
    let reset = segments(record).any(|(segment, _)| segment.flags.has(Flags::RST));
    if record.packets.is_empty() || reset || !Role::BOTH.into_iter().all(correct) || crossed(record) {
        return None;
    }
    let first = segments(record).find(|(segment, _)| segment.flags.has(Flags::FIN)).map(|(segment, _)| segment.from);
    let named = record.scenario.wire.first_fin().or(first)?;
    if gave_up_waiting(record, named.peer()) || orphan_gave_up(record, named) {
        return None;
    }
    let passes = |side| changes(record).any(|change| change.side == side && change.to == TcpState::TimeWait);
    match (passes(named), passes(named.peer())) {
        (true, false) => None,
        (true, true) => Some(format!("at the {}, and at the {} too", named.name(), named.peer().name())),
        (false, true) => Some(format!("at the {}, not at the {}", named.peer().name(), named.name())),
        (false, false) => Some("at neither side".to_owned()),
    }
}

/// Returns whether `side` sent its FIN because its deadline for the peer's FIN had passed: at least that time after its
/// CLOSE.
fn gave_up_waiting(record: &Record, side: Role) -> bool {
    let at = |like: fn(&Unit) -> bool| {
        let sent = |entry: &&LogEntry| entry.side == side && matches!(&entry.what, LogEvent::Sent(unit) if like(unit));
        record.entries.iter().find(sent).map(|entry| entry.at)
    };
    let fin = defaults::deadlines_of(&record.scenario, side).fin.as_millis();
    match (at(is_close), at(is_fin)) {
        (Some(close), Some(sent)) => u128::from(sent - close) >= fin,
        (_, _) => false,
    }
}

/// Returns whether the kernel closed the socket of `side` before the peer's FIN arrived. All copies of that FIN were
/// lost, and an orphaned socket waits for a limited time.
fn orphan_gave_up(record: &Record, side: Role) -> bool {
    let waits = |state| matches!(state, TcpState::FinWait1 | TcpState::FinWait2);
    changes(record).any(|change| change.side == side && waits(change.from) && change.to == TcpState::Closed)
}

/// Returns whether each side closed before the peer's FIN had arrived (RFC 9293 section 3.6, figure 13).
fn crossed(record: &Record) -> bool {
    let closes = |side| changes(record).any(|change| change.side == side && change.to == TcpState::FinWait1);
    closes(Role::Client) && closes(Role::Server)
}

fn numbers(record: &Record) -> Vec<String> {
    let (mut ends, mut fins): ([Option<u32>; 2], [Option<u32>; 2]) = ([None; 2], [None; 2]);
    let mut broken = Vec::new();
    // A socket of an earlier conversation may still send, with other numbers. RST is not checked.
    let counts = |segment: &Segment| !segment.flags.has(Flags::RST) && !record.scenario.network.earlier;
    for (segment, _) in segments(record).filter(|(segment, _)| counts(segment)) {
        let (side, end) = (segment.from as usize, segment.seq.wrapping_add(segment.space()));
        if let Some(fin) = fins[side].and_then(|fin| beyond(end, fin)) {
            broken.push(format!(
                "the {} sent #{}, which ends {fin} sequence numbers beyond its FIN",
                segment.from.name(),
                segment.index
            ));
        }
        if segment.flags.has(Flags::FIN) {
            fins[side] = Some(end);
        }
        ends[side] = Some(ends[side].filter(|known| beyond(end, *known).is_none()).unwrap_or(end));
        if segment.flags.has(Flags::ACK) {
            let sent = ends[segment.from.peer() as usize];
            if let Some(more) = sent.map_or(Some(0), |sent| beyond(segment.ack, sent)) {
                let text = format!(
                    "#{} of the {} acknowledges {more} sequence numbers that were not sent",
                    segment.index,
                    segment.from.name()
                );
                broken.push(text);
            }
        }
    }
    broken
}

fn other_bytes(record: &Record) -> Vec<String> {
    let mut streams: [BTreeMap<u32, u8>; 2] = [BTreeMap::new(), BTreeMap::new()];
    let mut broken = Vec::new();
    for (segment, _) in segments(record).filter(|_| !record.scenario.network.earlier) {
        let stream = &mut streams[segment.from as usize];
        let first = segment.seq.wrapping_add(u32::from(segment.flags.has(Flags::SYN)));
        let mut differs = false;
        for (offset, byte) in (0..).zip(segment.payload()) {
            let number = first.wrapping_add(offset);
            differs |= *stream.entry(number).or_insert(*byte) != *byte;
        }
        if differs {
            broken.push(format!(
                "#{} of the {} repeats a number with another byte",
                segment.index,
                segment.from.name()
            ));
        }
    }
    broken
}

fn checksums(record: &Record) -> Vec<String> {
    let corrupt: Vec<u32> =
        segments(record).filter(|(_, fate)| *fate == PacketFate::Corrupt).map(|(segment, _)| segment.index).collect();
    let taken =
        changes(record).filter(|change| matches!(change.cause, Cause::Arrival(index) if corrupt.contains(&index)));
    taken
        .map(|change| format!("a corrupt segment changes the state of the {} to {}", change.side.name(), change.to))
        .collect()
}

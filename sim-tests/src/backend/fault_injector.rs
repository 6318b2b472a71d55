//! The fault injector: decides the fate of each segment by the scenario's network.

use crate::backend::faulty_links::carries;
use crate::backend::program::{SharedLog, Slot, lock};
use crate::packet::{FaultInjector, PacketDecision};
use crate::record::event_log::{LogEvent, Unit};
use crate::record::wire_decoder::{StreamChunk as Piece, WireDecoder};
use crate::scenario::Scenario;
use crate::scenario::network::{NetworkFault, PacketContent, PacketSelector};
use crate::support::Millis;
use crate::tcp::{Flags, PacketFate, Segment, TcpState};
use echo_core::Role;
use echo_net::Transport;
use std::sync::{Arc, Mutex};

/// The faults that wait for their segment.
pub(super) type WaitingFaults = Arc<Mutex<Vec<NetworkFault>>>;

pub(super) struct ScenarioFaultInjector<S> {
    log: SharedLog,
    /// The instrumented streams of both programs; by [`Role`].
    taps: [Slot<S>; 2],
    waiting: WaitingFaults,
    requests: u64,
    /// By [`Role`].
    decoders: [WireDecoder; 2],
    /// The sequence number of the next byte that was not decoded yet; by [`Role`].
    next: [Option<u32>; 2],
    /// The percentage of segments that are lost, and the state of the random numbers that choose them.
    loss: Option<(u8, u64)>,
}

impl<S: Transport> ScenarioFaultInjector<S> {
    pub(super) fn new(scenario: &Scenario, log: SharedLog, taps: [Slot<S>; 2]) -> (Self, WaitingFaults) {
        let faults = scenario.network.faults.iter().copied();
        let waits = |fault: &NetworkFault| match fault {
            NetworkFault::Hold { .. } | NetworkFault::Packet { .. } => true,
            NetworkFault::Cut { .. } | NetworkFault::Loss { .. } => false,
        };
        let waiting: WaitingFaults = Arc::new(Mutex::new(faults.clone().filter(waits).collect()));
        let loss = faults.into_iter().find_map(|fault| match fault {
            NetworkFault::Loss { percent, seed } => Some((percent, seed)),
            NetworkFault::Hold { .. } | NetworkFault::Packet { .. } | NetworkFault::Cut { .. } => None,
        });
        let decoders = Role::BOTH.map(|from| WireDecoder::new(from, scenario));
        let requests = scenario.talk.len() as u64;
        (Self { log, taps, waiting: Arc::clone(&waiting), requests, decoders, next: [None; 2], loss }, waiting)
    }

    /// Decodes what a segment carries and its side has not sent before.
    fn hear(&mut self, segment: &Segment) -> Vec<Unit> {
        let side = segment.from as usize;
        if segment.flags.has(Flags::RST) {
            return self.decoders[side].decode(Piece::Reset);
        }
        let next = *self.next[side].get_or_insert(segment.seq);
        let end = segment.seq.wrapping_add(segment.space());
        let new = end.wrapping_sub(next);
        // All of it is old: a retransmission, or an acknowledgment.
        if new == 0 || new > 1 << 31 {
            return Vec::new();
        }
        self.next[side] = Some(end);
        let bits = u32::from(segment.flags.has(Flags::FIN));
        // A retransmission may carry old bytes before the new ones.
        let fresh = segment.length.min((new - bits.min(new)) as usize);
        let mut units = self.decoders[side].decode(Piece::Data(&segment.payload()[segment.length - fresh..]));
        if segment.flags.has(Flags::FIN) {
            units.extend(self.decoders[side].decode(Piece::Fin));
        }
        units
    }

    /// Logs FIN and RST. Those that a kernel sends on its own are seen only here.
    fn note(&self, from: Role, units: &[Unit]) {
        let mut log = lock(&self.log);
        for unit in units.iter().filter(|unit| matches!(unit, Unit::Fin | Unit::Reset)) {
            if !log.has_sent(from, |sent| sent == unit) {
                log.note(from, LogEvent::Sent(unit.clone()));
            }
        }
    }

    /// Takes the first fault that waits for this segment.
    fn fault(&self, segment: &Segment, units: &[Unit], sender: TcpState) -> Option<NetworkFault> {
        let mut waiting = lock(&self.waiting);
        let is_due = |fault: &NetworkFault| match fault {
            NetworkFault::Hold { .. } => {
                fault.holds(segment.from, |content| units.iter().any(|unit| carries(unit, content)))
            }
            NetworkFault::Packet { which: PacketSelector::Nth(index), .. } => *index == segment.index,
            NetworkFault::Packet { which: PacketSelector::First { from, carries }, .. } => {
                from.means(segment.from) && self.matches(*carries, segment, units, sender)
            }
            NetworkFault::Cut { .. } | NetworkFault::Loss { .. } => false,
        };
        let index = waiting.iter().position(is_due)?;
        Some(waiting.remove(index))
    }

    fn matches(&self, what: PacketContent, segment: &Segment, units: &[Unit], sender: TcpState) -> bool {
        let has = |like: &dyn Fn(&Unit) -> bool| units.iter().any(like);
        match what {
            PacketContent::Fin => has(&crate::record::event_log::is_fin),
            PacketContent::LastAck => sender == TcpState::TimeWait && segment.is_bare_ack(),
            PacketContent::Rst => segment.flags.has(Flags::RST),
            PacketContent::Close => has(&crate::record::event_log::is_close),
            PacketContent::GoAway => has(&crate::record::event_log::is_goaway),
            PacketContent::Request => has(&|unit| *unit == Unit::Request(self.requests)),
            PacketContent::Answer => has(&|unit| *unit == Unit::Answer(self.requests)),
        }
    }

    /// Whether this segment is lost at random. Nothing is lost before the conversation begins.
    fn is_lost(&mut self) -> bool {
        let Some((percent, state)) = &mut self.loss else { return false };
        lock(&self.log).is_watched() && split_mix(state) % 100 < u64::from(*percent)
    }
}

impl<S: Transport> FaultInjector for ScenarioFaultInjector<S> {
    fn judge(&mut self, now: Millis, segment: &Segment, sender: TcpState) -> PacketDecision {
        let units = self.hear(segment);
        self.note(segment.from, &units);
        let lost = self.is_lost();
        let mut ruling = PacketDecision { fate: if lost { PacketFate::Lose } else { PacketFate::Deliver }, hold: None };
        while let Some(fault) = self.fault(segment, &units, sender) {
            match fault {
                NetworkFault::Hold { span, .. } => {
                    ruling.hold = Some(span.after(now));
                    lock(&self.log).note(segment.from, LogEvent::Held);
                }
                NetworkFault::Packet { fate, .. } => ruling.fate = fate,
                NetworkFault::Cut { .. } | NetworkFault::Loss { .. } => (),
            }
        }
        ruling
    }

    fn arrived(&mut self, segment: &Segment) {
        if segment.flags.has(Flags::RST)
            && let Some(stream) = lock(&self.taps[segment.from.peer() as usize]).as_ref()
        {
            stream.break_off();
        }
    }
}

/// Returns the next number of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). It
/// depends on the seed only, in every version.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

//! The referee: what becomes of each segment, by the scenario's network.

use crate::backend::faulty_links::carries;
use crate::backend::program::{SharedBoard, Slot, lock};
use crate::packet::{Judge, Ruling, Stream};
use crate::record::event_log::{Unit, What};
use crate::record::wire_decoder::{Ear, Segment as Piece};
use crate::scenario::Scenario;
use crate::scenario::network::{Carries, Fault, Which};
use crate::support::Millis;
use crate::tcp::{Fate, Flags, Segment, State};
use echo_core::Role;
use std::sync::{Arc, Mutex};

/// The faults that wait for their segment.
pub(super) type Waiting = Arc<Mutex<Vec<Fault>>>;

pub(super) struct Referee {
    board: SharedBoard,
    /// The taps of both programs; by [`Role`].
    taps: [Slot<Stream>; 2],
    waiting: Waiting,
    requests: u64,
    /// By [`Role`].
    ears: [Ear; 2],
    /// The number of the next byte that was not heard yet; by [`Role`].
    next: [Option<u32>; 2],
    /// How many of 100 are lost, and the state of what decides which.
    loss: Option<(u8, u64)>,
}

impl Referee {
    pub(super) fn new(scenario: &Scenario, board: SharedBoard, taps: [Slot<Stream>; 2]) -> (Self, Waiting) {
        let faults = scenario.network.faults.iter().copied();
        let waits = |fault: &Fault| match fault {
            Fault::Hold { .. } | Fault::Packet { .. } => true,
            Fault::Cut { .. } | Fault::Loss { .. } => false,
        };
        let waiting: Waiting = Arc::new(Mutex::new(faults.clone().filter(waits).collect()));
        let loss = faults.into_iter().find_map(|fault| match fault {
            Fault::Loss { percent, seed } => Some((percent, seed)),
            Fault::Hold { .. } | Fault::Packet { .. } | Fault::Cut { .. } => None,
        });
        let ears = Role::BOTH.map(|from| Ear::new(from, scenario));
        let requests = scenario.talk.len() as u64;
        (Self { board, taps, waiting: Arc::clone(&waiting), requests, ears, next: [None; 2], loss }, waiting)
    }

    /// What a segment carries that its side has not sent before.
    fn hear(&mut self, segment: &Segment) -> Vec<Unit> {
        let side = segment.from as usize;
        if segment.flags.has(Flags::RST) {
            return self.ears[side].hear(Piece::Reset);
        }
        let next = *self.next[side].get_or_insert(segment.seq);
        let end = segment.seq.wrapping_add(segment.space());
        let new = end.wrapping_sub(next);
        // It is all old: sent again, or an acknowledgment.
        if new == 0 || new > 1 << 31 {
            return Vec::new();
        }
        self.next[side] = Some(end);
        let bits = u32::from(segment.flags.has(Flags::FIN));
        // A retransmission may carry old bytes before the new ones.
        let fresh = segment.length.min((new - bits.min(new)) as usize);
        let mut units = self.ears[side].hear(Piece::Data(&segment.payload()[segment.length - fresh..]));
        if segment.flags.has(Flags::FIN) {
            units.extend(self.ears[side].hear(Piece::Fin));
        }
        units
    }

    /// What a kernel sends on its own shows only here.
    fn note(&self, from: Role, units: &[Unit]) {
        let mut board = lock(&self.board);
        for unit in units.iter().filter(|unit| matches!(unit, Unit::Fin | Unit::Reset)) {
            if !board.has_sent(from, |sent| sent == unit) {
                board.note(from, What::Sent(unit.clone()));
            }
        }
    }

    /// The first fault that waits for this segment.
    fn fault(&self, segment: &Segment, units: &[Unit], sender: State) -> Option<Fault> {
        let mut waiting = lock(&self.waiting);
        let is_due = |fault: &Fault| match fault {
            Fault::Hold { from, mark, .. } => from.means(segment.from) && units.iter().any(|unit| carries(unit, *mark)),
            Fault::Packet { which: Which::Nth(index), .. } => *index == segment.index,
            Fault::Packet { which: Which::First { from, carries }, .. } => {
                from.means(segment.from) && self.matches(*carries, segment, units, sender)
            }
            Fault::Cut { .. } | Fault::Loss { .. } => false,
        };
        let index = waiting.iter().position(is_due)?;
        Some(waiting.remove(index))
    }

    fn matches(&self, what: Carries, segment: &Segment, units: &[Unit], sender: State) -> bool {
        let has = |like: &dyn Fn(&Unit) -> bool| units.iter().any(like);
        match what {
            Carries::Fin => has(&crate::record::event_log::is_fin),
            Carries::LastAck => sender == State::TimeWait && segment.is_bare_ack(),
            Carries::Rst => segment.flags.has(Flags::RST),
            Carries::LastWord => has(&crate::record::event_log::is_last_word),
            Carries::GoAway => has(&crate::record::event_log::is_goaway),
            Carries::Request => has(&|unit| *unit == Unit::Request(self.requests)),
            Carries::Answer => has(&|unit| *unit == Unit::Answer(self.requests)),
        }
    }

    /// Whether chance takes this segment. A conversation begins with a connection, so nothing is lost before.
    fn is_lost(&mut self) -> bool {
        let Some((percent, state)) = &mut self.loss else { return false };
        lock(&self.board).is_watched() && split_mix(state) % 100 < u64::from(*percent)
    }
}

impl Judge for Referee {
    fn judge(&mut self, now: Millis, segment: &Segment, sender: State) -> Ruling {
        let units = self.hear(segment);
        self.note(segment.from, &units);
        let lost = self.is_lost();
        let mut ruling = Ruling { fate: if lost { Fate::Lose } else { Fate::Deliver }, hold: None };
        while let Some(fault) = self.fault(segment, &units, sender) {
            match fault {
                Fault::Hold { span, .. } => {
                    ruling.hold = Some(span.after(now));
                    lock(&self.board).note(segment.from, What::Held);
                }
                Fault::Packet { fate, .. } => ruling.fate = fate,
                Fault::Cut { .. } | Fault::Loss { .. } => (),
            }
        }
        ruling
    }

    fn arrived(&mut self, segment: &Segment) {
        if segment.flags.has(Flags::RST)
            && let Some(tap) = lock(&self.taps[segment.from.peer() as usize]).as_ref()
        {
            tap.break_off();
        }
    }
}

/// The next number of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the same
/// for a seed in every version.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

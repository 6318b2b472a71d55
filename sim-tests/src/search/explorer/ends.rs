//! The states of single ends, and the results of their steps. Each is computed once per search.
//!
//! A step of one end does not depend on the other end, and a conversation has far fewer states of one end than of both
//! with everything between them. So most steps of a search are looked up here. [`End`]s with the same hash behave the
//! same from then on, which the search relies on anyway.

use super::end::{End, LocalStep};
use super::hash::{Mixed, Numbers, identity};
use super::observations::Observations;
use super::queue::{Queue, Queues};
use super::rules::ExplorerBreach;
use super::unit::{Reach, reaches};
use super::waits;
use echo_core::Deadline;
use std::rc::Rc;

/// A stored state of an end, with what is asked about it in every state of a search.
pub(super) struct StoredEnd {
    /// Two states have the same number only if they are the same in every respect that a check looks at.
    number: u32,
    /// Two states have the same class exactly if they have the same hash.
    pub(super) class: u32,
    pub(super) end: End,
    pub(super) is_here: bool,
    /// Whether it discards its input.
    pub(super) drops: bool,
    /// How far a write of its output can go.
    pub(super) writes: Vec<(Reach, usize)>,
    pub(super) deadlines: Vec<Deadline>,
    /// The wait without a deadline, if there is one.
    pub(super) endless_wait: Option<ExplorerBreach>,
}

/// The result of a step.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) end: Rc<StoredEnd>,
    /// What was written, or the rest of an input of which the first half was read.
    pub(super) pieces: Rc<Queue>,
    pub(super) aborted: bool,
}

/// All states of ends in a search. The maps are only queried, never listed.
pub(super) struct Ends {
    cuts: &'static [usize],
    pub(super) queues: Queues,
    stored: Mixed<u128, Rc<StoredEnd>>,
    classes: Mixed<u128, u32>,
    taken: Numbers<(u32, LocalStep, u32), Taken>,
}

impl Ends {
    /// Creates an empty store. `cuts` are the positions inside a unit at which the stream may be cut.
    pub(super) fn new(cuts: &'static [usize]) -> Self {
        Self {
            cuts,
            queues: Queues::new(),
            stored: Mixed::default(),
            classes: Mixed::default(),
            taken: Numbers::default(),
        }
    }

    /// Stores an end before its first step, after what it does at once.
    pub(super) fn first(&mut self, mut end: End, notes: &mut Observations) -> Taken {
        let aborted = end.settle(self.cuts, notes);
        Taken { end: self.store(end), pieces: Rc::clone(&self.queues.empty), aborted }
    }

    /// Takes a step from `from`, with everything that the end then does at once. `input` is what it reads. Only the first
    /// time adds to `notes`.
    pub(super) fn take(
        &mut self,
        from: &StoredEnd,
        step: LocalStep,
        input: Option<&Queue>,
        notes: &mut Observations,
    ) -> Result<Taken, ExplorerBreach> {
        let key = (from.number, step, input.map_or(0, |input| input.number));
        if let Some(taken) = self.taken.get(&key) {
            return Ok(taken.clone());
        }
        let mut end = from.end.clone();
        let pieces = end.take(step, input.map_or(&[], |input| &input.pieces), notes)?;
        let aborted = end.settle(self.cuts, notes);
        let taken = Taken { end: self.store(end), pieces: self.queues.store(pieces), aborted };
        self.taken.insert(key, taken.clone());
        Ok(taken)
    }

    fn store(&mut self, end: End) -> Rc<StoredEnd> {
        let hash = identity(&end);
        let everything = identity(&(hash, end.not_hashed()));
        if let Some(stored) = self.stored.get(&everything) {
            return Rc::clone(stored);
        }
        let next = |count: usize| u32::try_from(count).expect("memory does not hold so many ends");
        let class = next(self.classes.len());
        let class = *self.classes.entry(hash).or_insert(class);
        let is_here = end.is_here();
        let stored = Rc::new(StoredEnd {
            number: next(self.stored.len()),
            class,
            is_here,
            drops: end.connection.machine().is_discarding(),
            writes: reaches(&end.outgoing).collect(),
            deadlines: end.connection.running_deadlines().collect(),
            endless_wait: if is_here { waits::check(&end).err() } else { None },
            end,
        });
        self.stored.insert(everything, Rc::clone(&stored));
        stored
    }
}

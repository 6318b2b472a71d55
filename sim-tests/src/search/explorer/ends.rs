//! The states of single ends, and the results of their steps. Each is computed once per search.
//!
//! A step of one end does not depend on the other end, and a conversation has far fewer states of one end than of both
//! with everything between them. So most steps of a search are looked up here. [`End`]s with the same hash behave the
//! same from then on, which the search relies on anyway.

use super::end::{End, LocalStep};
use super::hash::{Mixed, identity};
use super::observations::Observations;
use super::queue::{Queue, Queues};
use super::rules::ExplorerBreach;
use super::unit::{Reach, reaches};
use echo_core::Deadline;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A stored state of an end, with what is asked about it in every state of a search.
pub(super) struct StoredEnd {
    /// Two states have the same class exactly if they have the same hash.
    pub(super) class: u32,
    pub(super) is_here: bool,
    /// Whether it discards its input.
    pub(super) drops: bool,
    /// How far a write of its output can go.
    pub(super) writes: Vec<(Reach, u16)>,
    pub(super) fin_due: bool,
    pub(super) may_fail_to_write: bool,
    pub(super) write_closed: bool,
    pub(super) wants_input: bool,
    pub(super) awaits_quiet: bool,
    pub(super) deadlines: Vec<Deadline>,
    results: RefCell<Results>,
    /// Whether its outcome was noted.
    noted: Cell<bool>,
    /// What is wrong with it.
    breach: Option<Box<ExplorerBreach>>,
    /// It is large, so that what a search needs most often is stored outside it.
    pub(super) end: Box<End>,
}

impl StoredEnd {
    /// Returns whether this is the first call: the outcome of the end is noted once.
    pub(super) fn is_to_be_noted(&self) -> bool {
        !self.noted.replace(true)
    }

    fn result(&self, key: (u32, u32)) -> Option<Taken> {
        let results = self.results.borrow();
        let at = results.keys.iter().position(|other| *other == key)?;
        Some(results.results[at].clone())
    }

    /// Returns what is wrong with the end.
    pub(super) fn check(&self) -> Result<(), ExplorerBreach> {
        self.breach.as_deref().map_or(Ok(()), |breach| Err(breach.clone()))
    }
}

/// The results of the steps that were taken from one state. There are few, so they are searched from the first on.
#[derive(Default)]
struct Results {
    /// The step's code, and the number of the queue that it reads.
    keys: Vec<(u32, u32)>,
    results: Vec<Taken>,
}

/// A check of an end that does not depend on its peer.
type Check = fn(&End) -> Result<(), ExplorerBreach>;

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
    check: Check,
    pub(super) queues: Queues,
    stored: Vec<Rc<StoredEnd>>,
    places: Mixed<u128, usize>,
    classes: Mixed<u128, u32>,
}

impl Ends {
    /// Creates an empty store. `cuts` are the positions inside a unit at which the stream may be cut.
    pub(super) fn new(cuts: &'static [usize], check: Check) -> Self {
        Self {
            cuts,
            check,
            queues: Queues::new(),
            stored: Vec::new(),
            places: Mixed::default(),
            classes: Mixed::default(),
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
        let key = (step.code(), input.map_or(0, |input| input.number));
        if let Some(taken) = from.result(key) {
            return Ok(taken);
        }
        let mut end = End::clone(&from.end);
        let pieces = end.take(step, input.map_or(&[], |input| &input.pieces), notes)?;
        let aborted = end.settle(self.cuts, notes);
        let taken = Taken { end: self.store(end), pieces: self.queues.store(pieces), aborted };
        let results = &mut *from.results.borrow_mut();
        results.keys.push(key);
        results.results.push(taken.clone());
        Ok(taken)
    }

    fn store(&mut self, end: End) -> Rc<StoredEnd> {
        let hash = identity(&end);
        let everything = identity(&(hash, end.not_hashed()));
        if let Some(place) = self.places.get(&everything) {
            return Rc::clone(&self.stored[*place]);
        }
        let class = u32::try_from(self.classes.len()).expect("memory does not hold so many ends");
        let class = *self.classes.entry(hash).or_insert(class);
        let stored = Rc::new(StoredEnd {
            class,
            is_here: end.is_here(),
            drops: end.connection.machine().is_discarding(),
            writes: reaches(&end.outgoing).collect(),
            fin_due: end.fin_due,
            may_fail_to_write: !end.outgoing.is_empty() && !end.connection.is_write_closed(),
            write_closed: end.connection.is_write_closed(),
            wants_input: end.connection.wants_input(),
            awaits_quiet: end.connection.awaits_quiet(),
            deadlines: end.connection.running_deadlines().collect(),
            results: RefCell::default(),
            noted: Cell::new(false),
            breach: (self.check)(&end).err().map(Box::new),
            end: Box::new(end),
        });
        self.places.insert(everything, self.stored.len());
        self.stored.push(Rc::clone(&stored));
        stored
    }
}

/// Results refer to ends and those to results, so nothing would free them.
impl Drop for Ends {
    fn drop(&mut self) {
        self.stored.iter().for_each(|stored| drop(stored.results.take()));
    }
}

//! The states of single ends, and the results of their steps. Each is computed once per search.
//!
//! A step of one end does not depend on the other end, and a conversation has far fewer states of one end than of both
//! with everything between them. So most steps of a search are looked up here. [`End`]s with the same hash behave the
//! same from then on, which the search relies on anyway.

use super::arena::Arena;
use super::end::{Answer, End, LocalStep};
use super::hash::{Mixed, identity};
use super::observations::Observations;
use super::queue::{Queue, Queues};
use super::rules::ExplorerBreach;
use super::setup::Setup;
use super::unit::{Reach, reaches};
use crate::support::pairs::Pairs;
use echo_core::Deadline;
use std::cell::{Cell, RefCell};
use std::ops::Deref;

/// A stored state of an end, and what a search asks about the result of every step: most results were seen before, so
/// the state itself is not read.
#[derive(Clone, Copy)]
pub(super) struct EndState<'a> {
    /// Two states have the same class exactly if they have the same hash.
    pub(super) class: u32,
    pub(super) is_here: bool,
    /// Whether it discards its input.
    pub(super) drops: bool,
    stored: &'a StoredEnd<'a>,
}

impl<'a> Deref for EndState<'a> {
    type Target = StoredEnd<'a>;

    fn deref(&self) -> &StoredEnd<'a> {
        self.stored
    }
}

impl<'a> EndState<'a> {
    pub(super) fn end(self) -> &'a End {
        &self.stored.end
    }
}

/// A stored state of an end, with what is asked about it in every state of a search.
pub(super) struct StoredEnd<'a> {
    /// How far a write of its output can go.
    pub(super) writes: Vec<(Reach, u16)>,
    pub(super) fin_due: bool,
    pub(super) may_fail_to_write: bool,
    pub(super) write_closed: bool,
    pub(super) wants_input: bool,
    pub(super) awaits_quiet: bool,
    pub(super) deadlines: Vec<Deadline>,
    pub(super) answers: Vec<Answer>,
    results: RefCell<Results<'a>>,
    /// Whether its outcome was noted.
    noted: Cell<bool>,
    /// What is wrong with it.
    breach: Option<Box<ExplorerBreach>>,
    /// It is large, so that what a search needs most often is stored outside it.
    end: Box<End>,
}

impl<'a> StoredEnd<'a> {
    /// Returns whether this is the first call: the outcome of the end is noted once.
    pub(super) fn is_to_be_noted(&self) -> bool {
        !self.noted.replace(true)
    }

    fn result(&self, key: (u32, u32)) -> Option<Taken<'a>> {
        let results = self.results.borrow();
        let at = results.keys.iter().position(|other| *other == key)?;
        Some(results.results[at])
    }

    /// Returns what is wrong with the end.
    pub(super) fn check(&self) -> Result<(), ExplorerBreach> {
        self.breach.as_deref().map_or(Ok(()), |breach| Err(breach.clone()))
    }
}

/// The results of the steps that were taken from one state. There are few, so they are searched from the first on.
#[derive(Default)]
struct Results<'a> {
    /// The step's code, and the number of the queue that it reads.
    keys: Vec<(u32, u32)>,
    results: Vec<Taken<'a>>,
}

/// A check of an end that does not depend on its peer.
type Check = fn(&End) -> Result<(), ExplorerBreach>;

/// The result of a step.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) end: EndState<'a>,
    /// What was written, or the rest of an input of which the first half was read.
    pub(super) pieces: &'a Queue,
    pub(super) aborted: bool,
}

/// All states of ends in a search. The maps are only queried, never listed.
pub(super) struct Ends<'a> {
    arena: &'a Arena<StoredEnd<'a>>,
    /// The positions inside a unit at which the stream may be cut.
    cuts: &'static [usize],
    /// Whether the connections tell their observer what their machines receive.
    is_observed: bool,
    check: Check,
    pub(super) queues: Queues<'a>,
    stored: Mixed<u128, EndState<'a>>,
    classes: Mixed<u128, u32>,
}

/// Where the ends and queues of a search are stored.
#[derive(Default)]
pub(super) struct Store<'a> {
    ends: Arena<StoredEnd<'a>>,
    queues: Arena<Queue>,
}

impl<'a> Ends<'a> {
    /// Creates an empty list.
    pub(super) fn new(store: &'a Store<'a>, setup: &Setup, check: Check) -> Self {
        // What was observed on this thread before is not of this search.
        drop(setup.service.then(Pairs::take));
        Self {
            arena: &store.ends,
            cuts: setup.cuts,
            is_observed: setup.service,
            check,
            queues: Queues::new(&store.queues),
            stored: Mixed::default(),
            classes: Mixed::default(),
        }
    }

    /// Stores an end before its first step, after what it does at once.
    pub(super) fn first(&mut self, mut end: End, notes: &mut Observations) -> Taken<'a> {
        let aborted = end.settle(self.cuts, notes);
        Taken { end: self.store(end), pieces: self.queues.empty, aborted }
    }

    /// Takes a step from `from`, with everything that the end then does at once. `input` is what it reads. Only the first
    /// time adds to `notes`.
    pub(super) fn take(
        &mut self,
        from: EndState<'a>,
        step: LocalStep,
        input: Option<&Queue>,
        notes: &mut Observations,
    ) -> Result<Taken<'a>, ExplorerBreach> {
        let key = (step.code(), input.map_or(0, |input| input.number));
        if let Some(taken) = from.result(key) {
            return Ok(taken);
        }
        let mut end = from.end().clone();
        let pieces = end.take(step, input.map_or(&[], |input| &input.pieces), notes)?;
        let aborted = end.settle(self.cuts, notes);
        if self.is_observed {
            notes.add(Pairs::take());
        }
        let taken = Taken { end: self.store(end), pieces: self.queues.store(pieces), aborted };
        let results = &mut *from.results.borrow_mut();
        results.keys.push(key);
        results.results.push(taken);
        Ok(taken)
    }

    fn store(&mut self, end: End) -> EndState<'a> {
        let hash = identity(&end);
        let everything = identity(&(hash, end.not_hashed()));
        if let Some(known) = self.stored.get(&everything) {
            return *known;
        }
        let class = u32::try_from(self.classes.len()).expect("memory does not hold so many ends");
        let class = *self.classes.entry(hash).or_insert(class);
        let (is_here, drops) = (end.is_here(), end.connection.machine().is_discarding());
        let stored = self.arena.add(StoredEnd {
            writes: reaches(&end.outgoing).collect(),
            fin_due: end.fin_due,
            may_fail_to_write: !end.outgoing.is_empty() && !end.connection.is_write_closed(),
            write_closed: end.connection.is_write_closed(),
            wants_input: end.connection.wants_input(),
            awaits_quiet: end.connection.awaits_quiet(),
            deadlines: end.connection.running_deadlines().collect(),
            answers: Answer::all(&end).collect(),
            results: RefCell::default(),
            noted: Cell::new(false),
            breach: (self.check)(&end).err().map(Box::new),
            end: Box::new(end),
        });
        let state = EndState { class, is_here, drops, stored };
        self.stored.insert(everything, state);
        state
    }
}

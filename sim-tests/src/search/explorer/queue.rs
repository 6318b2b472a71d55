//! Sequences of pieces. Each is stored once and has a number, so states share them and compare them by number.

use super::arena::Arena;
use super::hash::Numbers;
use super::unit::{Piece, Reach, reaches};
use std::collections::HashMap;

/// A stored sequence of pieces.
#[derive(Debug)]
pub(super) struct Queue {
    /// Two queues of a search have the same number only if they have the same pieces.
    pub(super) number: u32,
    pub(super) pieces: Vec<Piece>,
    /// How far a read of it can go.
    pub(super) reaches: Vec<(Reach, u16)>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// All queues of a search, and the results of joining and splitting them. The maps are only queried, never listed.
pub(super) struct Queues<'a> {
    stored: StoredQueues<'a>,
    joined: Numbers<(u32, u32), &'a Queue>,
    split: Numbers<(u32, u16), (&'a Queue, &'a Queue)>,
    pub(super) empty: &'a Queue,
    /// One piece that will not be read.
    pub(super) junk: &'a Queue,
}

/// Where the queues are, and each by its pieces.
struct StoredQueues<'a> {
    arena: &'a Arena<Queue>,
    by_pieces: HashMap<&'a [Piece], &'a Queue>,
}

impl<'a> Queues<'a> {
    pub(super) fn new(arena: &'a Arena<Queue>) -> Self {
        let mut stored = StoredQueues { arena, by_pieces: HashMap::new() };
        let empty = stored.store(Vec::new());
        let junk = stored.store(vec![Piece::junk()]);
        Self { stored, joined: Numbers::default(), split: Numbers::default(), empty, junk }
    }

    pub(super) fn store(&mut self, pieces: Vec<Piece>) -> &'a Queue {
        if pieces.is_empty() { self.empty } else { self.stored.store(pieces) }
    }

    /// Returns the pieces of `front` and then those of `back`.
    pub(super) fn join(&mut self, front: &'a Queue, back: &'a Queue) -> &'a Queue {
        if front.is_empty() {
            return back;
        }
        let stored = &mut self.stored;
        let join = || stored.store([front.pieces.as_slice(), &back.pieces].concat());
        self.joined.entry((front.number, back.number)).or_insert_with(join)
    }

    /// Returns the first `count` pieces of `queue`, and the others.
    pub(super) fn split(&mut self, queue: &Queue, count: u16) -> (&'a Queue, &'a Queue) {
        let stored = &mut self.stored;
        let split = || {
            let (front, back) = queue.pieces.split_at(count.into());
            (stored.store(front.to_vec()), stored.store(back.to_vec()))
        };
        *self.split.entry((queue.number, count)).or_insert_with(split)
    }
}

impl<'a> StoredQueues<'a> {
    fn store(&mut self, pieces: Vec<Piece>) -> &'a Queue {
        if let Some(queue) = self.by_pieces.get(pieces.as_slice()) {
            return queue;
        }
        let number = u32::try_from(self.by_pieces.len()).expect("memory does not hold so many queues");
        let reaches = reaches(&pieces).collect();
        let queue = self.arena.add(Queue { number, pieces, reaches });
        self.by_pieces.insert(&queue.pieces, queue);
        queue
    }
}

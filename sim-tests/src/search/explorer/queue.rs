//! Sequences of pieces. Each is stored once and has a number, so states share them and compare them by number.

use super::hash::Numbers;
use super::unit::{Piece, Reach, reaches};
use std::collections::HashMap;
use std::rc::Rc;

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
#[derive(Debug)]
pub(super) struct Queues {
    stored: HashMap<Vec<Piece>, Rc<Queue>>,
    joined: Numbers<(u32, u32), Rc<Queue>>,
    split: Numbers<(u32, u16), (Rc<Queue>, Rc<Queue>)>,
    pub(super) empty: Rc<Queue>,
    /// One piece that will not be read.
    pub(super) junk: Rc<Queue>,
}

impl Queues {
    pub(super) fn new() -> Self {
        let mut stored = HashMap::new();
        let empty = store(&mut stored, Vec::new());
        let junk = store(&mut stored, vec![Piece::junk()]);
        Self { stored, joined: Numbers::default(), split: Numbers::default(), empty, junk }
    }

    pub(super) fn store(&mut self, pieces: Vec<Piece>) -> Rc<Queue> {
        if pieces.is_empty() {
            return Rc::clone(&self.empty);
        }
        store(&mut self.stored, pieces)
    }

    /// Returns the pieces of `front` and then those of `back`.
    pub(super) fn join(&mut self, front: &Rc<Queue>, back: &Rc<Queue>) -> Rc<Queue> {
        if front.is_empty() {
            return Rc::clone(back);
        }
        let stored = &mut self.stored;
        let join = || store(stored, [front.pieces.as_slice(), &back.pieces].concat());
        Rc::clone(self.joined.entry((front.number, back.number)).or_insert_with(join))
    }

    /// Returns the first `count` pieces of `queue`, and the others.
    pub(super) fn split(&mut self, queue: &Queue, count: u16) -> (Rc<Queue>, Rc<Queue>) {
        let stored = &mut self.stored;
        let split = || {
            let (front, back) = queue.pieces.split_at(count.into());
            (store(stored, front.to_vec()), store(stored, back.to_vec()))
        };
        self.split.entry((queue.number, count)).or_insert_with(split).clone()
    }
}

fn store(stored: &mut HashMap<Vec<Piece>, Rc<Queue>>, pieces: Vec<Piece>) -> Rc<Queue> {
    if let Some(queue) = stored.get(&pieces) {
        return Rc::clone(queue);
    }
    let number = u32::try_from(stored.len()).expect("memory does not hold so many queues");
    let reaches = reaches(&pieces).collect();
    let queue = Rc::new(Queue { number, pieces: pieces.clone(), reaches });
    stored.insert(pieces, Rc::clone(&queue));
    queue
}

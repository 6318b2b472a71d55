//! An arena: values that stay where they are until all are dropped, so that states can refer to them without counting.

use std::cell::{Cell, OnceCell};

/// Values in chunks, each twice as large as the one before.
pub(super) struct Arena<T> {
    chunks: [OnceCell<Box<[OnceCell<T>]>>; usize::BITS as usize],
    len: Cell<usize>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { chunks: [const { OnceCell::new() }; usize::BITS as usize], len: Cell::new(0) }
    }
}

impl<T> Arena<T> {
    /// Adds a value, and returns where it stays.
    pub(super) fn add(&self, value: T) -> &T {
        let number = self.len.get() + 1;
        self.len.set(number);
        let (chunk, size) = (number.ilog2(), 1 << number.ilog2());
        let chunk = self.chunks[chunk as usize].get_or_init(|| (0..size).map(|_| OnceCell::new()).collect());
        chunk[number - size].get_or_init(|| value)
    }
}

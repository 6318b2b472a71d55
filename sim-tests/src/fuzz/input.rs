//! Interprets the bytes of a fuzzer as a sequence of choices.

use arbitrary::{Arbitrary, Unstructured};

/// Choices, taken from the front of the bytes. When the bytes are used up, every choice is the first one.
pub(super) struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the next `T`, or the default.
    pub(super) fn next<T: Arbitrary<'a> + Default>(&mut self) -> T {
        self.0.arbitrary().unwrap_or_default()
    }

    /// Returns a number below `count`, which is from 1 to 256.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.next::<u8>()) % count.max(1)
    }

    pub(super) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Returns one of `all`, which is not empty.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Returns the next `count` bytes, or as many as are left.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        self.0.bytes(count.min(self.0.len())).unwrap_or_default()
    }

    /// Returns all remaining bytes.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        self.take(self.0.len())
    }

    /// Returns up to eight sizes of pieces, each from 1 to 256 bytes.
    pub(super) fn cuts(&mut self) -> Cuts<'a> {
        let count = self.below(9);
        Cuts(self.take(count))
    }
}

/// Sizes of the pieces in which bytes arrive, used in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts<'a>(&'a [u8]);

impl<'a> Cuts<'a> {
    /// Returns `bytes` in pieces, or in one if there are no sizes.
    pub(super) fn of<'b>(self, bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'a, 'b> {
        let mut sizes = self.0.iter().cycle().map(|size| usize::from(*size) + 1);
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let size = sizes.next().unwrap_or(rest.len()).min(rest.len());
            let (piece, behind) = rest.split_at(size);
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

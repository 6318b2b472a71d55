//! The bytes of a fuzzer as a sequence of choices.

use arbitrary::{Arbitrary, Unstructured};

/// Choices, taken from the front of some bytes. When the bytes are used up every choice is the first one.
pub(super) struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `T`, or the first one.
    pub(super) fn next<T: Arbitrary<'a> + Default>(&mut self) -> T {
        self.0.arbitrary().unwrap_or_default()
    }

    /// A number below `count`, which is from 1 to 256.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.next::<u8>()) % count.max(1)
    }

    pub(super) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    /// One of `all`, which is not empty.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// The next `count` bytes, or as many as there are.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        self.0.bytes(count.min(self.0.len())).unwrap_or_default()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        self.take(self.0.len())
    }

    /// Up to eight sizes of pieces, each from 1 to 256 bytes.
    pub(super) fn cuts(&mut self) -> Cuts<'a> {
        let count = self.below(9);
        Cuts(self.take(count))
    }
}

/// Sizes of the pieces in which bytes come, used in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts<'a>(&'a [u8]);

impl<'a> Cuts<'a> {
    /// `bytes` in pieces; without sizes, in one.
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

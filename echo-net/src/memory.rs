//! How the connections of a server share its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a server's connections may own together: half of it in equal parts that nobody else can take, the other half
/// for whoever comes, as long as it leaves as much as it takes.
///
/// So a connection within its part always has room, and however many take all they can get, there is always
/// something left, though less and less.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// The part of each, in bytes.
    part: usize,
    /// The other half.
    common: usize,
    /// What is used of it.
    used: Arc<AtomicUsize>,
}

impl Memory {
    /// `limit` bytes for `connections` at once.
    pub(crate) fn new(limit: usize, connections: usize) -> Self {
        let part = limit / 2 / connections.max(1);
        Self { part, common: limit - part * connections, used: Arc::default() }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage(Some(Held { memory: self.clone(), beyond: 0 }))
    }
}

/// What one connection owns; given back when it is dropped. The default is counted nowhere and has no limit.
#[derive(Debug, Default)]
pub(crate) struct Usage(Option<Held>);

#[derive(Debug)]
struct Held {
    memory: Memory,
    /// What it owns beyond its part.
    beyond: usize,
}

impl Usage {
    /// It owns so many bytes now; whether that is all right. What it owned before stays all right.
    pub(crate) fn set(&mut self, owned: usize) -> bool {
        let Some(Held { memory, beyond }) = &mut self.0 else { return true };
        let before = std::mem::replace(beyond, owned.saturating_sub(memory.part));
        if *beyond <= before {
            if *beyond < before {
                memory.used.fetch_sub(before - *beyond, Ordering::Relaxed);
            }
            return true;
        }
        let others = memory.used.fetch_add(*beyond - before, Ordering::Relaxed) - before;
        *beyond <= memory.common.saturating_sub(others) / 2
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_always_there_and_the_rest_is_for_whoever_leaves_as_much() {
        let memory = Memory::new(1600, 8);
        assert_eq!((memory.part, memory.common), (100, 800));
        let mut greedy: Vec<Usage> = (0..8).map(|_| memory.usage()).collect();
        // Each takes all it can get: half of what is left, then half of that.
        for (number, most) in [400, 200, 100, 50, 25, 12, 6, 3].into_iter().enumerate() {
            assert!(greedy[number].set(100 + most), "{number}");
            assert!(!greedy[number].set(100 + most + 1), "{number}");
            assert!(greedy[number].set(100 + most), "what it gives back is its own affair");
        }
        assert_eq!(memory.used.load(Ordering::Relaxed), 796);
        greedy.clear();
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
        assert!(memory.usage().set(500));
    }

    #[test]
    fn no_limit_without_a_server() {
        assert!(Usage::default().set(usize::MAX));
    }
}

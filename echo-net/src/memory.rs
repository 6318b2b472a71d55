//! Shares a server's memory among its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory of a server's connections. One half is divided into equal parts, one for each connection. The other half
/// is shared: a connection may take at most as much of it as it leaves free.
///
/// So a connection within its part always has room. However many connections take all they can, some memory is always
/// left.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Each connection's part, in bytes.
    part: usize,
    /// The shared half, in bytes.
    common: usize,
    /// Bytes of the shared half in use.
    used: AtomicUsize,
}

impl Memory {
    /// Divides `limit` bytes among `connections`.
    pub(crate) fn new(limit: usize, connections: usize) -> Arc<Self> {
        let part = limit / 2 / connections.max(1);
        Arc::new(Self { part, common: limit - part * connections, used: AtomicUsize::new(0) })
    }

    /// Returns how many bytes of the shared half are in use, and how many there are.
    pub(crate) fn shared(&self) -> (usize, usize) {
        (self.used.load(Ordering::Relaxed), self.common)
    }

    pub(crate) fn usage(self: &Arc<Self>) -> Usage {
        Usage(Some(Held { memory: self.clone(), beyond: 0 }))
    }
}

/// The memory that one connection owns. Dropping it frees the memory. The default has no limit and counts nowhere.
#[derive(Debug, Default)]
pub(crate) struct Usage(Option<Held>);

#[derive(Debug)]
struct Held {
    memory: Arc<Memory>,
    /// Bytes it owns above its part.
    beyond: usize,
}

impl Usage {
    /// Sets the bytes that the connection owns. Returns whether that is allowed. As much as before, or less, is always allowed.
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
        // Each takes all it can: half of what is left, then half of that.
        for (number, most) in [400, 200, 100, 50, 25, 12, 6, 3].into_iter().enumerate() {
            assert!(greedy[number].set(100 + most), "{number}");
            assert!(!greedy[number].set(100 + most + 1), "{number}");
            assert!(greedy[number].set(100 + most), "a lower amount is always allowed");
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

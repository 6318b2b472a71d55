//! Threads for the connections of a server, each with a runtime of its own.

use std::fmt;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads with a runtime each, among which a server divides its connections in turn. So a connection stays on one
/// thread, and nothing but the limits and the report is shared.
///
/// The server's own task accepts. `SO_REUSEPORT` would let each thread accept for itself, but then the kernel divides
/// connections by a hash of their addresses: of eight on two threads, two or fewer are on one of them in 29 of 100
/// cases.
#[derive(Clone)]
pub struct Cores(Arc<Shared>);

struct Shared {
    handles: Vec<Handle>,
    next: AtomicUsize,
    /// Dropping them ends the threads.
    #[expect(dead_code, reason = "the threads wait for their end")]
    running: Vec<oneshot::Sender<()>>,
}

impl Cores {
    /// Starts `count` threads. They end when the last clone is dropped.
    ///
    /// # Errors
    /// The system allows no more threads or descriptors.
    pub fn start(count: NonZero<usize>) -> io::Result<Self> {
        let (mut handles, mut running) = (Vec::new(), Vec::new());
        for number in 0..count.get() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (keep, dropped) = oneshot::channel::<()>();
            handles.push(runtime.handle().clone());
            running.push(keep);
            thread::Builder::new().name(format!("core-{number}")).spawn(move || {
                // It never receives: the sender is dropped.
                let _ = runtime.block_on(dropped);
            })?;
        }
        Ok(Self(Arc::new(Shared { handles, next: AtomicUsize::new(0), running })))
    }

    /// Returns the number of threads.
    pub fn count(&self) -> usize {
        self.0.handles.len()
    }

    /// Returns the runtime for the next connection.
    pub(crate) fn next(&self) -> &Handle {
        let turn = self.0.next.fetch_add(1, Ordering::Relaxed);
        &self.0.handles[turn % self.0.handles.len()]
    }
}

impl fmt::Debug for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cores({})", self.count())
    }
}

//! The processes that hold the sockets of programs that crash.

use std::io;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The holders of one run that were killed and have not ended yet. The kernel closes their sockets only when they end,
/// so nothing may arrive before.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    count: Arc<AtomicUsize>,
    /// Notified when one has ended.
    ended: Arc<Notify>,
}

impl Ending {
    pub(super) fn new(ended: Arc<Notify>) -> Self {
        Self { count: Arc::default(), ended }
    }

    /// Returns whether a holder was killed and has not ended yet.
    pub(super) fn is_going_on(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }
}

/// A process that holds a socket. When it is dropped, it is killed by SIGKILL.
#[derive(Debug)]
pub(super) struct Holder {
    process: Option<Child>,
    ending: Ending,
}

impl Holder {
    /// Starts a process whose standard input is the socket. It takes some milliseconds, so another thread does it.
    pub(super) async fn start(stream: &TcpStream, ending: Ending) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        let start =
            move || Command::new("sleep").arg("600").stdin(socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = tokio::task::spawn_blocking(start).await??;
        Ok(Self { process: Some(process), ending })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let ending = self.ending.clone();
        ending.count.fetch_add(1, Ordering::AcqRel);
        // Both fail only if the process has ended, and then its socket is closed, too.
        let _ = process.kill();
        // A thread of its own, because all other runs go on.
        std::thread::spawn(move || {
            let _ = process.wait();
            ending.count.fetch_sub(1, Ordering::AcqRel);
            ending.ended.notify_one();
        });
    }
}

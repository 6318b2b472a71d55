//! The standard streams as file descriptors, without std's buffers.
//!
//! Other processes share the open file description, and may have made it non-blocking. These streams do not change it:
//! if a call would block, they wait.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::io::Errno;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

/// Maximum time that an output that takes nothing delays the end.
pub(crate) const STALLED: Duration = Duration::from_secs(1);

/// Standard output or standard error.
#[derive(Debug)]
pub(crate) struct StandardStream(BorrowedFd<'static>);

impl StandardStream {
    pub(crate) fn stdout() -> Self {
        Self(rustix::stdio::stdout())
    }

    pub(crate) fn stderr() -> Self {
        Self(rustix::stdio::stderr())
    }

    /// Writes in a thread, because a write can block without end. All calls together wait at most [`STALLED`]. Errors
    /// are ignored.
    pub(crate) fn write_in_time(self, bytes: &[u8]) {
        let mut stream = Self(self.0);
        let within = if self.has_stalled().load(Ordering::Relaxed) { Duration::ZERO } else { STALLED };
        let (done, written) = mpsc::channel();
        let owned = bytes.to_vec();
        let writing = Builder::new().spawn(move || {
            let _ = stream.write_all(&owned);
            let _ = done.send(());
        });
        match writing {
            Ok(_) if written.recv_timeout(within) == Err(mpsc::RecvTimeoutError::Timeout) => {
                self.has_stalled().store(true, Ordering::Relaxed);
            }
            Ok(_) => (),
            // Without a thread it is better to block than to print nothing.
            Err(_) => {
                let _ = Self(self.0).write_all(bytes);
            }
        }
    }
}

impl StandardStream {
    /// Notes that the terminal takes nothing: later writes to it do not wait.
    pub(crate) fn terminal_has_stalled() {
        for stream in [Self::stdout(), Self::stderr()] {
            if rustix::termios::isatty(stream.0) {
                stream.has_stalled().store(true, Ordering::Relaxed);
            }
        }
    }

    fn has_stalled(&self) -> &'static AtomicBool {
        static STDOUT: AtomicBool = AtomicBool::new(false);
        static STDERR: AtomicBool = AtomicBool::new(false);
        if self.0.as_raw_fd() == rustix::stdio::stdout().as_raw_fd() { &STDOUT } else { &STDERR }
    }
}

impl Write for StandardStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.0, bytes) {
                Err(Errno::AGAIN) => wait(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?,
                Err(error) => return Err(error.into()),
                Ok(count) => return Ok(count),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An input that reads until its end, or until [`Stop`] is dropped.
#[derive(Debug)]
pub(crate) struct StandardInput<F = BorrowedFd<'static>> {
    input: F,
    stopped: PipeReader,
}

/// Stops reads of [`StandardInput`] when it is dropped.
#[derive(Debug)]
pub(crate) struct Stop(#[expect(dead_code, reason = "dropping it stops the reads")] PipeWriter);

/// Error kind of a read without input after the stop.
const STOPPED: io::ErrorKind = io::ErrorKind::TimedOut;

impl StandardInput {
    pub(crate) fn open() -> io::Result<(Self, Stop)> {
        Self::of(rustix::stdio::stdin())
    }
}

impl<F: AsFd> StandardInput<F> {
    pub(crate) fn of(input: F) -> io::Result<(Self, Stop)> {
        let (stopped, stop) = io::pipe()?;
        Ok((Self { input, stopped }, Stop(stop)))
    }
}

/// Returns whether a read of [`StandardInput`] failed because it was stopped.
pub(crate) fn was_stopped(error: &io::Error) -> bool {
    error.kind() == STOPPED
}

/// Readiness of an input and an output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) input: bool,
    pub(crate) stopped: bool,
    pub(crate) output: bool,
}

impl<F: AsFd> StandardInput<F> {
    /// Waits until there is input, until it is stopped, or until the output, if any, takes bytes.
    pub(crate) fn wait(&self, output: Option<&impl AsFd>) -> io::Result<Ready> {
        let mut all = vec![PollFd::new(&self.input, PollFlags::IN), PollFd::new(&self.stopped, PollFlags::IN)];
        all.extend(output.map(|output| PollFd::new(output, PollFlags::OUT)));
        wait(&mut all, None)?;
        let is_ready = |index: usize| all.get(index).is_some_and(|one| !one.revents().is_empty());
        Ok(Ready { input: is_ready(0), stopped: is_ready(1), output: is_ready(2) })
    }
}

impl<F: AsFd> Read for StandardInput<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut both = [PollFd::new(&self.input, PollFlags::IN), PollFd::new(&self.stopped, PollFlags::IN)];
            wait(&mut both, None)?;
            let [ready, stopped] = both.map(|one| !one.revents().is_empty());
            if ready {
                match rustix::io::read(&self.input, &mut *buffer) {
                    // Another process read the input first.
                    Err(Errno::AGAIN | Errno::INTR) => (),
                    Err(error) => return Err(error.into()),
                    Ok(count) => return Ok(count),
                }
            } else if stopped {
                return Err(STOPPED.into());
            }
        }
    }
}

/// Waits until `output` takes bytes; once the input is stopped, at most [`STALLED`]. Returns whether it takes bytes.
pub(crate) fn wait_to_write<F: AsFd>(output: &impl AsFd, input: &StandardInput<F>) -> bool {
    let mut both = [PollFd::new(output, PollFlags::OUT), PollFd::new(&input.stopped, PollFlags::IN)];
    if wait(&mut both, None).is_err() {
        return false;
    }
    let [ready, stopped] = both.map(|one| !one.revents().is_empty());
    let mut output = [PollFd::new(output, PollFlags::OUT)];
    if !ready && stopped && wait(&mut output, Some(STALLED)).is_err() {
        return false;
    }
    ready || !stopped || !output[0].revents().is_empty()
}

fn wait(what: &mut [PollFd<'_>], within: Option<Duration>) -> io::Result<()> {
    let within = within.and_then(|within| Timespec::try_from(within).ok());
    match poll(what, within.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

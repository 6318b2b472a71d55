//! The standard streams as descriptors, without std's buffers.
//!
//! A description is shared with whoever started the program, and any of them may have made it non-blocking. It is left
//! as it is: where a call would block, these wait.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::io::{self, PipeReader, PipeWriter, Read, Write};

/// A standard stream to write to.
#[derive(Debug)]
pub(crate) struct StandardStream<F>(F);

impl StandardStream<rustix::fd::BorrowedFd<'static>> {
    pub(crate) fn stdout() -> Self {
        Self(rustix::stdio::stdout())
    }

    pub(crate) fn stderr() -> Self {
        Self(rustix::stdio::stderr())
    }
}

impl<F: AsFd> Write for StandardStream<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.0, bytes) {
                Err(Errno::AGAIN) => wait(&mut [PollFd::new(&self.0, PollFlags::OUT)])?,
                Err(error) => return Err(error.into()),
                Ok(count) => return Ok(count),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard input, until its end or until [`Stop`] is dropped.
#[derive(Debug)]
pub(crate) struct StandardInput {
    stopped: PipeReader,
}

/// As long as it lives, a read of [`StandardInput`] waits for input.
#[derive(Debug)]
pub(crate) struct Stop(#[expect(dead_code, reason = "its end is what is heard")] PipeWriter);

/// What a read gives when there is no input and nobody waits for it.
const STOPPED: io::ErrorKind = io::ErrorKind::TimedOut;

impl StandardInput {
    pub(crate) fn open() -> io::Result<(Self, Stop)> {
        let (stopped, stop) = io::pipe()?;
        Ok((Self { stopped }, Stop(stop)))
    }

    /// Whether a read failed because it was stopped.
    pub(crate) fn was_stopped(error: &io::Error) -> bool {
        error.kind() == STOPPED
    }
}

impl Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let input = rustix::stdio::stdin();
        loop {
            let mut both = [PollFd::new(&input, PollFlags::IN), PollFd::new(&self.stopped, PollFlags::IN)];
            wait(&mut both)?;
            let [ready, stopped] = both.map(|one| !one.revents().is_empty());
            if ready {
                match rustix::io::read(input, &mut *buffer) {
                    // Somebody else took what was there.
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

fn wait(what: &mut [PollFd<'_>]) -> io::Result<()> {
    match poll(what, None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

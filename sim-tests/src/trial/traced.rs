//! What a program sends to `tracing`, as lines of the log.

use super::note;
use super::run::TrialEvent;
use std::io;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;

/// Runs `code`, and adds its events up to `level` to the log of the side whose code it is.
pub(super) fn collect<T>(level: LevelFilter, code: impl FnOnce() -> T) -> T {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_writer(|| Lines)
        .finish();
    dispatcher::with_default(&Dispatch::new(subscriber), code)
}

/// Takes an event in one write.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        note::add(TrialEvent::Traced, &String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

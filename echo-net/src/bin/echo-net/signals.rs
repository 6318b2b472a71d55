//! Signals that ask the program to end: SIGINT, SIGTERM and SIGHUP. The first ends politely, the second aborts.

use crate::inherited::is_ignored;
use std::fmt;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A signal that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Hangup, Self::Interrupt, Self::Terminate];

    fn kind(self) -> SignalKind {
        match self {
            Self::Hangup => SignalKind::hangup(),
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
        }
    }

    /// Returns its number (signal(7)).
    pub(crate) fn number(self) -> i32 {
        self.kind().as_raw_value()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The signals received so far, in order. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Signals(watch::Receiver<Vec<Signal>>);

impl Signals {
    /// Begins to listen. An ignored signal stays ignored.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn listen() -> io::Result<Self> {
        let (seen, signals) = watch::channel(Vec::new());
        for which in Signal::ALL.into_iter().filter(|which| !is_ignored(which.number())) {
            let mut stream = signal(which.kind())?;
            let seen = seen.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    seen.send_modify(|seen| seen.push(which));
                }
            });
        }
        Ok(Self(signals))
    }

    /// Waits until `count` signals were received. Returns the first of them.
    pub(crate) async fn reached(&self, count: usize) -> Signal {
        let mut signals = self.0.clone();
        let first = signals.wait_for(|seen| seen.len() >= count).await.map(|seen| seen[0]);
        match first {
            Ok(first) => first,
            // All signals are ignored: none will arrive.
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns the first signal received.
    pub(crate) fn first(&self) -> Option<Signal> {
        self.0.borrow().first().copied()
    }
}

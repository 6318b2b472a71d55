//! The clock of a host, which can go on while nothing happens.

use crate::support::Millis;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, advance};

/// The simulation's end of a host's clock.
#[derive(Debug)]
pub(super) struct HostClock {
    /// The host's time when it was started.
    begun: Arc<OnceLock<Instant>>,
    jumps: mpsc::UnboundedSender<Duration>,
}

/// The host's end.
#[derive(Debug)]
pub(super) struct Jumps {
    begun: Arc<OnceLock<Instant>>,
    spans: mpsc::UnboundedReceiver<Duration>,
}

impl HostClock {
    pub(super) fn new() -> (Self, Jumps) {
        let begun = Arc::new(OnceLock::new());
        let (jumps, spans) = mpsc::unbounded_channel();
        (Self { begun: Arc::clone(&begun), jumps }, Jumps { begun, spans })
    }

    /// Lets the next step take `span` milliseconds.
    pub(super) fn jump(&self, span: Millis) {
        // A host that has crashed has no clock.
        let _ = self.jumps.send(Duration::from_millis(span));
    }

    /// Returns how many whole milliseconds there are until `alarm`, `elapsed` milliseconds after the start.
    pub(super) fn until(&self, alarm: Instant, elapsed: Millis) -> Millis {
        let Some(begun) = self.begun.get() else { return 0 };
        let alarm = alarm.saturating_duration_since(*begun).as_millis();
        Millis::try_from(alarm).unwrap_or(Millis::MAX).saturating_sub(elapsed)
    }
}

impl Jumps {
    /// Begins to keep the host's time. It has to be the first that runs on the host.
    pub(super) fn begin(self) {
        // The host starts only once.
        let _ = self.begun.set(Instant::now());
        tokio::task::spawn_local(self.follow());
    }

    async fn follow(mut self) {
        while let Some(span) = self.spans.recv().await {
            advance(span).await;
        }
    }
}

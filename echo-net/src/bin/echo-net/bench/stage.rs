//! The stages of a run: warm-up, measurement, end.

use super::plan::Plan;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    WarmUp,
    Measuring,
    Done,
}

/// What all threads share.
#[derive(Debug)]
pub(super) struct Run {
    stage: AtomicU8,
    /// Wakes conversations that wait when the run is done.
    done: Notify,
    /// Answers, or conversations, so far, for the progress line.
    pub(super) count: AtomicU64,
    /// When measuring began and ended.
    from: OnceLock<Instant>,
    until: OnceLock<Instant>,
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            stage: AtomicU8::new(0),
            done: Notify::new(),
            count: AtomicU64::new(0),
            from: OnceLock::new(),
            until: OnceLock::new(),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::WarmUp,
            1 => Stage::Measuring,
            _ => Stage::Done,
        }
    }

    /// Goes through the stages. With `shows_progress` a line on standard error tells the rate once a second.
    pub(super) async fn pass(&self, plan: &Plan, shows_progress: bool) {
        let begin = Instant::now();
        let measuring = begin + plan.warm_up;
        let progress = async {
            if shows_progress {
                self.show_progress(begin, plan.warm_up + plan.time).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let stages = async {
            sleep_until(measuring).await;
            self.from.get_or_init(Instant::now);
            self.stage.store(1, Ordering::Release);
            sleep_until(measuring + plan.time).await;
        };
        tokio::select! { biased;
            () = stages => (),
            () = progress => (),
        }
        if shows_progress {
            eprint!("\r{:60}\r", "");
        }
    }

    /// Ends the run.
    pub(super) fn finish(&self) {
        self.until.get_or_init(Instant::now);
        self.stage.store(2, Ordering::Release);
        self.done.notify_waiters();
    }

    /// Waits for the end of the run.
    pub(super) async fn is_done(&self) {
        loop {
            let done = self.done.notified();
            if self.stage() == Stage::Done {
                return;
            }
            done.await;
        }
    }

    /// Returns how many seconds were measured.
    pub(super) fn measured(&self) -> f64 {
        match (self.from.get(), self.until.get()) {
            (Some(from), Some(until)) => (*until - *from).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// Returns whether `moment` is in the time that is measured.
    pub(super) fn measures(&self, moment: Instant) -> bool {
        self.from.get().is_some_and(|from| *from <= moment) && self.until.get().is_none_or(|until| moment < *until)
    }

    async fn show_progress(&self, begin: Instant, whole: Duration) {
        const SECOND: Duration = Duration::from_secs(1);
        let mut ticks = interval_at(begin + SECOND, SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut before = 0;
        loop {
            ticks.tick().await;
            let count = self.count.load(Ordering::Relaxed);
            let (now, rate) = (begin.elapsed().as_secs(), count - before);
            before = count;
            let stage = if self.stage() == Stage::WarmUp { " (warm-up)" } else { "" };
            eprint!("\r{now} s of {}: {rate}/s{stage}   ", whole.as_secs());
            // It is only progress.
            let _ = std::io::stderr().flush();
        }
    }
}

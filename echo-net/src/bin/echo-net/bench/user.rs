//! The user of one conversation: sends requests at its pace, and measures the answers.

use super::csv::Rows;
use super::plan::{Pace, Plan};
use super::results::Results;
use super::stage::{Run, Stage};
use echo_net::Exchange;
use echo_net::echo_core::Reply;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until};

/// tokio's timers are this coarse. What is due sooner is waited for in a loop.
const TIMER: Duration = Duration::from_millis(2);

pub(super) struct User {
    plan: Arc<Plan>,
    run: Arc<Run>,
    /// Shared by the conversations of a thread.
    results: Rc<RefCell<Results>>,
    rows: Option<Rows>,
    /// Becomes ready when the run is done.
    done: Pin<Box<dyn Future<Output = ()>>>,
    unanswered: usize,
    /// When each unanswered request was sent, or should have been. Empty if the stamps tell it.
    begun: VecDeque<Instant>,
    schedule: Option<Schedule>,
    /// Requests so far.
    asked: u64,
    /// Answers since the progress was last counted.
    uncounted: u64,
    /// The begin of an answer on the plain wire.
    line: Vec<u8>,
}

/// When requests are due, at a rate.
struct Schedule {
    next: Instant,
    every: Duration,
    timer: Pin<Box<Sleep>>,
    /// Lets the runtime look for input between two looks at the clock.
    turn: Pin<Box<dyn Future<Output = ()>>>,
}

impl User {
    pub(super) fn new(
        plan: &Arc<Plan>,
        run: &Arc<Run>,
        results: &Rc<RefCell<Results>>,
        connection: usize,
        rows: Option<Rows>,
    ) -> Self {
        let schedule = match plan.pace {
            Pace::Open { rate } => Some(Schedule::new(rate, plan.connections, connection)),
            Pace::Closed { .. } | Pace::Short => None,
        };
        let done = {
            let run = run.clone();
            Box::pin(async move { run.is_done().await })
        };
        Self {
            plan: plan.clone(),
            run: run.clone(),
            results: results.clone(),
            rows,
            done,
            unanswered: 0,
            begun: VecDeque::new(),
            schedule,
            asked: 0,
            uncounted: 0,
            line: Vec::new(),
        }
    }

    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Returns whether a request is due, and since when if that is to be measured.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_due = match self.plan.pace {
            Pace::Closed { unanswered } => self.unanswered < unanswered,
            Pace::Short => self.asked == 0,
            Pace::Open { .. } => {
                let Some(schedule) = &mut self.schedule else { return Poll::Pending };
                let due = std::task::ready!(schedule.poll_due(cx));
                self.begun.push_back(due);
                return Poll::Ready(());
            }
        };
        if !is_due {
            return Poll::Pending;
        }
        if self.plan.is_plain {
            self.begun.push_back(Instant::now());
        }
        Poll::Ready(())
    }

    /// Adds the answers since the last call to the progress. They are gathered, because threads share the count.
    fn count(&mut self) {
        if self.plan.pace != Pace::Short && self.uncounted > 0 {
            self.run.count.fetch_add(std::mem::take(&mut self.uncounted), Ordering::Relaxed);
        }
    }

    /// Notes an answer that came now; on the plain wire without its stamps.
    fn note_answer(&mut self, answer: Option<&Reply<'_>>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.uncounted += 1;
        let begun = self.begun.pop_front();
        // At a rate those count that were due in the time, whenever they are answered: a stall at the end counts, too.
        let is_measured = match (&self.schedule, begun) {
            (Some(_), Some(due)) => self.run.measures(due),
            (Some(_), None) | (None, _) => self.run.stage() == Stage::Measuring,
        };
        if !is_measured {
            return;
        }
        let mut results = self.results.borrow_mut();
        let waited = begun.map(|begun| i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX));
        let is_counted = self.plan.pace != Pace::Short;
        results.count += u64::from(is_counted);
        if let Some(waited) = waited {
            results.latency.add(waited);
        }
        let Some(answer) = answer else { return };
        let stamps = &answer.stamps;
        let round_trip = stamps.t4.0.saturating_sub(stamps.t1.0);
        // Without another measure it is the latency.
        let is_latency = is_counted && waited.is_none();
        if is_latency { &mut results.latency } else { &mut results.round_trip }.add(round_trip);
        results.add_stamps(stamps);
        if let Some(rows) = &mut self.rows {
            rows.add(answer.seq, stamps);
        }
    }
}

impl Exchange for User {
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<&[u8]>> {
        let is_over = match (&self.schedule, self.run.stage()) {
            (Some(schedule), Stage::Done) => !self.run.measures(schedule.next),
            (None, Stage::Done) => true,
            (_, Stage::WarmUp | Stage::Measuring) => self.plan.pace == Pace::Short && self.asked > 0,
        };
        if is_over {
            self.count();
            return Poll::Ready(None);
        }
        if self.poll_due(cx).is_ready() {
            self.unanswered += 1;
            self.asked += 1;
            return Poll::Ready(Some(&self.plan.payload));
        }
        self.count();
        match self.done.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn on_answer(&mut self, answer: Reply<'_>) {
        if answer.payload != self.plan.payload {
            self.results.borrow_mut().add_changed();
        }
        self.note_answer(Some(&answer));
    }

    fn on_text(&mut self, text: &[u8]) {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            if !part.ends_with(b"\n") {
                self.line.extend_from_slice(part);
                continue;
            }
            // The time is before the message.
            let is_same = if self.line.is_empty() {
                part.ends_with(&self.plan.payload)
            } else {
                self.line.extend_from_slice(part);
                std::mem::take(&mut self.line).ends_with(&self.plan.payload)
            };
            if !is_same {
                self.results.borrow_mut().add_changed();
            }
            self.note_answer(None);
        }
    }
}

impl Schedule {
    /// The connections take turns.
    fn new(rate: usize, connections: usize, connection: usize) -> Self {
        let every = Duration::from_secs_f64(connections as f64 / rate as f64);
        let next = Instant::now() + every.mul_f64(connection as f64 / connections as f64);
        Self { next, every, timer: Box::pin(sleep_until(next)), turn: Box::pin(yield_now()) }
    }

    /// Returns when the next request should be sent, once that moment has come.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let now = Instant::now();
        if self.next <= now {
            let due = self.next;
            self.next += self.every;
            return Poll::Ready(due);
        }
        if self.next - now > TIMER {
            self.timer.as_mut().reset(self.next - TIMER);
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        if self.turn.as_mut().poll(cx).is_ready() {
            self.turn = Box::pin(yield_now());
            // The first poll of a turn wakes the task when the runtime has looked.
            let _ = self.turn.as_mut().poll(cx);
        }
        Poll::Pending
    }
}

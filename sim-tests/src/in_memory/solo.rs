//! One connection, and a transport that takes everything at once unless it is stalled.

use super::raw::{CLOSE, EPOCH, frames};
use echo_core::close::HalfState;
use echo_core::{Config, Connection, Event, Outcome, Output};
use std::time::Duration;

/// The largest number of calls for one event. A correct connection needs fewer; more means that it spins.
pub(super) const SPINNING: usize = 100_000;

/// An owned copy of an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// [`Event::Greeted`], with the version.
    Greeted(u8),
    /// [`Event::Request`], with its number and payload.
    Request(u64, Vec<u8>),
    /// [`Event::Reply`], with its number and payload.
    Reply(u64, Vec<u8>),
    /// [`Event::Failed`], with its number, the code and the reason.
    Failed(u64, u16, String),
    /// [`Event::Text`].
    Text(Vec<u8>),
    /// [`Event::Leaving`], with the close code.
    Leaving(u16),
    /// [`Event::Close`], with the close code.
    Close(u16),
    /// [`Event::Discarded`].
    Discarded,
}

impl Seen {
    fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Greeted { version } => Self::Greeted(*version),
            Event::Request { seq, payload } => Self::Request(*seq, payload.to_vec()),
            Event::Reply(reply) => Self::Reply(reply.seq, reply.payload.to_vec()),
            Event::Failed { seq, failure, .. } => Self::Failed(*seq, failure.code.0, failure.text.clone()),
            Event::Text(text) => Self::Text(text.to_vec()),
            Event::Leaving(close_reason) => Self::Leaving(close_reason.code.0),
            Event::Close(close_reason) => Self::Close(close_reason.code.0),
            Event::Discarded => Self::Discarded,
        }
    }
}

/// One connection and its transport, which takes everything at once unless it is stalled.
#[derive(Debug)]
pub struct Solo {
    /// The connection.
    pub connection: Connection,
    /// Virtual time since the connection began.
    pub now: Duration,
    /// All bytes ever sent.
    pub sent: Vec<u8>,
    /// Every event, in order.
    pub seen: Vec<Seen>,
    /// The time at which FIN was sent.
    pub fin: Option<Duration>,
    /// Whether it aborted, without FIN.
    pub aborted: bool,
    /// Its outcome.
    pub outcome: Option<Outcome>,
    /// The time at which it ended.
    pub ended: Option<Duration>,
    /// Whether the transport takes nothing at present.
    pub stalled: bool,
    /// The time at which the ending began.
    pub ending: Option<Duration>,
    /// All bytes ever received.
    pub came: Vec<u8>,
    /// The number of bytes sent when its sending half was no longer open or leaving: its CLOSE was due, or its FIN.
    pub closed_at: Option<usize>,
    /// Whether its CLOSE had been sent when the peer's arrived.
    pub was_closed_first: bool,
    /// Received bytes that are not yet processed.
    pending: Vec<u8>,
    fin_pending: bool,
}

impl Solo {
    /// Starts `connection`.
    pub fn new(connection: Connection) -> Self {
        let mut solo = Self {
            connection,
            now: Duration::ZERO,
            sent: Vec::new(),
            seen: Vec::new(),
            fin: None,
            aborted: false,
            outcome: None,
            ended: None,
            stalled: false,
            ending: None,
            came: Vec::new(),
            closed_at: None,
            was_closed_first: false,
            pending: Vec::new(),
            fin_pending: false,
        };
        solo.pump();
        solo
    }

    /// Creates a server with the default configuration.
    pub fn server() -> Self {
        Self::new(Connection::server(Config::default(), EPOCH))
    }

    /// Creates a client on the framed wire with the default configuration.
    pub fn client() -> Self {
        Self::new(Connection::client(Config::default(), EPOCH))
    }

    /// Receives bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.came.extend_from_slice(bytes);
        self.pending.extend_from_slice(bytes);
        self.settle();
    }

    /// Receives bytes one by one.
    pub fn feed_slowly(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.feed(&[*byte]);
        }
    }

    /// Receives FIN.
    pub fn feed_fin(&mut self) {
        self.fin_pending = true;
        self.settle();
    }

    /// Receives RST. Unprocessed input is lost.
    pub fn reset(&mut self) {
        self.pending.clear();
        self.connection.handle_reset(self.now);
        self.settle();
    }

    /// Calls `wish`, the user's command, on the connection.
    pub fn wish(&mut self, wish: impl FnOnce(&mut Connection, Duration)) {
        wish(&mut self.connection, self.now);
        self.settle();
    }

    /// Advances time to `to`, stopping at each deadline before.
    pub fn advance_to(&mut self, to: Duration) {
        for _ in 0..SPINNING {
            match self.connection.next_time().filter(|at| *at <= to && self.outcome.is_none()) {
                Some(at) => self.tick(at.max(self.now)),
                None => return self.tick(to),
            }
        }
        panic!("time does not pass");
    }

    /// Advances time by `by`.
    pub fn advance(&mut self, by: Duration) {
        self.advance_to(self.now + by);
    }

    /// Advances time until the connection ends, without further input. Returns the outcome.
    pub fn wait_for_end(&mut self) -> Outcome {
        for _ in 0..SPINNING {
            if let Some(outcome) = &self.outcome {
                return outcome.clone();
            }
            let at = self.connection.next_time().expect("who has not ended waits for a deadline");
            self.tick(at.max(self.now));
        }
        panic!("no end");
    }

    fn tick(&mut self, now: Duration) {
        self.now = now;
        self.connection.handle_time(now);
        self.see_cut_off();
        self.settle();
    }

    /// Processes input and output until neither makes progress.
    pub fn settle(&mut self) {
        for _ in 0..SPINNING {
            self.pump();
            let before = self.pending.len();
            self.take();
            if self.pending.len() == before {
                break;
            }
        }
        if self.fin_pending && self.pending.is_empty() && self.outcome.is_none() {
            self.fin_pending = false;
            self.connection.handle_fin(self.now);
            self.see_cut_off();
            self.pump();
        }
        if self.connection.machine().is_ending() {
            self.ending.get_or_insert(self.now);
        }
    }

    fn see_cut_off(&mut self) {
        while let Some((seq, message)) = self.connection.take_cut_off() {
            self.seen.push(Seen::Request(seq, message));
        }
    }

    fn take(&mut self) {
        let bytes = std::mem::take(&mut self.pending);
        let mut input = bytes.as_slice();
        let mut calls = 0;
        while let Some(event) = self.connection.handle_input(self.now, &mut input) {
            let seen = Seen::of(&event);
            if let Seen::Close(_) = seen {
                self.was_closed_first =
                    frames(self.sent.get(8..).unwrap_or_default()).iter().any(|frame| frame.0 == CLOSE);
            }
            self.seen.push(seen);
            calls += 1;
            assert!(calls < SPINNING, "input is offered again and again");
        }
        if self.outcome.is_none() {
            self.pending = input.to_vec();
        }
    }

    fn pump(&mut self) {
        if !matches!(self.connection.machine().sent(), HalfState::Open | HalfState::Leaving) {
            self.closed_at.get_or_insert(self.sent.len());
        }
        for _ in 0..SPINNING {
            match self.connection.poll_output(self.now) {
                Output::Transmit { .. } if self.stalled => return,
                Output::Transmit { header, payload } => {
                    assert!(!header.is_empty() || !payload.is_empty(), "nothing to send is not sent");
                    assert!(self.fin.is_none() && !self.aborted, "nothing is sent behind FIN");
                    self.sent.extend_from_slice(header);
                    self.sent.extend_from_slice(payload);
                    let count = header.len() + payload.len();
                    self.connection.handle_sent(self.now, count);
                }
                Output::Fin => {
                    assert!(self.fin.replace(self.now).is_none(), "one FIN");
                    self.connection.handle_fin_sent(self.now);
                }
                Output::Abort => {
                    self.aborted = true;
                    self.connection.handle_fin_sent(self.now);
                }
                Output::Wait(_) => return,
                Output::Ended(outcome) => {
                    self.outcome = Some(outcome);
                    self.ended.get_or_insert(self.now);
                    if self.fin.is_none() && !self.aborted {
                        // The transport sends FIN, unless it cannot any more.
                        self.fin = Some(self.now);
                    }
                    return;
                }
            }
        }
        panic!("output without end");
    }

    /// Returns the numbers of the requests delivered (server) or answers received (client), in order.
    pub fn numbers(&self) -> Vec<u64> {
        let number = |seen: &Seen| match seen {
            Seen::Request(seq, _) | Seen::Reply(seq, _) | Seen::Failed(seq, ..) => Some(*seq),
            Seen::Greeted(_) | Seen::Text(_) | Seen::Leaving(_) | Seen::Close(_) | Seen::Discarded => None,
        };
        self.seen.iter().filter_map(number).collect()
    }

    /// Returns the frames sent after the preface.
    pub fn frames(&self) -> Vec<(u8, u64, Vec<u8>)> {
        frames(self.sent.get(8..).unwrap_or_default())
    }

    /// Returns kind and number of each frame sent.
    pub fn frame_numbers(&self) -> Vec<(u8, u64)> {
        self.frames().into_iter().map(|(kind, seq, _)| (kind, seq)).collect()
    }
}

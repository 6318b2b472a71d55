//! Connections without a network: one fed by hand, or two wired together, in virtual time.

use echo_core::{Config, Connection, Event, Outcome, Output, Stamp};
use std::time::Duration;

/// No correct connection needs so many calls for one event; more means that it spins.
const SPINNING: usize = 100_000;

/// What an [`Event`] said, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Greeted(u8),
    Request(u64, Vec<u8>),
    Reply(u64, Vec<u8>),
    Text(Vec<u8>),
    Leaving(u16),
    LastWord(u16),
    Discarded,
}

impl Seen {
    fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Greeted { version } => Self::Greeted(*version),
            Event::Request { seq, payload } => Self::Request(*seq, payload.to_vec()),
            Event::Reply(reply) => Self::Reply(reply.seq, reply.payload.to_vec()),
            Event::Text(text) => Self::Text(text.to_vec()),
            Event::Leaving(farewell) => Self::Leaving(farewell.code.0),
            Event::LastWord(farewell) => Self::LastWord(farewell.code.0),
            Event::Discarded => Self::Discarded,
        }
    }
}

/// One connection and its transport, which takes everything at once unless it is stalled.
pub(crate) struct Solo {
    pub(crate) connection: Connection,
    pub(crate) now: Duration,
    /// All bytes ever sent.
    pub(crate) sent: Vec<u8>,
    pub(crate) seen: Vec<Seen>,
    /// FIN was sent at this moment.
    pub(crate) fin: Option<Duration>,
    pub(crate) aborted: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) ended: Option<Duration>,
    /// The transport takes nothing for now.
    pub(crate) stalled: bool,
    /// When the ending began.
    pub(crate) ending: Option<Duration>,
    /// What came and was not taken yet.
    pending: Vec<u8>,
    fin_pending: bool,
}

impl Solo {
    pub(crate) fn new(connection: Connection) -> Self {
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
            pending: Vec::new(),
            fin_pending: false,
        };
        solo.pump();
        solo
    }

    pub(crate) fn server() -> Self {
        Self::new(Connection::server(Config::default(), EPOCH))
    }

    pub(crate) fn client() -> Self {
        Self::new(Connection::client(Config::default(), EPOCH))
    }

    /// Bytes come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.settle();
    }

    /// Bytes come one by one.
    pub(crate) fn feed_slowly(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.feed(&[*byte]);
        }
    }

    /// FIN comes.
    pub(crate) fn feed_fin(&mut self) {
        self.fin_pending = true;
        self.settle();
    }

    pub(crate) fn reset(&mut self) {
        self.pending.clear();
        self.connection.handle_reset(self.now);
        self.settle();
    }

    /// Does what the user wants.
    pub(crate) fn wish(&mut self, wish: impl FnOnce(&mut Connection, Duration)) {
        wish(&mut self.connection, self.now);
        self.settle();
    }

    /// Lets time pass up to `to`, stopping at every deadline on the way.
    pub(crate) fn advance_to(&mut self, to: Duration) {
        for _ in 0..SPINNING {
            match self.connection.next_time().filter(|at| *at <= to && self.outcome.is_none()) {
                Some(at) => self.tick(at.max(self.now)),
                None => return self.tick(to),
            }
        }
        panic!("time does not pass");
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advance_to(self.now + by);
    }

    /// Nothing happens any more but deadlines; gives the outcome.
    pub(crate) fn wait_for_end(&mut self) -> Outcome {
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
        self.settle();
    }

    /// Takes input and gives output until neither goes on.
    pub(crate) fn settle(&mut self) {
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
            self.pump();
        }
        if self.connection.machine().is_ending() {
            self.ending.get_or_insert(self.now);
        }
    }

    fn take(&mut self) {
        let bytes = std::mem::take(&mut self.pending);
        let mut input = bytes.as_slice();
        let mut calls = 0;
        while let Some(event) = self.connection.handle_input(self.now, &mut input) {
            self.seen.push(Seen::of(&event));
            calls += 1;
            assert!(calls < SPINNING, "input is offered again and again");
        }
        if self.outcome.is_none() {
            self.pending = input.to_vec();
        }
    }

    fn pump(&mut self) {
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
                    // Who lets go of a transport without FIN cannot but reset it.
                    self.aborted |= self.fin.is_none();
                    return;
                }
            }
        }
        panic!("output without end");
    }

    /// The requests delivered (server) or answers held (client), in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let number = |seen: &Seen| match seen {
            Seen::Request(seq, _) | Seen::Reply(seq, _) => Some(*seq),
            Seen::Greeted(_) | Seen::Text(_) | Seen::Leaving(_) | Seen::LastWord(_) | Seen::Discarded => None,
        };
        self.seen.iter().filter_map(number).collect()
    }

    /// The frames sent behind the preface.
    pub(crate) fn frames(&self) -> Vec<(u8, u64, Vec<u8>)> {
        frames(self.sent.get(8..).unwrap_or_default())
    }

    /// Kind and number of every frame sent.
    pub(crate) fn words(&self) -> Vec<(u8, u64)> {
        self.frames().into_iter().map(|(kind, seq, _)| (kind, seq)).collect()
    }
}

/// 2026-11-23 08:16:00 UTC.
pub(crate) const EPOCH: Stamp = Stamp(1_795_421_760_000_000_000);

pub(crate) const ECHO: u8 = 1;
pub(crate) const REPLY: u8 = 2;
pub(crate) const GOAWAY: u8 = 3;
pub(crate) const CLOSE: u8 = 4;

pub(crate) const HELLO: [u8; 8] = *b"\x89ECHO\r\n\x01";
pub(crate) const WELCOME: [u8; 8] = *b"\x89echo\r\n\x01";

/// Frames taken apart by hand, so that a mistake of the decoder does not hide its own. An incomplete one is left out.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(u8, u64, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, s0, s1, s2, s3, s4, s5, s6, s7, rest @ ..] = bytes {
        let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        if rest.len() < len {
            break;
        }
        let seq = u64::from_be_bytes([*s0, *s1, *s2, *s3, *s4, *s5, *s6, *s7]);
        frames.push((*kind, seq, rest[..len].to_vec()));
        bytes = &rest[len..];
    }
    frames
}

/// A frame put together by hand.
pub(crate) fn raw(kind: u8, seq: u64, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("a short body").to_be_bytes();
    [&len[1..], &[kind], &seq.to_be_bytes(), body].concat()
}

pub(crate) fn raw_echo(seq: u64, payload: &[u8]) -> Vec<u8> {
    raw(ECHO, seq, &[&[0; 8][..], payload].concat())
}

pub(crate) fn raw_reply(seq: u64, payload: &[u8]) -> Vec<u8> {
    raw(REPLY, seq, &[&[0; 24][..], payload].concat())
}

/// GOAWAY or CLOSE.
pub(crate) fn raw_farewell(kind: u8, last: u64, code: u16, flags: u8, reason: &[u8]) -> Vec<u8> {
    raw(kind, last, &[&code.to_be_bytes()[..], &[flags], reason].concat())
}

/// A client and a server, and the two directions between them.
pub(crate) struct Pair {
    pub(crate) client: Solo,
    pub(crate) server: Solo,
    to_server: Way,
    to_client: Way,
}

/// How much of what one side sent has come to the other.
#[derive(Default)]
struct Way {
    carried: usize,
    over: bool,
}

impl Way {
    /// Carries up to `most` bytes, then FIN, or RST in its place.
    fn carry(&mut self, from: &Solo, to: &mut Solo, most: usize) -> bool {
        let end = from.sent.len().min(self.carried.saturating_add(most));
        if self.over || (self.carried == end && from.fin.is_none() && !from.aborted) {
            return false;
        }
        let bytes = &from.sent[self.carried..end];
        self.carried = end;
        if to.outcome.is_none() && !bytes.is_empty() {
            to.feed(bytes);
        } else if bytes.is_empty() {
            self.over = true;
            match (to.outcome.is_none(), from.aborted) {
                (true, true) => to.reset(),
                (true, false) => to.feed_fin(),
                (false, _) => (),
            }
        }
        true
    }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// Both sides with the same settings.
    pub(crate) fn with(config: Config) -> Self {
        Self::of(Connection::client(config, EPOCH), Connection::server(config, EPOCH))
    }

    pub(crate) fn of(client: Connection, server: Connection) -> Self {
        Self {
            client: Solo::new(client),
            server: Solo::new(server),
            to_server: Way::default(),
            to_client: Way::default(),
        }
    }

    pub(crate) fn carry_to_server(&mut self, most: usize) -> bool {
        self.to_server.carry(&self.client, &mut self.server, most)
    }

    pub(crate) fn carry_to_client(&mut self, most: usize) -> bool {
        self.to_client.carry(&self.server, &mut self.client, most)
    }

    /// Nothing of this side comes to the other any more; a relay says FIN in its place.
    pub(crate) fn cut_to_server(&mut self) {
        self.to_server.over = true;
        self.server.feed_fin();
    }

    pub(crate) fn cut_to_client(&mut self) {
        self.to_client.over = true;
        self.client.feed_fin();
    }

    /// Carries all there is, in pieces of `most` bytes, in turns.
    pub(crate) fn exchange(&mut self, most: usize) {
        loop {
            let there = self.carry_to_server(most);
            let back = self.carry_to_client(most);
            if !there && !back {
                break;
            }
        }
    }

    /// Lets time pass for both sides, up to and including the next deadline of either.
    pub(crate) fn step(&mut self) {
        let open = [&self.client, &self.server].into_iter().filter(|side| side.outcome.is_none());
        if let Some(at) = open.filter_map(|side| side.connection.next_time()).min() {
            self.advance_to(at);
        }
    }

    pub(crate) fn advance_to(&mut self, at: Duration) {
        let at = at.max(self.client.now).max(self.server.now);
        self.client.advance_to(at);
        self.server.advance_to(at);
    }

    /// Carries and waits until both sides have ended; gives both outcomes, the client's first.
    pub(crate) fn finish(&mut self, most: usize) -> (Outcome, Outcome) {
        for _ in 0..SPINNING {
            self.exchange(most);
            if let (Some(client), Some(server)) = (&self.client.outcome, &self.server.outcome) {
                return (client.clone(), server.clone());
            }
            self.step();
        }
        panic!("no end");
    }
}

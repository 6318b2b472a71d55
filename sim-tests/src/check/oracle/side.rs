//! A side: the facts that the contract depends on. What it wants, has sent and has received, its waits, and its
//! verdict.

use super::calls::Calls;
use super::message::{Close, Message, Part};
use super::mutation::Mutation;
use super::waits::Waits;
use crate::record::reported::EndKind;
use crate::scenario::{Scenario, Wire};
use crate::support::Millis;
use echo_core::{Role, Tally};
use std::collections::VecDeque;

/// The facts about one side.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) role: Role,
    pub(super) wire: Wire,
    pub(super) mutation: Option<Mutation>,
    pub(super) now: Millis,
    /// The close code, once it wants to leave.
    pub(super) close_command: Option<u16>,
    /// Server: it left before it knew the wire (1.1).
    pub(super) bare: bool,
    /// Client: requests that its user made.
    pub(super) asked: u64,
    pub(super) sent: Sent,
    pub(super) received: Received,
    /// Messages that have not yet left.
    pub(super) out: VecDeque<Message>,
    /// Whether data that it sent was lost, because its transport takes no more.
    pub(super) lost: bool,
    /// Requests of which at least one byte has left.
    pub(super) left: u64,
    /// Whether its FIN has left.
    pub(super) fin: Fin,
    /// Whether it sent or received a CLOSE with an error code (5.6).
    pub(super) failed: bool,
    /// Whether FIN came before the peer's CLOSE (5.7).
    pub(super) truncated: bool,
    pub(super) verdict: Option<EndKind>,
    pub(super) waits: Waits,
    pub(super) calls: Calls,
    /// Whether it aborts its transport.
    pub(super) aborts: bool,
    /// Whether its conversation is over.
    pub(super) over: bool,
    pub(super) clauses: Vec<&'static str>,
}

/// What it has sent or queued.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) preface: bool,
    pub(super) requests: u64,
    pub(super) answers: u64,
    pub(super) goaway: Option<u16>,
    pub(super) close: Option<Close>,
    pub(super) fin: bool,
}

/// What it has received and acted on.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Whether any byte was received.
    pub(super) begun: bool,
    pub(super) preface: bool,
    /// Requests that were received.
    pub(super) requests: u64,
    /// Requests that were accepted (5.8).
    pub(super) accepted: u64,
    pub(super) answers: u64,
    /// The code of the GOAWAY.
    pub(super) goaway: Option<u16>,
    pub(super) close: Option<Close>,
    pub(super) fin: bool,
    /// Whether something arrived out of order.
    pub(super) wrong: bool,
    /// Plain: whether a line is incomplete.
    pub(super) piece: bool,
    /// Plain: pieces of lines that are answered separately.
    pub(super) texts: u64,
}

/// How far this side's FIN has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    /// It is not sent.
    Due,
    Left,
    /// It follows messages that were lost, so it is never sent.
    Lost,
}

impl Side {
    pub(super) fn new(scenario: &Scenario, role: Role, mutation: Option<Mutation>) -> Self {
        Self {
            role,
            wire: scenario.wire,
            mutation,
            now: 0,
            close_command: None,
            bare: false,
            asked: 0,
            sent: Sent::default(),
            received: Received::default(),
            out: VecDeque::new(),
            lost: false,
            left: 0,
            fin: Fin::Due,
            failed: false,
            truncated: false,
            verdict: None,
            waits: Waits::new(scenario, role),
            calls: Calls::new(scenario.overrides.handler),
            aborts: false,
            over: false,
            clauses: Vec::new(),
        }
    }

    pub(super) fn is_bent(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub(super) fn is_framed(&self) -> bool {
        self.wire != Wire::Plain && !self.bare
    }

    /// Returns whether the ending has begun (8.2).
    pub(super) fn is_ending(&self) -> bool {
        let Sent { goaway, close, fin, .. } = &self.sent;
        let sent = goaway.is_some() || close.is_some() || *fin;
        let received = self.received.goaway.is_some() || self.received.close.is_some() || self.received.fin;
        self.close_command.is_some() || sent || received || self.verdict.is_some()
    }

    /// Returns the side that sends FIN first by the setting, as far as this side knows (5.4).
    pub(super) fn first_fin(&self) -> Role {
        if self.is_bent(Mutation::ClientFirst) {
            return Role::Client;
        }
        match self.role {
            Role::Server => self.wire.first_fin().unwrap_or(Role::Client),
            Role::Client if self.received.close.is_some_and(|close| close.first_fin) => Role::Server,
            Role::Client => Role::Client,
        }
    }

    /// Returns the count for its CLOSE (clauses 5.2, 5.3 and 5.6).
    pub(super) fn count(&self) -> u64 {
        match self.role {
            Role::Server => self.received.accepted,
            Role::Client => self.received.answers,
        }
    }

    pub(super) fn send(&mut self, message: Message) {
        match message {
            Message::Preface => self.sent.preface = true,
            Message::Request(seq) => self.sent.requests = seq,
            Message::Answer(seq) => self.sent.answers = seq,
            Message::GoAway { code, .. } => self.sent.goaway = Some(code),
            Message::Close(close) => {
                self.take_back();
                self.sent.close = Some(close);
            }
            Message::Text => self.sent.answers += 1,
        }
        self.out.push_back(message);
    }

    /// Sends CLOSE with this code and its count.
    pub(super) fn send_close(&mut self, code: u16) {
        let first_fin = self.role == Role::Server && self.first_fin() == Role::Server;
        self.send(Message::Close(Close { count: self.count(), code, first_fin }));
    }

    /// Clause 5.8: takes back the requests of which no byte has left, before the CLOSE.
    pub(super) fn take_back(&mut self) {
        let left = self.left;
        self.out.retain(|message| !matches!(message, Message::Request(seq) if *seq > left));
    }

    /// Its user or its plan wants to leave. This has no effect in an ending that has begun.
    pub(super) fn leave(&mut self, code: u16) {
        if !self.is_ending() {
            self.close_command = Some(code);
        }
    }

    /// RST arrived, or the transport takes no more and there is nothing left to read (9.3).
    pub(super) fn receive_reset(&mut self) {
        self.clauses.push("9.3");
        self.verdict.get_or_insert(EndKind::Reset);
        self.out.clear();
        self.over = true;
    }

    /// Its user makes a request, unless the ending has begun.
    pub(super) fn ask(&mut self) {
        if !self.is_ending() {
            self.asked += 1;
        }
    }

    /// Receives a part of a message.
    pub(super) fn receive(&mut self, message: Message, part: Part) {
        self.received.begun = true;
        if self.is_framed() {
            if part != Part::Head {
                self.receive_framed(message);
            }
        } else {
            self.receive_plain(message, part);
        }
    }

    fn receive_framed(&mut self, message: Message) {
        // 5.6: a side that sent or received a CLOSE with an error code discards input.
        if self.failed || self.over || (self.verdict.is_some() && self.received.close.is_none()) {
            return;
        }
        if self.received.close.is_some() {
            // 5.10, 5.11: input after a CLOSE.
            self.received.wrong = true;
            return;
        }
        match (self.role, message) {
            (_, Message::Preface) => {
                self.received.preface = true;
                self.waits.stir(echo_core::Deadline::Idle, self.now);
            }
            (_, Message::Close(close)) => self.receive_close(close),
            (Role::Server, Message::Request(seq)) => self.receive_request(seq),
            (Role::Client, Message::Answer(seq)) => {
                self.received.wrong |= seq != self.received.answers + 1 || seq > self.sent.requests;
                if !self.received.wrong {
                    self.received.answers = seq;
                    self.waits.stir(echo_core::Deadline::Idle, self.now);
                    self.waits.stir(echo_core::Deadline::Answer, self.now);
                }
            }
            (_, Message::GoAway { last, code }) => {
                let miscounts = self.role == Role::Server && last != self.received.requests;
                self.received.wrong |= self.received.goaway.is_some() || miscounts;
                self.received.goaway.get_or_insert(code);
            }
            (Role::Server, Message::Answer(_) | Message::Text)
            | (Role::Client, Message::Request(_) | Message::Text) => {
                self.received.wrong = true;
            }
        }
    }

    fn receive_request(&mut self, seq: u64) {
        self.received.wrong |= self.received.goaway.is_some() || seq != self.received.requests + 1;
        if self.received.wrong {
            return;
        }
        self.received.requests = seq;
        self.waits.stir(echo_core::Deadline::Idle, self.now);
        let drops = self.is_bent(Mutation::DrainDropsRequests) && self.sent.goaway.is_some();
        // 5.2: an ECHO that arrives after the CLOSE was sent is not accepted.
        if self.sent.close.is_none() && !drops {
            self.received.accepted = seq;
            self.calls.begin(self.now);
        }
    }

    fn receive_close(&mut self, close: Close) {
        let is_due = match self.role {
            Role::Client => close.count == self.received.answers,
            Role::Server => {
                self.sent.close.is_some_and(|own| own.is_usual() && own.count == close.count) && self.has_left()
            }
        };
        if close.is_usual() && !is_due && !self.is_bent(Mutation::AnyCountIsProof) {
            self.received.wrong = true;
        } else {
            self.received.close = Some(close);
        }
    }

    /// Returns whether everything it sent has left.
    fn has_left(&self) -> bool {
        self.out.is_empty()
    }

    fn receive_plain(&mut self, message: Message, part: Part) {
        if self.over || (self.role == Role::Server && self.sent.fin) {
            return;
        }
        self.waits.stir_if(echo_core::Deadline::Idle, self.now, self.role == Role::Client || part != Part::Head);
        match (self.role, part) {
            (Role::Client, _) => {
                self.received.answers = self.sent.requests;
            }
            (Role::Server, Part::Head) => self.received.piece = true,
            (Role::Server, Part::Whole | Part::Tail) => {
                match message {
                    Message::Request(_) if self.received.piece || part == Part::Whole => self.received.accepted += 1,
                    Message::Request(_) | Message::Preface | Message::Answer(_) | Message::GoAway { .. } => {
                        self.received.texts += 1
                    }
                    Message::Close(_) | Message::Text => self.received.texts += 1,
                }
                self.calls.begin(self.now);
                self.received.piece = false;
            }
        }
    }

    /// Clause 2.2: takes an incomplete line as a message.
    pub(super) fn fall_quiet(&mut self) {
        if std::mem::take(&mut self.received.piece) {
            self.received.texts += 1;
            self.calls.begin(self.now);
        }
    }

    /// Server: returns whether it owes answers whose calls still run (5.8). After a failed write, or a failure, it answers
    /// nobody.
    pub(super) fn awaits_calls(&self) -> bool {
        self.calls.run() && !self.lost && !self.failed && self.sent.close.is_none() && !self.sent.fin
    }

    /// Receives FIN. After a failed write it is a reset, if answers are owed (5.8).
    pub(super) fn receive_fin(&mut self) {
        self.received.fin = true;
        if self.lost && self.calls.run() {
            self.receive_reset();
        }
    }

    /// Returns its account (clauses 7.2 and 7.3).
    pub(super) fn account(&self) -> Tally {
        let close = self.received.close.map(|close| close.count);
        let (asked, answered, refused) = match (self.role, self.is_framed()) {
            (Role::Client, true) => {
                let above = close.filter(|count| (self.received.answers..=self.left).contains(count));
                (self.asked, self.received.answers, self.asked - above.unwrap_or(self.left))
            }
            (Role::Client, false) => (self.asked, 0, self.asked - self.left),
            (Role::Server, true) => {
                let sent = self.sent.answers;
                let acknowledged = close.filter(|count| *count <= sent).unwrap_or_default();
                let answered = if self.is_bent(Mutation::SentIsAnswered) { sent } else { acknowledged };
                (self.received.requests, answered, self.received.requests - self.received.accepted)
            }
            (Role::Server, false) => (self.received.accepted + self.received.texts, 0, 0),
        };
        let unknown = asked - answered - refused;
        match self.is_bent(Mutation::UnansweredIsRefused) {
            true => Tally { answered, refused: refused + unknown, unknown: 0 },
            false => Tally { answered, refused, unknown },
        }
    }
}

//! A connection: bytes in, bytes out, and one outcome (PROTOCOL.md).

mod answer_batch;
mod input;
mod request_batch;
mod view;

use crate::close::{self, Action, CloseReason, HalfState, Role};
use crate::config::Config;
use crate::error::{ApiMisuse, Failure, Violation};
use crate::frame::Decoder;
use crate::outcome::{End, Outcome};
use crate::plain::{LineDecoder, Lookout};
use crate::preface::{PrefaceDecoder, VERSION};
use crate::session::{Session, Wire};
use crate::stamp::{Stamp, Stamps};
use crate::timers::Deadline;
pub use answer_batch::AnswerBatch;
use input::{in_order, on_frame, on_message, on_text};
pub use request_batch::RequestBatch;
use std::sync::Arc;
use std::time::Duration;

/// One end of a conversation.
///
/// Many connections can share one [`Config`], as an `Arc`.
///
/// `now` is the time since the connection began; it must not go backwards. After each `handle_*` and each command, call
/// [`Connection::poll_output`] until it returns [`Output::Wait`] or [`Output::Ended`]. An idle connection owns no
/// buffer: input is borrowed, and only an incomplete frame or line and unsent output are kept.
///
/// With the feature `explore` a connection has a hash: two connections with the same settings and the same hash behave the
/// same from now on, as long as [`Connection::handle_unacknowledged`] and [`Connection::set_wall`] are not called. What
/// was read and sent is not part of the hash, unless it still matters.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "explore", derive(Hash))]
pub struct Connection {
    parser: Parser,
    session: Session,
    /// Server: the reason to refuse the client with, once its wire is known.
    refusal: Option<Box<CloseReason>>,
    /// Plain wire: when the input has been quiet long enough to make a message of an incomplete line.
    quiet_at: Option<Duration>,
}

/// The decoder of the input.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "explore", derive(Hash))]
enum Parser {
    /// Server: the client has sent nothing.
    Undetected,
    /// The peer's preface is incomplete.
    Greeting(PrefaceDecoder),
    Framed(Decoder),
    Plain {
        splitter: LineDecoder,
        lookout: Lookout,
    },
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Write these bytes, `header` first. Then pass the number of bytes taken to [`Connection::handle_sent`].
    Transmit {
        /// Frames and their headers.
        header: &'a [u8],
        /// A large payload that follows, or nothing.
        payload: &'a [u8],
    },
    /// Send FIN (half-close). Then call [`Connection::handle_fin_sent`].
    Fin,
    /// Abort the transport, by RST if it can. Then call [`Connection::handle_fin_sent`].
    Abort,
    /// Wait for an event, or until this moment. Then call [`Connection::handle_time`].
    Wait(Option<Duration>),
    /// The conversation is over. Close the transport without an abort: it still delivers the bytes it has taken, and
    /// then sends FIN if none was sent.
    Ended(Outcome),
}

/// A received item. Its payload is borrowed from the input if it arrived in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The peer's preface was read and the version chosen, or the plain wire was detected (version 0).
    Greeted {
        /// The version.
        version: u8,
    },
    /// Server: a request was accepted. Its answer is queued, or after [`Connection::service`] owed. A plain message that
    /// was cut off by quiet or by FIN is answered without this event; [`Connection::traffic`] counts it.
    Request {
        /// Its number.
        seq: u64,
        /// The message.
        payload: &'a [u8],
    },
    /// Client: an answer was received.
    Reply(Reply<'a>),
    /// Client: the server has no answer to a request. The request counts as answered.
    Failed {
        /// The request's number.
        seq: u64,
        /// Why.
        failure: Failure,
        /// The stamps of the request and the answer.
        stamps: Stamps,
    },
    /// Client on the plain wire: the server sent these bytes.
    Text(&'a [u8]),
    /// The peer's GOAWAY was received.
    Leaving(CloseReason),
    /// The peer's CLOSE was received.
    Close(CloseReason),
    /// Input without an effect of its own: after the end, unknown, a violation, which the outcome reports, or a FAILED,
    /// which the next answer reports.
    Discarded,
}

/// A received answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request's number.
    pub seq: u64,
    /// The answer: of an echo server, the request's message.
    pub payload: &'a [u8],
    /// The stamps of the request and the answer.
    pub stamps: Stamps,
}

impl Connection {
    /// Creates a client on the framed wire. `epoch` is the wall clock now.
    pub fn client(config: impl Into<Arc<Config>>, epoch: Stamp) -> Self {
        let session = Session::new(Role::Client, Wire::Framed { version: VERSION }, config.into(), epoch);
        Self::with(Parser::Greeting(PrefaceDecoder::new(Role::Server)), session)
    }

    /// Creates a client on the plain wire. `epoch` is the wall clock now.
    pub fn plain_client(config: impl Into<Arc<Config>>, epoch: Stamp) -> Self {
        let session = Session::new(Role::Client, Wire::Plain, config.into(), epoch);
        let splitter = LineDecoder::new(session.config.payload_limit());
        Self::with(Parser::Plain { splitter, lookout: Lookout::over() }, session)
    }

    /// Creates a server for either wire. `epoch` is the wall clock now.
    pub fn server(config: impl Into<Arc<Config>>, epoch: Stamp) -> Self {
        Self::with(Parser::Undetected, Session::new(Role::Server, Wire::Undetected, config.into(), epoch))
    }

    /// Creates a server that refuses the client as soon as its wire is known, on that wire.
    pub fn refusing_server(config: impl Into<Arc<Config>>, epoch: Stamp, refusal: CloseReason) -> Self {
        Self { refusal: Some(Box::new(refusal)), ..Self::server(config, epoch) }
    }

    /// Creates a server whose user answers: each [`Event::Request`] is answered by one [`Connection::reply`] or
    /// [`Connection::fail_request`], in any order. `epoch` is the wall clock now.
    pub fn service(config: impl Into<Arc<Config>>, epoch: Stamp) -> Self {
        let mut server = Self::server(config, epoch);
        server.session.leave_answers_to_user();
        server
    }

    fn with(parser: Parser, session: Session) -> Self {
        Self { parser, session, refusal: None, quiet_at: None }
    }

    // ---- events ----

    /// Handles the next item at the front of `input` and advances `input` past the bytes used.
    ///
    /// Call it until it returns `None`. Then either all of `input` is used, or this side reads no more for now
    /// ([`Connection::wants_input`]): offer the rest of `input` again later.
    pub fn handle_input<'a, 'i: 'a>(&'a mut self, now: Duration, input: &mut &'i [u8]) -> Option<Event<'a>> {
        if let Parser::Framed(decoder) = &self.parser
            && let Some(event) = in_order(&mut self.session, decoder, now, input)
        {
            return Some(event);
        }
        if input.is_empty() || !self.session.wants_input() {
            return None;
        }
        if self.session.machine().is_discarding() {
            *input = &[];
            return Some(Event::Discarded);
        }
        if let Parser::Undetected = self.parser {
            self.recognise(now, input);
            if self.session.machine().is_discarding() {
                return Some(Event::Discarded);
            }
        }
        if let Parser::Greeting(greeting) = &mut self.parser {
            let preface = greeting.take(input);
            return self.on_preface(preface, now);
        }
        match &mut self.parser {
            Parser::Undetected | Parser::Greeting(_) => None,
            Parser::Framed(decoder) => match decoder.decode(input) {
                Ok(None) => None,
                Ok(Some(frame)) => Some(on_frame(&mut self.session, frame, now)),
                Err(violation) => {
                    self.session.apply(close::MachineEvent::Violation(violation), now);
                    Some(Event::Discarded)
                }
            },
            Parser::Plain { .. } if self.session.role() == Role::Client => {
                let text = std::mem::take(input);
                Some(on_text(&mut self.session, text, now))
            }
            Parser::Plain { splitter, lookout } => {
                let message = match self.session.config.quiet.is_zero() {
                    true => splitter.read(input),
                    false => splitter.line(input),
                };
                let quiet = self.session.config.quiet;
                self.quiet_at = match message {
                    Some(_) => None,
                    None => now.checked_add(quiet),
                };
                message.map(|message| on_message(&mut self.session, message, lookout, now))
            }
        }
    }

    /// Handles the peer's FIN.
    pub fn handle_fin(&mut self, now: Duration) {
        self.fall_quiet(now);
        self.session.apply(close::MachineEvent::Fin, now);
        if self.session.owes_in_vain() {
            self.handle_reset(now);
        }
    }

    /// Handles an end of the input without the transport's own mark of an end, such as a TLS close_notify. It is a FIN,
    /// and without a verdict so far the outcome is [`End::UnexpectedEof`] (clause 5.14).
    pub fn handle_unexpected_eof(&mut self, now: Duration) {
        self.session.note_end(End::UnexpectedEof);
        self.handle_fin(now);
    }

    /// Handles bytes of the peer that the transport refuses, such as a TLS record that does not decrypt: aborts, and
    /// without a verdict so far the outcome is this violation (clause 5.14).
    pub fn handle_refused(&mut self, now: Duration, violation: Violation) {
        self.session.note_end(End::Violation(violation));
        self.abort(now);
    }

    /// Handles a reset of the transport, or a failed read.
    pub fn handle_reset(&mut self, now: Duration) {
        self.session.apply(close::MachineEvent::Reset, now);
    }

    /// Handles a failed write. Received bytes may still wait in the transport: read them without waiting, then call
    /// [`Connection::handle_reset`].
    ///
    /// If the peer's FIN was read before, no bytes are left, and this is a reset at once. So is a FIN that is read later
    /// while answers are owed.
    pub fn handle_write_failed(&mut self, now: Duration) {
        self.session.write_failed(now);
        if self.session.machine().received() == HalfState::Finished {
            self.handle_reset(now);
        }
    }

    /// Notes that the transport took the first `count` bytes of the last [`Output::Transmit`].
    pub fn handle_sent(&mut self, now: Duration, count: usize) {
        self.session.sent(count, now);
    }

    /// Notes that FIN was sent, or the transport aborted.
    pub fn handle_fin_sent(&mut self, now: Duration) {
        self.session.fin_sent(now);
    }

    /// Handles all deadlines that are due at `now`.
    pub fn handle_time(&mut self, now: Duration) {
        if self.quiet_at.is_some_and(|at| at <= now) {
            match self.session.wants_input() {
                true => self.fall_quiet(now),
                // The rest of the line may have come, and is not read.
                false => self.quiet_at = now.checked_add(self.session.config.quiet),
            }
        }
        while let Some(deadline) = self.session.expired(now) {
            self.session.apply(close::MachineEvent::Deadline(deadline), now);
        }
    }

    /// Delays all waits by `length`, a time in which this side could not act because its process or machine was stopped
    /// (clause 8.5).
    pub fn handle_pause(&mut self, length: Duration) {
        self.session.postpone(length);
        self.quiet_at = self.quiet_at.map(|at| at.saturating_add(length));
    }

    /// Returns whether [`set_wall`](Self::set_wall) matters: answers carry the wall time as text. That is the case at a
    /// server, unless the client uses the framed wire.
    pub fn tells_time(&self) -> bool {
        self.session.tells_time()
    }

    /// Sets the wall clock. Times on the plain wire follow it when it is changed (clause 2.3). Stamps on the framed
    /// wire do not (clause 3.2).
    pub fn set_wall(&mut self, now: Duration, wall: Stamp) {
        self.session.set_wall(wall, now);
    }

    /// Notes whether the user pauses: it reads no input and leaves it in the transport. In a pause the idle and answer
    /// deadlines do not run (clause 8.1), because what they wait for may be unread.
    pub fn pause(&mut self, now: Duration, paused: bool) {
        self.session.pause(paused, now);
    }

    /// Reports that the peer has not acknowledged `count` of the bytes that the transport has taken. Waits start again
    /// while the peer takes enough (clause 8.6). Call it when the transport takes no more, when the ending begins, when
    /// FIN was sent, and when a deadline is due, before [`Connection::handle_time`]. Do not call it if the transport
    /// cannot report the number.
    pub fn handle_unacknowledged(&mut self, now: Duration, count: usize) {
        self.session.look(now, count);
    }

    // ---- deadlines without a clock, to explore every order of events ----

    /// Returns the running deadlines.
    pub fn running_deadlines(&self) -> impl Iterator<Item = Deadline> {
        Deadline::ALL.into_iter().filter(|deadline| self.session.runs(*deadline))
    }

    /// Passes `deadline` now, as [`Connection::handle_time`] does when it is due. A deadline that does not run changes
    /// nothing (clause 8.4).
    pub fn expire(&mut self, now: Duration, deadline: Deadline) {
        if self.session.expire(deadline) {
            self.session.apply(close::MachineEvent::Deadline(deadline), now);
        }
    }

    /// Returns whether the plain wire's input may fall quiet: part of a line was received.
    pub fn awaits_quiet(&self) -> bool {
        self.quiet_at.is_some()
    }

    /// Makes a message of an incomplete line, as [`Connection::handle_time`] does after quiet.
    pub fn handle_quiet(&mut self, now: Duration) {
        self.fall_quiet(now);
    }

    // ---- commands ----

    /// Sends a request and returns its number: 1, 2, 3 … On the plain wire the bytes are sent as they are.
    ///
    /// # Errors
    /// Returns [`ApiMisuse`] if the conversation is ending, the payload is over the limit, or this is a server.
    pub fn send(&mut self, now: Duration, payload: &[u8]) -> Result<u64, ApiMisuse> {
        let limit = self.session.config.payload_limit();
        if self.session.role() == Role::Server {
            return Err(ApiMisuse::NotAClient);
        }
        if payload.len() > limit {
            return Err(ApiMisuse::TooBig { len: payload.len(), limit });
        }
        if let Some(seq) = self.session.ask_in_order(payload, now) {
            return Ok(seq);
        }
        if !self.session.apply(close::MachineEvent::Send, now).contains(Action::Deliver) {
            return Err(ApiMisuse::Ending);
        }
        Ok(self.session.ask(payload, now))
    }

    /// Answers request `seq` of a [service](Connection::service). The answers leave in the order of the requests.
    ///
    /// # Errors
    /// Returns [`ApiMisuse`] if no answer to it is owed, the payload is over the limit, the conversation is so far that no
    /// answer can be sent, or this is a client. The answer is still owed if the payload was over the limit.
    pub fn reply(&mut self, now: Duration, seq: u64, payload: &[u8]) -> Result<(), ApiMisuse> {
        self.session.give(seq, Ok(payload), now)
    }

    /// Answers request `seq` as [`Connection::reply`] does, by the reason why there is no answer (clause 4.10).
    ///
    /// # Errors
    /// As for [`Connection::reply`].
    pub fn fail_request(&mut self, now: Duration, seq: u64, failure: Failure) -> Result<(), ApiMisuse> {
        self.session.give(seq, Err(failure), now)
    }

    /// Takes a plain message that was cut off by quiet or by FIN, and its number: a request without an
    /// [`Event::Request`], because no input led to it. For a [service](Connection::service), after
    /// [`Connection::handle_time`], [`Connection::handle_quiet`] and [`Connection::handle_fin`], until it returns `None`.
    pub fn take_cut_off(&mut self) -> Option<(u64, Vec<u8>)> {
        self.session.take_cut_off()
    }

    /// Ends in the usual order: a client closes, a server drains. A code outside the usual order (1000, 1001, 1012) is
    /// sent as 1001, so that the end can be clean.
    pub fn leave(&mut self, now: Duration, close_reason: CloseReason) {
        self.session.apply(close::MachineEvent::Leave(close_reason), now);
    }

    /// Ends with an error of this side: sends its reason, and discards further input. A code of the usual order is sent
    /// as 1011, so that the end is not clean.
    pub fn fail(&mut self, now: Duration, close_reason: CloseReason) {
        self.session.apply(close::MachineEvent::Fail(close_reason), now);
    }

    /// Aborts, by RST if the transport can.
    pub fn abort(&mut self, now: Duration) {
        self.session.apply(close::MachineEvent::Abort, now);
    }

    // ---- output ----

    /// Returns what to do next.
    pub fn poll_output(&mut self, now: Duration) -> Output<'_> {
        self.session.drop_unsendable();
        self.drop_used_input();
        if let Some(outcome) = self.session.outcome() {
            return Output::Ended(outcome);
        }
        if self.session.is_aborted() && self.session.fin_is_due() {
            return Output::Abort;
        }
        if self.session.has_output() {
            let (header, payload) = self.session.lend(now);
            return Output::Transmit { header, payload };
        }
        if self.session.fin_is_due() {
            return Output::Fin;
        }
        Output::Wait(self.next_time())
    }

    /// Returns when [`Connection::handle_time`] is due.
    pub fn next_time(&self) -> Option<Duration> {
        match (self.session.next_deadline(), self.quiet_at) {
            (Some(deadline), Some(quiet)) => Some(deadline.min(quiet)),
            (deadline, quiet) => deadline.or(quiet),
        }
    }
}

//! A connection: bytes in, bytes out, and one outcome (PROTOCOL.md).

mod input;
mod view;

use crate::close::{self, Action, CloseReason, HalfState, Role};
use crate::config::Config;
use crate::error::ApiMisuse;
use crate::frame::Decoder;
use crate::outcome::Outcome;
use crate::plain::{LineDecoder, Lookout};
use crate::preface::{PrefaceDecoder, VERSION};
use crate::session::{Session, Wire};
use crate::stamp::{Stamp, Stamps};
use crate::timers::Deadline;
use input::{on_frame, on_message, on_text};
use std::time::Duration;

/// One end of a conversation.
///
/// Every method that takes `now` wants the time since the connection began; it must not go backwards. After any
/// `handle_*` and any wish, call [`Connection::poll_output`] until it says [`Output::Wait`] or [`Output::Ended`].
/// An idle connection owns no buffer: input is borrowed, and only an incomplete frame or line and what is not yet
/// sent are kept.
///
/// Of connections with the same settings, two that hash alike do the same from now on, whatever came before: what was
/// read and sent is not part of the hash, but for what still matters.
#[derive(Clone, Debug, Hash)]
pub struct Connection {
    parser: Parser,
    session: Session,
    /// Server: refuse the client once its wire is known.
    refusal: Option<CloseReason>,
    /// Plain wire: when the input has been quiet long enough to make a message of what has come.
    quiet_at: Option<Duration>,
}

/// How the input is to be read.
#[derive(Clone, Debug, Hash)]
enum Parser {
    /// Server: the client has not spoken.
    Undetected,
    /// The peer's preface is incomplete.
    Greeting(PrefaceDecoder),
    Framed(Decoder),
    Plain {
        splitter: LineDecoder,
        lookout: Lookout,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Write these bytes, `header` first; then tell how many were taken with [`Connection::handle_sent`].
    Transmit {
        /// Frames and their headers.
        header: &'a [u8],
        /// A large payload that follows, or nothing.
        payload: &'a [u8],
    },
    /// Half-close: send FIN; then call [`Connection::handle_fin_sent`].
    Fin,
    /// Let go of the transport at once, by RST if it can; then call [`Connection::handle_fin_sent`].
    Abort,
    /// Nothing until something happens, or until this moment: then call [`Connection::handle_time`].
    Wait(Option<Duration>),
    /// The conversation is over; let go of the transport in the ordinary way, so that it goes on delivering what it
    /// has taken, and FIN behind that if none was sent.
    Ended(Outcome),
}

/// What came in, payloads borrowed from the input where it was whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The peer's preface was read and the version agreed, or the plain wire recognised (version 0).
    Greeted {
        /// The version.
        version: u8,
    },
    /// Server: a request was accepted, and its answer is queued. A plain message that was cut off by quiet or by FIN
    /// is answered without this event; [`Connection::traffic`] counts it.
    Request {
        /// Its number.
        seq: u64,
        /// The message.
        payload: &'a [u8],
    },
    /// Client: an answer.
    Reply(Reply<'a>),
    /// Client on the plain wire: bytes the server sent.
    Text(&'a [u8]),
    /// The peer's GOAWAY.
    Leaving(CloseReason),
    /// The peer's CLOSE.
    Close(CloseReason),
    /// Something that does not count: after the end, unknown, or a violation, which the outcome will name.
    Discarded,
}

/// An answer, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request's number.
    pub seq: u64,
    /// The request's message, come back.
    pub payload: &'a [u8],
    /// When it was sent, received, answered and received.
    pub stamps: Stamps,
}

impl Connection {
    /// A client on the framed wire; `epoch` is the wall clock now.
    pub fn client(config: Config, epoch: Stamp) -> Self {
        let session = Session::new(Role::Client, Wire::Framed { version: VERSION }, config, epoch);
        Self::with(Parser::Greeting(PrefaceDecoder::new(Role::Server)), session)
    }

    /// A client on the plain wire; `epoch` is the wall clock now.
    pub fn plain_client(config: Config, epoch: Stamp) -> Self {
        let session = Session::new(Role::Client, Wire::Plain, config, epoch);
        let splitter = LineDecoder::new(config.payload_limit());
        Self::with(Parser::Plain { splitter, lookout: Lookout::over() }, session)
    }

    /// A server, for either wire; `epoch` is the wall clock now.
    pub fn server(config: Config, epoch: Stamp) -> Self {
        Self::with(Parser::Undetected, Session::new(Role::Server, Wire::Undetected, config, epoch))
    }

    /// A server that refuses the client as soon as it has spoken, in the client's own wire.
    pub fn refusing_server(config: Config, epoch: Stamp, refusal: CloseReason) -> Self {
        Self { refusal: Some(refusal), ..Self::server(config, epoch) }
    }

    fn with(parser: Parser, session: Session) -> Self {
        Self { parser, session, refusal: None, quiet_at: None }
    }

    // ---- what happened ----

    /// Takes one piece of meaning from the front of `input`, which moves on by what was used.
    ///
    /// Call it until it gives `None`: then `input` is either used up, or the peer must read before more is taken
    /// ([`Connection::wants_input`]), and what is left of `input` has to be offered again.
    pub fn handle_input<'a, 'i: 'a>(&'a mut self, now: Duration, input: &mut &'i [u8]) -> Option<Event<'a>> {
        if input.is_empty() || !self.session.wants_input() {
            return None;
        }
        if self.session.machine().is_discarding() {
            *input = &[];
            return Some(Event::Discarded);
        }
        if let Parser::Undetected = self.parser {
            self.recognise(now, input[0]);
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

    /// The peer's FIN was read.
    pub fn handle_fin(&mut self, now: Duration) {
        self.fall_quiet(now);
        self.session.apply(close::MachineEvent::Fin, now);
    }

    /// The transport was reset, or failed to read.
    pub fn handle_reset(&mut self, now: Duration) {
        self.session.apply(close::MachineEvent::Reset, now);
    }

    /// The transport failed to write. What it has received may still be read: go on reading without waiting, and
    /// call [`Connection::handle_reset`] when there is no more.
    ///
    /// If the peer's FIN was read before, there is no more: it is a reset at once.
    pub fn handle_write_failed(&mut self, now: Duration) {
        self.session.write_failed();
        if self.session.machine().heard() == HalfState::Finished {
            self.handle_reset(now);
        }
    }

    /// The transport took the first `count` bytes of the last [`Output::Transmit`].
    pub fn handle_sent(&mut self, now: Duration, count: usize) {
        self.session.sent(count, now);
    }

    /// FIN was sent, or the transport let go.
    pub fn handle_fin_sent(&mut self, now: Duration) {
        self.session.fin_sent(now);
    }

    /// Time has passed: whatever is due at `now` happens.
    pub fn handle_time(&mut self, now: Duration) {
        if self.quiet_at.is_some_and(|at| at <= now) {
            self.fall_quiet(now);
        }
        while let Some(deadline) = self.session.expired(now) {
            self.session.apply(close::MachineEvent::Deadline(deadline), now);
        }
    }

    /// This side could not act for so long: its process was stopped, or its machine. Whatever it waits for it goes on
    /// waiting for as if that time had not passed (clause 8.5).
    pub fn handle_pause(&mut self, length: Duration) {
        self.session.postpone(length);
        self.quiet_at = self.quiet_at.map(|at| at.saturating_add(length));
    }

    /// Whether answers carry the wall time as text, so that [`set_wall`](Self::set_wall) matters: at a server, unless
    /// the client speaks the framed wire.
    pub fn tells_time(&self) -> bool {
        self.session.tells_time()
    }

    /// What the wall clock shows now, where it may have been set since the connection began: times on the plain wire
    /// follow it (clause 2.3). Stamps on the framed wire do not (clause 3.2).
    pub fn set_wall(&mut self, now: Duration, wall: Stamp) {
        self.session.set_wall(wall, now);
    }

    /// The user takes no more input for now, and leaves it in the transport, or takes it again. Meanwhile idle and
    /// answer do not run (clause 8.1): what they wait for may have come.
    pub fn pause(&mut self, now: Duration, paused: bool) {
        self.session.pause(paused, now);
    }

    /// The peer has not acknowledged `count` of the bytes that the transport has taken. Call it when the transport
    /// takes no more, when the ending begins, when FIN was sent, and when a deadline has come, before
    /// [`Connection::handle_time`]: waits begin anew while the peer takes enough (clause 8.6). Never call it for a
    /// transport that cannot tell.
    pub fn handle_unacknowledged(&mut self, now: Duration, count: usize) {
        self.session.look(now, count);
    }

    // ---- time without a clock, for whoever explores every order of events ----

    /// The waits that have begun and are not over.
    pub fn running_deadlines(&self) -> impl Iterator<Item = Deadline> {
        Deadline::ALL.into_iter().filter(|deadline| self.session.runs(*deadline))
    }

    /// Ends a wait as [`Connection::handle_time`] does when it has lasted too long, whether or not it has. A deadline
    /// that does not run changes nothing (clause 8.4).
    pub fn expire(&mut self, now: Duration, deadline: Deadline) {
        if self.session.expire(deadline) {
            self.session.apply(close::MachineEvent::Deadline(deadline), now);
        }
    }

    /// Whether the plain wire's input may fall quiet: part of a line has come.
    pub fn awaits_quiet(&self) -> bool {
        self.quiet_at.is_some()
    }

    /// Makes a message of what has come of a line, as [`Connection::handle_time`] does after a quiet while.
    pub fn handle_quiet(&mut self, now: Duration) {
        self.fall_quiet(now);
    }

    // ---- what is wanted ----

    /// Makes a request; gives its number: 1, 2, 3 … On the plain wire the bytes are sent as they are.
    ///
    /// # Errors
    /// [`ApiMisuse`] if the conversation is ending, the payload is over the limit, or this is a server.
    pub fn send(&mut self, now: Duration, payload: &[u8]) -> Result<u64, ApiMisuse> {
        let limit = self.session.config.payload_limit();
        if self.session.role() == Role::Server {
            return Err(ApiMisuse::NotAClient);
        }
        if payload.len() > limit {
            return Err(ApiMisuse::TooBig { len: payload.len(), limit });
        }
        if !self.session.apply(close::MachineEvent::Send, now).contains(Action::Deliver) {
            return Err(ApiMisuse::Ending);
        }
        Ok(self.session.ask(payload, now))
    }

    /// Ends politely, by the usual order: a client closes, a server drains. A close reason whose code is not of
    /// the usual order (1000, 1001, 1012) is sent as 1001, so that the end can be clean.
    pub fn leave(&mut self, now: Duration, close_reason: CloseReason) {
        self.session.apply(close::MachineEvent::Leave(close_reason), now);
    }

    /// Ends with an error of one's own: says why, and takes nothing more. A close reason whose code is one of the usual
    /// order is sent as 1011, so that nobody takes the end for clean.
    pub fn fail(&mut self, now: Duration, close_reason: CloseReason) {
        self.session.apply(close::MachineEvent::Fail(close_reason), now);
    }

    /// Lets go at once, by RST if the transport can.
    pub fn abort(&mut self, now: Duration) {
        self.session.apply(close::MachineEvent::Abort, now);
    }

    // ---- what to do ----

    /// Says what to do next.
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

    /// The moment at which [`Connection::handle_time`] is due.
    pub fn next_time(&self) -> Option<Duration> {
        [self.session.next_deadline(), self.quiet_at].into_iter().flatten().min()
    }
}

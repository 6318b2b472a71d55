//! Handling of input: the preface, frames and lines.

use super::{Connection, Event, Parser, Reply};
use crate::close::{self, Action, Role};
use crate::error::Violation;
use crate::frame::{Decoder, ECHO_HEAD, Frame, REPLY_HEAD};
use crate::outcome::End;
use crate::plain::{self, LineDecoder, Lookout};
use crate::preface::{FIRST_BYTE, PrefaceDecoder, VERSION};
use crate::session::{Session, Wire};
use crate::stamp::Stamps;
use crate::timers::Deadline;
use std::time::Duration;

impl Connection {
    /// Server: chooses the wire by the first byte (clause 1.3).
    pub(super) fn recognise(&mut self, now: Duration, input: &[u8]) {
        if input.first() == Some(&FIRST_BYTE) {
            self.session.set_wire(Wire::Framed { version: VERSION });
            self.session.start(Deadline::Detect, now);
            self.parser = Parser::Greeting(PrefaceDecoder::new(Role::Client));
        } else {
            self.session.set_wire(Wire::Plain);
            self.parser = Parser::Plain {
                splitter: LineDecoder::new(self.session.config.payload_limit()),
                lookout: Lookout::new(),
            };
            if self.session.config.plain_wire {
                return self.refuse(now);
            }
            self.session.apply(close::MachineEvent::Violation(plain::no_preface(input)), now);
        }
    }

    pub(super) fn on_preface<'a>(
        &mut self,
        preface: Result<Option<u8>, Violation>,
        now: Duration,
    ) -> Option<Event<'a>> {
        match preface {
            Ok(None) => None,
            Ok(Some(version)) => {
                self.parser = Parser::Framed(Decoder::new(self.session.config.payload_limit()));
                self.session.greeted(version, now);
                self.refuse(now);
                Some(Event::Greeted { version })
            }
            Err(violation) => {
                self.session.apply(close::MachineEvent::Violation(violation), now);
                Some(Event::Discarded)
            }
        }
    }

    pub(super) fn refuse(&mut self, now: Duration) {
        if let Some(close_reason) = self.refusal.take() {
            self.session.apply(close::MachineEvent::Fail(*close_reason), now);
        }
    }

    /// Frees the memory of input that is used or will not be used.
    #[inline]
    pub(super) fn drop_used_input(&mut self) {
        let is_over = self.session.machine().is_discarding();
        match &mut self.parser {
            Parser::Undetected | Parser::Greeting(_) => (),
            Parser::Framed(decoder) if is_over => *decoder = Decoder::new(self.session.config.payload_limit()),
            Parser::Framed(decoder) => decoder.forget_lent(),
            Parser::Plain { splitter, .. } if is_over => {
                *splitter = LineDecoder::new(self.session.config.payload_limit());
                self.quiet_at = None;
            }
            Parser::Plain { splitter, .. } => splitter.forget_lent(),
        }
    }

    /// Plain wire: makes a message of the incomplete line (clause 2.2).
    pub(super) fn fall_quiet(&mut self, now: Duration) {
        self.quiet_at = None;
        if let Parser::Plain { splitter, lookout } = &mut self.parser
            && let Some(message) = splitter.flush()
        {
            let event = on_message(&mut self.session, message, lookout, now);
            if let Event::Request { seq, payload } = event {
                self.session.keep_cut_off(seq, payload);
            }
        }
    }
}

/// Handles a request or an answer in order that is at the front of `input` as a whole, while nothing has ended. `None`
/// means that something else comes next, or that there is more to decide.
#[inline]
pub(super) fn in_order<'i>(
    session: &mut Session,
    decoder: &Decoder,
    now: Duration,
    input: &mut &'i [u8],
) -> Option<Event<'i>> {
    let (taken, event) = match session.role() {
        Role::Server => {
            let (seq, t1, payload) = decoder.whole_echo(input)?;
            let is_served = session.serve(seq, t1, payload, now);
            is_served.then_some((ECHO_HEAD + payload.len(), Event::Request { seq, payload }))
        }
        Role::Client => {
            let (seq, [t1, t2, t3], payload) = decoder.whole_reply(input)?;
            let stamps = Stamps { t1, t2, t3, t4: session.stamp(now) };
            let is_taken = session.take_answer(seq, payload, now);
            is_taken.then_some((REPLY_HEAD + payload.len(), Event::Reply(Reply { seq, payload, stamps })))
        }
    }?;
    *input = input.get(taken..).unwrap_or_default();
    Some(event)
}

pub(super) fn on_frame<'a>(session: &mut Session, frame: Frame<'a>, now: Duration) -> Event<'a> {
    match frame {
        Frame::Echo { seq, t1, payload } => {
            if !session.apply(close::MachineEvent::Request(seq), now).contains(Action::Deliver) {
                return Event::Discarded;
            }
            session.accept(seq, t1, payload, now);
            Event::Request { seq, payload }
        }
        Frame::Reply { seq, t1, t2, t3, payload } => {
            if !session.apply(close::MachineEvent::Answer(seq), now).contains(Action::Deliver) {
                return Event::Discarded;
            }
            session.answered(1, payload.len(), now);
            let stamps = Stamps { t1, t2, t3, t4: session.stamp(now) };
            match session.take_failure() {
                Some(failure) => Event::Failed { seq, failure, stamps },
                None => Event::Reply(Reply { seq, payload, stamps }),
            }
        }
        Frame::GoAway { last, reason: close_reason } => {
            let actions = session.apply(close::MachineEvent::GoAway { last }, now);
            if counts(session, actions) { Event::Leaving(close_reason) } else { Event::Discarded }
        }
        Frame::Close { last, reason: close_reason, first_fin } => {
            let actions = session.on_close_frame(last, close_reason.clone(), first_fin, now);
            if counts(session, actions) { Event::Close(close_reason) } else { Event::Discarded }
        }
        Frame::Failed { seq, failure } => {
            session.on_failed_frame(seq, failure, now);
            Event::Discarded
        }
        Frame::Unknown { .. } => {
            session.apply(close::MachineEvent::Other, now);
            Event::Discarded
        }
    }
}

/// Returns whether a frame of the peer counts: it was not discarded and no violation.
pub(super) fn counts(session: &Session, actions: close::Actions) -> bool {
    !actions.contains(Action::Discard) && !matches!(session.machine().verdict(), Some(End::Violation(_)))
}

/// Plain wire, server: handles a message. The first ones may show a client that wanted another server.
pub(super) fn on_message<'a>(
    session: &mut Session,
    message: &'a [u8],
    lookout: &mut Lookout,
    now: Duration,
) -> Event<'a> {
    if let Some(violation) = lookout.detect_foreign(message) {
        session.apply(close::MachineEvent::Violation(violation), now);
        return Event::Discarded;
    }
    let seq = session.machine().account().asked + 1;
    if session.serve_plainly(seq, message, now) {
        return Event::Request { seq, payload: message };
    }
    if !session.apply(close::MachineEvent::Request(seq), now).contains(Action::Deliver) {
        return Event::Discarded;
    }
    session.accept_plainly(seq, message, now);
    Event::Request { seq, payload: message }
}

pub(super) fn on_text<'a>(session: &mut Session, text: &'a [u8], now: Duration) -> Event<'a> {
    session.handle_text(text, now);
    Event::Text(text)
}

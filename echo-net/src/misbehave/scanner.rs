//! Reads the server's bytes without keeping them: finds the CLOSE, counts answers, and checks that it is echo/1.

use super::{Close, Wire};
use echo_core::frame::{HEADER, MAX_REASON};
use echo_core::{CloseCode, Role, preface};

const REPLY: u8 = 2;
const GOAWAY: u8 = 3;
const CLOSE: u8 = 4;
/// Maximum length of the code, flags and reason of a CLOSE.
const CLOSE_BODY: usize = 3 + MAX_REASON;
/// Bytes of a plain line that are checked.
const LINE: usize = 160;

/// Scans the server's bytes in pieces of any size. It owns no more than a CLOSE.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    /// The bytes of an incomplete item: a preface, a header, a CLOSE, the beginning of a line.
    partial: Vec<u8>,
    pub(super) answers: u64,
    pub(super) close_frame: Option<Close>,
    pub(super) reason: String,
    pub(super) is_garbled: bool,
    /// Whether any byte was received.
    pub(super) has_input: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preface,
    Header,
    CloseReason { kind: u8, length: usize },
    Body { left: usize },
    Line,
}

impl Scanner {
    pub(super) fn new(wire: Wire) -> Self {
        let state = match wire {
            Wire::Framed => State::Preface,
            Wire::Plain => State::Line,
        };
        Self {
            state,
            partial: Vec::new(),
            answers: 0,
            close_frame: None,
            reason: String::new(),
            is_garbled: false,
            has_input: false,
        }
    }

    /// Scans bytes that were read.
    pub(super) fn feed(&mut self, mut input: &[u8]) {
        while !input.is_empty() && !self.is_garbled {
            self.has_input = true;
            match self.state {
                State::Preface => {
                    if self.gather(&mut input, preface::LENGTH) {
                        self.is_garbled |= self.partial != preface::preface(Role::Server, preface::VERSION);
                        self.begin(State::Header);
                    }
                }
                State::Header => {
                    // Clause 5.10: nothing follows a CLOSE.
                    self.is_garbled |= self.close_frame.is_some();
                    if self.gather(&mut input, HEADER) {
                        self.on_header();
                    }
                }
                State::CloseReason { kind, length } => {
                    if self.gather(&mut input, length) {
                        self.on_close_reason(kind);
                    }
                }
                State::Body { left } => {
                    let step = left.min(input.len());
                    input = &input[step..];
                    self.state = if step == left { State::Header } else { State::Body { left: left - step } };
                }
                State::Line => self.on_text(&mut input),
            }
        }
    }

    /// Handles the end of the stream: an incomplete line is now complete.
    pub(super) fn end(&mut self) {
        if self.state == State::Line {
            self.judge_line();
        }
    }

    fn begin(&mut self, state: State) {
        self.partial.clear();
        self.state = state;
    }

    /// Moves bytes from `input` until `partial` holds `want`. Returns whether it does.
    fn gather(&mut self, input: &mut &[u8], want: usize) -> bool {
        let step = want.saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at(step);
        self.partial.extend_from_slice(taken);
        *input = rest;
        self.partial.len() >= want
    }

    fn on_header(&mut self) {
        let Some([a, b, c, kind, seq @ ..]) = self.partial.first_chunk::<HEADER>().copied() else { return };
        let body = u32::from_be_bytes([0, a, b, c]) as usize;
        let seq = u64::from_be_bytes(seq);
        match kind {
            REPLY => {
                // Clause 4.6: answers come in order.
                self.answers += 1;
                self.is_garbled |= seq != self.answers;
                self.begin(if body == 0 { State::Header } else { State::Body { left: body } });
            }
            GOAWAY | CLOSE if (3..=CLOSE_BODY).contains(&body) => self.begin(State::CloseReason { kind, length: body }),
            _ => self.is_garbled = true,
        }
    }

    fn on_close_reason(&mut self, kind: u8) {
        if let [high, low, _flags, reason @ ..] = self.partial.as_slice()
            && kind == CLOSE
        {
            self.close_frame = Some(Close::Close(CloseCode(u16::from_be_bytes([*high, *low]))));
            self.reason = crate::printable(reason);
        }
        self.begin(State::Header);
    }

    fn on_text(&mut self, input: &mut &[u8]) {
        let length = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| end + 1);
        let (line, rest) = input.split_at(length);
        let room = LINE.saturating_sub(self.partial.len()).min(line.len());
        self.partial.extend_from_slice(&line[..room]);
        *input = rest;
        if line.ends_with(b"\n") {
            self.judge_line();
        }
    }

    /// Checks a line. A refusal or an error is one line, `echo: ` and the reason (clause 2.6).
    fn judge_line(&mut self) {
        if let Some(reason) = self.partial.strip_prefix(b"echo: ") {
            let is_busy = reason.starts_with(b"try again later");
            self.close_frame = Some(if is_busy { Close::BusyLine } else { Close::ErrorLine });
            self.reason = crate::printable(reason.trim_ascii_end());
        } else if !self.partial.is_empty() {
            self.is_garbled |= self.close_frame.is_some();
        }
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use echo_core::{CloseReason, Stamp, frame};

    fn conversation() -> Vec<u8> {
        let mut bytes = preface::preface(Role::Server, 1).to_vec();
        for seq in 1..=2 {
            frame::reply_header(&mut bytes, seq, [Stamp(0); 3], 3);
            bytes.extend_from_slice(b"abc");
        }
        frame::goaway(&mut bytes, 0, &CloseReason::new(CloseCode::GOING_AWAY, "later"));
        frame::close(&mut bytes, 2, &CloseReason::new(CloseCode::PROTOCOL_ERROR, "why"), false);
        bytes
    }

    /// Clause 4.8: the meaning is the same for a cut at any byte.
    #[test]
    fn a_conversation_in_pieces_of_any_size() {
        let bytes = conversation();
        for size in 1..=bytes.len() {
            let mut scanner = Scanner::new(Wire::Framed);
            bytes.chunks(size).for_each(|piece| scanner.feed(piece));
            scanner.end();
            let close = Some(Close::Close(CloseCode::PROTOCOL_ERROR));
            assert_eq!((scanner.answers, scanner.close_frame, scanner.is_garbled), (2, close, false));
            assert_eq!(scanner.reason, "why");
        }
    }

    #[test]
    fn what_follows_a_close_and_answers_out_of_order_are_no_echo() {
        let mut scanner = Scanner::new(Wire::Framed);
        scanner.feed(&conversation());
        scanner.feed(b"x");
        assert!(scanner.is_garbled);
        let mut scanner = Scanner::new(Wire::Framed);
        let mut bytes = preface::preface(Role::Server, 1).to_vec();
        frame::reply_header(&mut bytes, 2, [Stamp(0); 3], 0);
        scanner.feed(&bytes);
        assert!(scanner.is_garbled);
    }

    #[test]
    fn plain_answers_and_refusals() {
        let mut scanner = Scanner::new(Wire::Plain);
        for piece in ["[Mon Nov 23 08:16:00 2026] echo: not a refusal\nec", "ho: try again", " later: full"] {
            scanner.feed(piece.as_bytes());
        }
        assert_eq!(scanner.close_frame, None);
        scanner.end();
        assert_eq!(scanner.close_frame, Some(Close::BusyLine));
        assert_eq!(scanner.reason, "try again later: full");
    }
}

//! The inputs of an arbitrary peer: every kind, correct and wrong.

use super::end::End;
use super::setup::Setup;
use super::unit::Unit;
use echo_core::Role::{self, Client, Server};
use echo_core::close::Action;
use echo_core::{CloseCode, CloseReason, Stamp, frame, preface};
use std::fmt;

/// An input from the peer. A variant without "Wrong" or the like is what a correct peer could send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PeerInput {
    Preface,
    /// A preface with a version that is not supported.
    NewerPreface,
    /// Bytes that begin like a preface but continue differently. A client receives its own preface.
    BrokenPreface,
    Request,
    WrongRequest,
    Answer,
    WrongAnswer,
    GoAway,
    WrongGoAway,
    Close,
    CloseFinFirst,
    WrongClose,
    ErrorClose,
    ErrorCloseFinFirst,
    ErrorCloseThatCannotBe,
    Unknown,
    /// A frame of a critical unknown kind.
    Critical,
    /// A frame with a length over the limit.
    TooLong,
    /// A GOAWAY with a reason that is not UTF-8.
    Malformed,
    /// The first half of the preface, or of a correct request or answer.
    Half,
    /// The second half.
    Rest,
    Line,
    HalfLine,
    /// A line of HTTP.
    Foreign,
    /// A line end alone, with which a PROXY header of version 2 begins, twice.
    BlankLine,
    /// The rest of such a header, up to its next line end.
    ProxyHeader,
}

const FRAMES: [PeerInput; 17] = [
    PeerInput::Request,
    PeerInput::WrongRequest,
    PeerInput::Answer,
    PeerInput::WrongAnswer,
    PeerInput::GoAway,
    PeerInput::WrongGoAway,
    PeerInput::Close,
    PeerInput::CloseFinFirst,
    PeerInput::WrongClose,
    PeerInput::ErrorClose,
    PeerInput::ErrorCloseFinFirst,
    PeerInput::ErrorCloseThatCannotBe,
    PeerInput::Unknown,
    PeerInput::Critical,
    PeerInput::TooLong,
    PeerInput::Malformed,
    PeerInput::Half,
];
const PREFACES: [PeerInput; 4] =
    [PeerInput::Preface, PeerInput::NewerPreface, PeerInput::BrokenPreface, PeerInput::Half];
const LINES: [PeerInput; 3] = [PeerInput::Line, PeerInput::HalfLine, PeerInput::Foreign];
/// A server that echoes owes nothing when a later line shows another protocol, so these change nothing for it.
const LINES_OF_SERVICE: [PeerInput; 5] =
    [PeerInput::Line, PeerInput::HalfLine, PeerInput::Foreign, PeerInput::BlankLine, PeerInput::ProxyHeader];

impl PeerInput {
    /// Returns the inputs that `end` can receive now. A side that discards input needs only one.
    pub(super) fn alphabet(setup: &Setup, end: &End, begun: bool) -> &'static [Self] {
        match (setup.is_plain(), begun) {
            (_, _) if end.connection.machine().is_discarding() => &[Self::Unknown],
            (true, _) if setup.service => &LINES_OF_SERVICE,
            (true, _) => &LINES,
            (false, true) => &[Self::Rest],
            (false, false) if end.got.preface => &FRAMES,
            (false, false) => &PREFACES,
        }
    }

    /// Returns the bytes, and their unit once they have arrived completely. `from` sends them to `end`.
    pub(super) fn bytes(self, from: Role, end: &End) -> (Vec<u8>, Unit) {
        let machine = end.connection.machine();
        let (asked, answered) = (machine.account().asked, machine.account().answered.mark());
        let right = if end.role == Client { answered } else { machine.last(Action::Close) };
        let goaway = if end.role == Client { 0 } else { asked };
        let mut bytes = Vec::new();
        let unit = match self {
            Self::Preface => return (preface::preface(from, 1).to_vec(), Unit::Preface),
            Self::NewerPreface if from == Client => return (preface::preface(from, 9).to_vec(), Unit::Preface),
            Self::NewerPreface => return (preface::preface(from, 9).to_vec(), Unit::Broken),
            Self::BrokenPreface => return (preface::preface(end.role, 1).to_vec(), Unit::Broken),
            Self::Line => return (b"a line\n".to_vec(), Unit::Line),
            Self::BlankLine => return (b"\r\n".to_vec(), Unit::Line),
            Self::ProxyHeader => return (b"\0\r\n".to_vec(), Unit::Undecided),
            Self::HalfLine => return (b"a li".to_vec(), Unit::Line),
            Self::Foreign => {
                // Only the first message is checked for this.
                let first = asked == 0 && !end.got.inside;
                return (b"GET / HTTP/1.1\n".to_vec(), if first { Unit::Broken } else { Unit::Line });
            }
            Self::Half | Self::Rest if !end.got.preface => return Self::Preface.bytes(from, end),
            Self::Half | Self::Rest if from == Client => return Self::Request.bytes(from, end),
            Self::Half | Self::Rest => return Self::Answer.bytes(from, end),
            Self::Request => echo(&mut bytes, asked + 1),
            Self::WrongRequest => echo(&mut bytes, asked + 2),
            Self::Answer => reply(&mut bytes, answered + 1),
            Self::WrongAnswer => reply(&mut bytes, answered + 2),
            Self::GoAway | Self::WrongGoAway => {
                let last = if self == Self::GoAway { goaway } else { asked + 1 };
                frame::goaway(&mut bytes, last, &CloseReason::normal());
                Unit::GoAway(last)
            }
            Self::Close => close(&mut bytes, right, CloseCode::NORMAL, false),
            Self::CloseFinFirst => close(&mut bytes, right, CloseCode::NORMAL, true),
            Self::WrongClose => close(&mut bytes, right + 1, CloseCode::NORMAL, false),
            Self::ErrorClose => close(&mut bytes, answered, CloseCode::INTERNAL, false),
            Self::ErrorCloseFinFirst => close(&mut bytes, answered, CloseCode::INTERNAL, true),
            Self::ErrorCloseThatCannotBe => close(&mut bytes, asked + 9, CloseCode::INTERNAL, false),
            Self::Unknown => header(&mut bytes, 0, 9, Unit::Unknown),
            Self::Critical => header(&mut bytes, 0, 0x80, Unit::Broken),
            Self::TooLong => header(&mut bytes, 0xFF_FFFF, 1, Unit::Broken),
            Self::Malformed => {
                frame::goaway(&mut bytes, goaway, &CloseReason::new(CloseCode::NORMAL, "?"));
                let last = bytes.len() - 1;
                bytes[last] = 0xFF;
                Unit::Broken
            }
        };
        (bytes, unit)
    }
}

fn echo(bytes: &mut Vec<u8>, seq: u64) -> Unit {
    frame::echo_header(bytes, seq, Stamp(0), 0);
    Unit::Echo(seq)
}

fn reply(bytes: &mut Vec<u8>, seq: u64) -> Unit {
    frame::reply_header(bytes, seq, [Stamp(0); 3], 0);
    Unit::Reply(seq)
}

fn close(bytes: &mut Vec<u8>, last: u64, code: CloseCode, fin_first: bool) -> Unit {
    frame::close(bytes, last, &CloseReason::new(code, ""), fin_first);
    Unit::Close { last, code, fin_first }
}

fn header(bytes: &mut Vec<u8>, length: u32, kind: u8, unit: Unit) -> Unit {
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.push(kind);
    bytes.extend_from_slice(&[0; 8]);
    unit
}

impl fmt::Display for PeerInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preface => "preface",
            Self::NewerPreface => "a preface of version 9",
            Self::BrokenPreface => "the wrong preface",
            Self::Request => "the next ECHO",
            Self::WrongRequest => "an ECHO out of order",
            Self::Answer => "the next REPLY",
            Self::WrongAnswer => "a REPLY out of order",
            Self::GoAway => "GOAWAY",
            Self::WrongGoAway => "GOAWAY with a wrong count",
            Self::Close => "CLOSE",
            Self::CloseFinFirst => "CLOSE with the FIN flag",
            Self::WrongClose => "CLOSE with a wrong count",
            Self::ErrorClose => "CLOSE with an error",
            Self::ErrorCloseFinFirst => "CLOSE with an error and the FIN flag",
            Self::ErrorCloseThatCannotBe => "CLOSE with an error and an impossible count",
            Self::Unknown => "a frame of an unknown kind",
            Self::Critical => "a frame of a kind that must be known",
            Self::TooLong => "a frame that is too long",
            Self::Malformed => "a reason that is not UTF-8",
            Self::Half => "the first half of a valid input",
            Self::Rest => "the second half",
            Self::Line => "a line",
            Self::HalfLine => "part of a line",
            Self::Foreign => "an HTTP request",
            Self::BlankLine => "an empty line",
            Self::ProxyHeader => "the rest of a PROXY header",
        })
    }
}

/// Returns the peer's role.
pub(super) fn peer_of(role: Role) -> Role {
    match role {
        Client => Server,
        Server => Client,
    }
}

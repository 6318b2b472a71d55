//! The wire decoder: turns the bytes of one direction, in pieces of any size, into [`Unit`]s.

use crate::record::event_log::Unit;
use crate::scenario::{Scenario, Wire};
use echo_core::frame::{Decoder, Frame, MAX_PAYLOAD};
use echo_core::preface::PrefaceDecoder;
use echo_core::{CloseReason, Role};

/// One piece of what passes in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StreamChunk<'a> {
    Data(&'a [u8]),
    Fin,
    Reset,
}

/// Decodes what `from` sends.
#[derive(Clone, Debug)]
pub(crate) struct WireDecoder {
    from: Role,
    scenario: Scenario,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Greeting(PrefaceDecoder),
    Frames(Decoder),
    Lines(Vec<u8>),
    /// The input cannot be decoded any further.
    Lost,
}

impl WireDecoder {
    pub(crate) fn new(from: Role, scenario: &Scenario) -> Self {
        let state = match scenario.wire {
            Wire::Framed | Wire::FramedServerFin => State::Greeting(PrefaceDecoder::new(from)),
            Wire::Plain => State::Lines(Vec::new()),
        };
        Self { from, scenario: scenario.clone(), state }
    }

    pub(crate) fn decode(&mut self, segment: StreamChunk<'_>) -> Vec<Unit> {
        match segment {
            StreamChunk::Data(bytes) => self.read(bytes),
            StreamChunk::Fin => vec![Unit::Fin],
            StreamChunk::Reset => vec![Unit::Reset],
        }
    }

    fn read(&mut self, mut input: &[u8]) -> Vec<Unit> {
        let mut units = Vec::new();
        if let State::Greeting(greeting) = &mut self.state {
            match greeting.take(&mut input) {
                Ok(None) => return units,
                Ok(Some(_)) => {
                    units.push(Unit::Preface);
                    self.state = State::Frames(Decoder::new(MAX_PAYLOAD));
                }
                Err(violation) => {
                    units.push(Unit::Broken(violation.to_string()));
                    self.state = State::Lost;
                }
            }
        }
        match &mut self.state {
            State::Greeting(_) | State::Lost => (),
            State::Frames(decoder) => loop {
                match decoder.decode(&mut input) {
                    Ok(None) => break,
                    Ok(Some(frame)) => units.push(unit_of(&frame, &self.scenario)),
                    Err(violation) => {
                        units.push(Unit::Broken(violation.to_string()));
                        self.state = State::Lost;
                        break;
                    }
                }
            },
            State::Lines(line) => {
                for byte in input {
                    line.push(*byte);
                    if *byte == b'\n' {
                        units.push(unit_of_line(self.from, &std::mem::take(line), &self.scenario));
                    }
                }
            }
        }
        units
    }
}

fn unit_of(frame: &Frame<'_>, scenario: &Scenario) -> Unit {
    let judged = |seq: u64, payload: &[u8], unit: Unit| match scenario.payload(seq).as_deref() == Some(payload) {
        true => unit,
        false => Unit::Broken(format!("{unit} with a payload that is not its own")),
    };
    match frame {
        Frame::Echo { seq, payload, .. } => judged(*seq, payload, Unit::Request(*seq)),
        Frame::Reply { seq, payload, .. } => judged(*seq, payload, Unit::Answer(*seq)),
        Frame::GoAway { last, reason: CloseReason { code, .. } } => Unit::GoAway { last: *last, code: code.0 },
        Frame::Close { last, reason: close_reason, first_fin } => {
            Unit::Close { last: *last, code: close_reason.code.0, fin_first: *first_fin == Role::Server }
        }
        Frame::Failed { seq, failure } => Unit::Other(format!("FAILED {seq}, {}", failure.code.0)),
        Frame::Unknown { kind } => Unit::Other(format!("a frame of kind {kind:#04x}")),
    }
}

/// Decodes a line. It is a request or an answer only if it matches one of this scenario exactly.
fn unit_of_line(from: Role, line: &[u8], scenario: &Scenario) -> Unit {
    /// `[Mon Nov 23 08:16:00 2026] `
    const TIME: usize = 27;
    let other = || Unit::Other(echo_core::error::escape(line, 60));
    let message = match from {
        Role::Client => line,
        Role::Server => match line.split_at_checked(TIME) {
            Some((time, message)) if time.starts_with(b"[") && time.ends_with(b"] ") => message,
            Some(_) | None => return other(),
        },
    };
    let digits = message.strip_prefix(b"request ").unwrap_or_default();
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seq = str::from_utf8(&digits[..count]).ok().and_then(|digits| digits.parse().ok()).unwrap_or_default();
    if scenario.payload(seq).as_deref() != Some(message) {
        return other();
    }
    match from {
        Role::Client => Unit::Request(seq),
        Role::Server => Unit::Answer(seq),
    }
}

//! Shows answers on the framed wire, and the end of the conversation.

use crate::exit::say;
use crate::latency::Latency;
use echo_net::echo_core::plain::ctime_header;
use echo_net::echo_core::{End, Outcome};
use echo_net::{Answer, Clock};
use serde_json::{Value, json};

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Each answer as a line after its time; the end on standard error.
    Text,
    /// Like `Text`, but standard error only shows problems.
    Quiet,
    /// Each answer as a JSON object in a line; the end as the last object.
    Json,
}

impl Show {
    pub(crate) fn answer(self, answer: &Answer) -> Vec<u8> {
        match self {
            Self::Text | Self::Quiet => [header(answer).as_bytes(), &answer.payload, b"\n"].concat(),
            Self::Json => line(&json!({
                "seq": answer.seq,
                "text": std::str::from_utf8(&answer.payload).ok(),
                "hex": std::str::from_utf8(&answer.payload).is_err().then(|| hex(&answer.payload)),
                "t1": answer.stamps.t1.0,
                "t2": answer.stamps.t2.0,
                "t3": answer.stamps.t3.0,
                "t4": answer.stamps.t4.0,
                "delay_ns": answer.stamps.delay(),
            })),
        }
    }

    /// Returns the end as a JSON object in a line.
    pub(crate) fn end(self, outcome: &Outcome, latency: &Latency) -> Vec<u8> {
        let code = match &outcome.end {
            End::Clean(code) | End::Failed { code, .. } => Some(code.0),
            End::Unproven | End::Truncated | End::UnexpectedEof => None,
            End::Reset | End::TimedOut(_) | End::Violation(_) => None,
        };
        line(&json!({
            "end": outcome.end.name(),
            "code": code,
            "detail": outcome.end.to_string(),
            "answered": outcome.account.answered,
            "refused": outcome.account.refused,
            "unknown": outcome.account.unknown,
            "latency": latency.json(),
        }))
    }

    /// Prints the end to standard error.
    pub(crate) fn tell(self, outcome: &Outcome, latency: &Latency) {
        if self == Self::Text {
            say(&format!("the conversation ended {outcome}"));
            if !latency.is_empty() {
                say(&latency.to_string());
            }
        }
    }
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the server's time of the answer in the format of the classic program, in this client's time zone.
pub(crate) fn header(answer: &Answer) -> String {
    ctime_header(answer.stamps.t3, (Clock::local().utc_offset)(answer.stamps.t3))
}

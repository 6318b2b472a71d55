//! tungstenite, by tokio-tungstenite: what the closing handshake of WebSocket proves.

#[path = "../../../sim-tests/tests/shared/careless.rs"]
mod careless;
#[allow(dead_code, reason = "it is a program, too")]
#[path = "../../../sim-tests/examples/websocket.rs"]
mod example;

use self::example::{Manner, Word, networks, trial};
use crate::question::{Question, random};

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "tungstenite, closed with code 1000 after the last answer",
            "Does the closing handshake prove to both sides that the other has all?",
            || trial(Manner::Answered, Word::Both).networks(&networks()).label(random),
        ),
        Question::new(
            "tungstenite, closed with code 1000 right after the last message",
            "The same: does the server's success mean that the client has the answers?",
            // RFC 6455 promises it to nobody.
            || trial(Manner::AtOnce, Word::Both).networks(&networks()).label(random).only_surprises(),
        ),
        Question::new(
            "tungstenite, `while let Some(Ok(message))`",
            "A common loop takes every error for the end: does it take a part for the whole?",
            || careless::trial(&networks()).label(random),
        ),
    ]
}

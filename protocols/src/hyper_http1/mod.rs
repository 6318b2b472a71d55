//! hyper, HTTP/1: bodies whose end is marked in three ways, and hyper-util's client with its pool.

#[allow(dead_code, reason = "it is a program, too")]
#[path = "../../../sim-tests/examples/http1.rs"]
mod bodies;
mod pool;

use self::bodies::{Framing, Handler, servers_trial, trial};
use crate::question::Question;

pub(crate) fn questions() -> Vec<Question> {
    let part = "Does the client ever take a part of a response for the whole?";
    vec![
        Question::new("hyper, HTTP/1, Content-Length", part, || trial(Framing::Length, Handler::Sound)),
        Question::new("hyper, HTTP/1, chunked", part, || trial(Framing::Chunked, Handler::Sound)),
        Question::new("hyper, HTTP/1, up to the end of the connection", part, || trial(Framing::End, Handler::Sound)),
        Question::new(
            "hyper, HTTP/1, Ok of the server's connection",
            "Does it mean that the client has the response?",
            // HTTP has no acknowledgment, so this is allowed.
            || servers_trial(Framing::Length).only_surprises(),
        ),
        Question::new(
            "hyper-util, HTTP/1 client with a pool",
            "Is a POST ever run twice, because the client sends it again by itself?",
            pool::runs_once,
        ),
        Question::new(
            "hyper-util, HTTP/1 client with a pool, a second try",
            "Two requests after each other, and the connection of the first breaks: does the second fail for it?",
            pool::fails_once,
        ),
    ]
}

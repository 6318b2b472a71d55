//! What can be seen of a connection.

use super::{Connection, Parser};
use crate::close::{self};
use crate::outcome::Outcome;
use crate::session::Traffic;

impl Connection {
    /// Whether input should be read from the transport. If not, the peer has to read first.
    pub fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    /// Client: whether a request would be taken and not pile up behind others that wait to be sent.
    pub fn wants_requests(&self) -> bool {
        self.session.wants_requests()
    }

    /// Whether the transport failed to write.
    pub fn is_write_closed(&self) -> bool {
        self.session.is_write_closed()
    }

    /// The close machine, for what each direction has come to.
    pub fn machine(&self) -> &close::Machine {
        self.session.machine()
    }

    /// What went over the connection so far.
    pub fn traffic(&self) -> Traffic {
        self.session.traffic()
    }

    /// Bytes that wait to be sent.
    pub fn waiting_output(&self) -> usize {
        self.session.waiting()
    }

    /// Bytes of memory it owns beside itself: an incomplete message, and what is not yet sent. An idle connection owns
    /// none.
    pub fn owned_memory(&self) -> usize {
        let input = match &self.parser {
            Parser::Undetected => 0,
            Parser::Greeting(greeting) => greeting.owned(),
            Parser::Framed(decoder) => decoder.owned(),
            Parser::Plain { splitter, .. } => splitter.owned(),
        };
        input + self.session.owned()
    }

    /// Whether the client speaks the plain wire; `None` while a server does not know.
    pub fn is_plain(&self) -> Option<bool> {
        match self.parser {
            Parser::Undetected => None,
            Parser::Greeting(_) | Parser::Framed(_) => Some(false),
            Parser::Plain { .. } => Some(true),
        }
    }

    /// The outcome, once the conversation is over.
    pub fn outcome(&self) -> Option<Outcome> {
        self.session.outcome()
    }
}

//! Accessors of a connection.

use super::{Connection, Parser};
use crate::close::{self};
use crate::outcome::Outcome;
use crate::session::Traffic;

impl Connection {
    /// Returns whether to read input from the transport. If not, the peer must read first, or its FIN was read.
    pub fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    /// Returns the numbers of the requests that the user has to answer, in order. There are none once no answer can be
    /// sent.
    pub fn unanswered(&self) -> impl Iterator<Item = u64> {
        self.session.unanswered()
    }

    /// Client: returns whether a request is accepted and does not pile up behind unsent ones.
    pub fn wants_requests(&self) -> bool {
        self.session.wants_requests()
    }

    /// Returns whether the transport failed to write.
    pub fn is_write_closed(&self) -> bool {
        self.session.is_write_closed()
    }

    /// Returns the close machine, which has the state of each direction.
    pub fn machine(&self) -> &close::Machine {
        self.session.machine()
    }

    /// Returns the traffic so far.
    pub fn traffic(&self) -> Traffic {
        self.session.traffic()
    }

    /// Returns the bytes that are not yet sent.
    pub fn waiting_output(&self) -> usize {
        self.session.waiting()
    }

    /// Returns the bytes of memory it owns beside itself: an incomplete message, and unsent output. An idle connection
    /// owns none.
    pub fn owned_memory(&self) -> usize {
        let input = match &self.parser {
            Parser::Undetected => 0,
            Parser::Greeting(greeting) => greeting.owned(),
            Parser::Framed(decoder) => decoder.owned(),
            Parser::Plain { splitter, .. } => splitter.owned(),
        };
        input + self.session.owned()
    }

    /// Returns whether the client uses the plain wire. `None` while a server does not know.
    pub fn is_plain(&self) -> Option<bool> {
        match self.parser {
            Parser::Undetected => None,
            Parser::Greeting(_) | Parser::Framed(_) => Some(false),
            Parser::Plain { .. } => Some(true),
        }
    }

    /// Returns the outcome once the conversation is over.
    pub fn outcome(&self) -> Option<Outcome> {
        self.session.outcome()
    }
}

//! Two connections that exchange their bytes.

use super::raw::EPOCH;
use super::solo::{SPINNING, Solo};
use echo_core::{Config, Connection, Outcome};
use std::time::Duration;

/// A client and a server, and the two directions between them.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Solo,
    /// The server.
    pub server: Solo,
    to_server: Way,
    to_client: Way,
}

/// How much of one side's output the other has received.
#[derive(Debug, Default)]
struct Way {
    carried: usize,
    over: bool,
}

impl Way {
    /// Delivers up to `most` bytes, then FIN, or RST in its place. Returns whether there was anything to deliver.
    fn carry(&mut self, from: &Solo, to: &mut Solo, most: usize) -> bool {
        let end = from.sent.len().min(self.carried.saturating_add(most));
        if self.over || (self.carried == end && from.fin.is_none() && !from.aborted) {
            return false;
        }
        let bytes = &from.sent[self.carried..end];
        self.carried = end;
        if to.outcome.is_none() && !bytes.is_empty() {
            to.feed(bytes);
        } else if bytes.is_empty() {
            self.over = true;
            match (to.outcome.is_none(), from.aborted) {
                (true, true) => to.reset(),
                (true, false) => to.feed_fin(),
                (false, _) => (),
            }
        }
        true
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// Creates both sides with the default configuration.
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    /// Creates both sides with the same configuration.
    pub fn with(config: Config) -> Self {
        Self::of(Connection::client(config, EPOCH), Connection::server(config, EPOCH))
    }

    /// Connects these two connections.
    pub fn of(client: Connection, server: Connection) -> Self {
        Self {
            client: Solo::new(client),
            server: Solo::new(server),
            to_server: Way::default(),
            to_client: Way::default(),
        }
    }

    /// Delivers up to `most` bytes to the server, then FIN, or RST in its place. Returns whether there was anything to
    /// deliver.
    pub fn carry_to_server(&mut self, most: usize) -> bool {
        self.to_server.carry(&self.client, &mut self.server, most)
    }

    /// The same in the other direction.
    pub fn carry_to_client(&mut self, most: usize) -> bool {
        self.to_client.carry(&self.server, &mut self.client, most)
    }

    /// Cuts this direction: the server receives FIN, and nothing more of the client, as behind a relay.
    pub fn cut_to_server(&mut self) {
        self.to_server.over = true;
        self.server.feed_fin();
    }

    /// The same in the other direction.
    pub fn cut_to_client(&mut self) {
        self.to_client.over = true;
        self.client.feed_fin();
    }

    /// Delivers everything, in pieces of `most` bytes, alternately in both directions.
    pub fn exchange(&mut self, most: usize) {
        loop {
            let there = self.carry_to_server(most);
            let back = self.carry_to_client(most);
            if !there && !back {
                break;
            }
        }
    }

    /// Advances both sides to the next deadline of either.
    pub fn step(&mut self) {
        let open = [&self.client, &self.server].into_iter().filter(|side| side.outcome.is_none());
        if let Some(at) = open.filter_map(|side| side.connection.next_time()).min() {
            self.advance_to(at);
        }
    }

    /// Advances both sides to `at`.
    pub fn advance_to(&mut self, at: Duration) {
        let at = at.max(self.client.now).max(self.server.now);
        self.client.advance_to(at);
        self.server.advance_to(at);
    }

    /// Delivers and waits until both sides have ended. Returns both outcomes, the client's first.
    pub fn finish(&mut self, most: usize) -> (Outcome, Outcome) {
        for _ in 0..SPINNING {
            self.exchange(most);
            if let (Some(client), Some(server)) = (&self.client.outcome, &self.server.outcome) {
                return (client.clone(), server.clone());
            }
            self.step();
        }
        panic!("no end");
    }
}

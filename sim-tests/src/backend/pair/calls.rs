//! The calls of a service: each answers its request after the same time.

use super::world::World;
use crate::support::Millis;
use echo_core::Connection;
use std::collections::VecDeque;

/// The running calls of a server, the oldest first.
pub(super) struct Calls {
    /// How long a call takes. `None` if the server echoes.
    takes: Option<Millis>,
    running: VecDeque<Call>,
}

struct Call {
    due: Millis,
    seq: u64,
    message: Vec<u8>,
}

impl Calls {
    pub(super) fn new(takes: Option<Millis>) -> Self {
        Self { takes, running: VecDeque::new() }
    }

    /// Begins the call of a request, if the server is a service.
    pub(super) fn begin(&mut self, seq: u64, message: &[u8], world: &World) {
        if let Some(takes) = self.takes {
            self.running.push_back(Call { due: world.log.now() + takes, seq, message: message.to_vec() });
        }
    }

    /// Begins the calls of plain messages that were cut off, and answers those requests whose time is over.
    pub(super) fn answer(&mut self, connection: &mut Connection, world: &World) {
        while let Some((seq, message)) = connection.take_cut_off() {
            self.begin(seq, &message, world);
        }
        if connection.unanswered().next().is_none() {
            // Nobody can be answered any more.
            self.running.clear();
        }
        while let Some(call) = self.running.pop_front_if(|call| call.due <= world.log.now()) {
            // The conversation may be so far that no answer can be sent; its account says so.
            let _ = connection.reply(world.now(), call.seq, &call.message);
        }
    }

    /// Returns when the next call ends.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.running.front().map(|call| call.due)
    }
}

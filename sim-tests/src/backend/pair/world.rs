//! The network between both ends, and the event log.

use crate::backend::faulty_links::FaultyLinks;
use crate::network::StreamPacket;
use crate::record::event_log::{EventLog, LogEvent, Unit};
use crate::record::wire_decoder::StreamChunk;
use crate::scenario::Scenario;
use echo_core::Role;
use std::time::Duration;

/// What both ends share.
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) log: EventLog,
    pub(super) links: FaultyLinks<StreamPacket<u8>>,
}

impl World {
    pub(super) fn send(&mut self, from: Role, packet: StreamPacket<u8>) {
        let chunk = match &packet {
            StreamPacket::Data(bytes) => StreamChunk::Data(bytes),
            StreamPacket::Fin => StreamChunk::Fin,
            StreamPacket::Reset => StreamChunk::Reset,
        };
        let units = self.links.push(&mut self.log, from, chunk, packet.clone());
        for unit in units {
            // A kernel answers every packet for a closed socket with RST; the log needs only the first.
            if unit != Unit::Reset || !self.log.has_sent(from, |sent| *sent == Unit::Reset) {
                self.log.note(from, LogEvent::Sent(unit));
            }
        }
    }

    pub(super) fn now(&self) -> Duration {
        Duration::from_millis(self.log.now())
    }
}

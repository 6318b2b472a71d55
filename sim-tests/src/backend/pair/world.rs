//! The network between both ends, and the event log.

use crate::backend::faulty_links::FaultyLinks;
use crate::network::PacketKind;
use crate::network::link::Arrival;
use crate::record::event_log::{EventLog, LogEvent, Unit};
use crate::record::wire_decoder::StreamChunk;
use crate::scenario::Scenario;
use echo_core::Role;
use std::time::Duration;

/// What both ends have in common.
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) log: EventLog,
    pub(super) links: FaultyLinks<Packet>,
}

#[derive(Clone, Debug)]
pub(super) enum Packet {
    Data(Vec<u8>),
    Fin,
    Reset,
}

impl Packet {
    pub(super) fn segment(&self) -> StreamChunk<'_> {
        match self {
            Self::Data(bytes) => StreamChunk::Data(bytes),
            Self::Fin => StreamChunk::Fin,
            Self::Reset => StreamChunk::Reset,
        }
    }
}

impl From<Arrival<Packet>> for Packet {
    fn from(arrival: Arrival<Packet>) -> Self {
        match arrival {
            Arrival::Packet(packet) => packet,
            Arrival::Made(PacketKind::Data) => Self::Data(Vec::new()),
            Arrival::Made(PacketKind::Fin) => Self::Fin,
            Arrival::Made(PacketKind::Reset) => Self::Reset,
        }
    }
}

impl World {
    pub(super) fn send(&mut self, from: Role, packet: Packet) {
        let units = self.links.push(&mut self.log, from, packet.segment(), packet.clone());
        for unit in units {
            // A kernel answers every packet for a socket that is gone with RST; one is enough to know.
            if unit != Unit::Reset || !self.log.has_sent(from, |sent| *sent == Unit::Reset) {
                self.log.note(from, LogEvent::Sent(unit));
            }
        }
    }

    pub(super) fn now(&self) -> Duration {
        Duration::from_millis(self.log.now())
    }
}

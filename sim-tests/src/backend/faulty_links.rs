//! The links with a scenario's faults: they decode what each packet carries, and hold the packets that a fault selects.

use crate::network::PacketKind;
use crate::network::link::{Arrival, Links};
use crate::record::event_log::{EventLog, LogEvent, Unit};
use crate::record::wire_decoder::{StreamChunk, WireDecoder};
use crate::scenario::Scenario;
use crate::scenario::network::{HeldContent, Holds, Span};
use crate::support::Millis;
use echo_core::Role;

/// The links of a scenario.
#[derive(Debug)]
pub(crate) struct FaultyLinks<P> {
    links: Links<P>,
    /// The faults that wait for a packet.
    holds: Holds,
    /// By [`Role`].
    decoders: [WireDecoder; 2],
}

impl<P> FaultyLinks<P> {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            links: Links::new(scenario.network.path()),
            holds: Holds::of(&scenario.network.faults),
            decoders: Role::BOTH.map(|from| WireDecoder::new(from, scenario)),
        }
    }

    /// Takes a packet from `from`. Returns what it carries.
    pub(crate) fn push(&mut self, log: &mut EventLog, from: Role, segment: StreamChunk<'_>, packet: P) -> Vec<Unit> {
        let units = self.decoders[from as usize].decode(segment);
        for span in self.holds.take(from, |content| units.iter().any(|unit| carries(unit, content))) {
            self.links.hold(from, span.after(log.now()));
            log.note(from, LogEvent::Held);
        }
        self.links.push(log.now(), from, segment.kind(), segment.size(), packet);
        units
    }

    /// See [`Links::waiting`].
    pub(crate) fn waiting(&self, from: Role, now: Millis) -> usize {
        self.links.waiting(from, now)
    }

    /// See [`Links::is_arriving`].
    pub(crate) fn is_arriving(&self, from: Role, now: Millis) -> bool {
        self.links.is_arriving(from, now)
    }

    /// See [`Links::take_deleted`].
    #[cfg(feature = "turmoil")]
    pub(crate) fn take_deleted(&mut self, from: Role) -> usize {
        self.links.take_deleted(from)
    }

    /// See [`Links::taken`].
    #[cfg(feature = "turmoil")]
    pub(crate) fn taken(&self, from: Role, now: Millis) -> Option<usize> {
        self.links.taken(from, now)
    }

    /// See [`Links::delete_waiting`].
    pub(crate) fn delete_waiting(&mut self, from: Role, now: Millis) {
        self.links.delete_waiting(from, now);
    }

    /// Blocks both directions for `span`.
    pub(crate) fn cut(&mut self, now: Millis, span: Span) {
        self.links.cut(span.after(now));
    }

    /// See [`Links::lose`].
    pub(crate) fn lose(&mut self, side: Role) {
        self.links.lose(side);
    }

    /// Takes the next packet from `from` that may arrive by `now`. Logs a packet that a relay made.
    pub(crate) fn pop(&mut self, log: &mut EventLog, from: Role, now: Millis) -> Option<Arrival<P>> {
        let arrival = self.links.pop(from, now)?;
        if let Arrival::Made(kind) = arrival {
            log.note(from.peer(), LogEvent::Relayed(kind.unit()));
        }
        Some(arrival)
    }

    /// See [`Links::under_way`].
    #[cfg(feature = "turmoil")]
    pub(crate) fn under_way(&self, from: Role) -> usize {
        self.links.under_way(from)
    }

    /// See [`Links::take`].
    #[cfg(feature = "turmoil")]
    pub(crate) fn take(&mut self, from: Role) -> Option<Arrival<P>> {
        self.links.take(from)
    }

    /// The faults whose packet was never sent.
    pub(crate) fn left(&self) -> Vec<String> {
        self.holds.left().collect()
    }

    /// See [`Links::next_due`].
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.links.next_due()
    }
}

impl StreamChunk<'_> {
    /// The size in bytes.
    fn size(self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Fin | Self::Reset => 0,
        }
    }

    fn kind(self) -> PacketKind {
        match self {
            Self::Data(_) => PacketKind::Data,
            Self::Fin => PacketKind::Fin,
            Self::Reset => PacketKind::Reset,
        }
    }
}

impl PacketKind {
    /// The unit of the event log for this kind.
    fn unit(self) -> Unit {
        match self {
            Self::Data => Unit::Other("data".to_owned()),
            Self::Fin => Unit::Fin,
            Self::Reset => Unit::Reset,
        }
    }
}

pub(crate) fn carries(unit: &Unit, mark: HeldContent) -> bool {
    match mark {
        HeldContent::GoAway => matches!(unit, Unit::GoAway { .. }),
        HeldContent::Close => matches!(unit, Unit::Close { .. }),
        HeldContent::Fin => matches!(unit, Unit::Fin),
    }
}

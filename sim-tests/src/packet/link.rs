//! The link between the two hosts: packets in flight, and when they arrive.

use crate::support::Millis;
use crate::tcp::{PacketFate, corrupted};
use echo_core::Role;
use std::collections::BTreeMap;

/// Later than every other time.
const NEVER: Millis = Millis::MAX;
/// The longest time that a packet waits for the next one of its direction.
const ALONE: Millis = 50;

/// A packet in flight.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) index: u32,
    pub(crate) to: Role,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Link {
    latency: Millis,
    /// Packets arrive only at multiples of this time; 0 is at any time.
    batch: Millis,
    /// Ordered by arrival, then by departure.
    under_way: BTreeMap<(Millis, u64), Packet>,
    departures: u64,
    /// Nothing from this side arrives earlier; by [`Role`].
    floors: [Millis; 2],
    /// The key of the packet that waits for the next one of its direction; by [`Role`].
    behind: [Option<(Millis, u64)>; 2],
}

impl Link {
    pub(crate) fn new(latency: Millis, batch: Millis) -> Self {
        let (under_way, behind) = (BTreeMap::new(), [None, None]);
        Self { latency, batch, under_way, departures: 0, floors: [0, 0], behind }
    }

    /// Takes a packet from `from`, and puts it on its way according to its fate.
    pub(crate) fn take(&mut self, now: Millis, from: Role, index: u32, bytes: Vec<u8>, fate: PacketFate) {
        let packet = Packet { index, to: from.peer(), bytes };
        let waiting = self.behind[from as usize].take().and_then(|key| self.under_way.remove(&key));
        let at = now.saturating_add(self.latency);
        match fate {
            PacketFate::Deliver => self.put(from, at, packet),
            PacketFate::Lose => None,
            PacketFate::Twice(span) => {
                self.put(from, at, packet.clone());
                self.put(from, at.saturating_add(span), packet)
            }
            PacketFate::Late(span) => self.put(from, at.saturating_add(span), packet),
            PacketFate::Corrupt => self.put(from, at, Packet { bytes: corrupted(&packet.bytes), ..packet }),
            PacketFate::Behind => {
                // It arrives this late only if no other packet leaves before.
                self.behind[from as usize] = self.put(from, at.saturating_add(ALONE), packet);
                self.behind[from as usize]
            }
        };
        if let Some(waiting) = waiting {
            self.put(from, at, waiting);
        }
    }

    /// Puts a packet in flight and returns its key; `None` if it never arrives.
    fn put(&mut self, from: Role, at: Millis, packet: Packet) -> Option<(Millis, u64)> {
        let floor = self.floors[from as usize];
        let at = at.max(floor);
        let at = if self.batch == 0 || at == NEVER { at } else { at.div_ceil(self.batch).saturating_mul(self.batch) };
        if at == NEVER {
            return None;
        }
        self.departures += 1;
        self.under_way.insert((at, self.departures), packet);
        Some((at, self.departures))
    }

    /// Holds what `from` sends from now on: it arrives at `until` or later; `None` is never.
    pub(crate) fn hold(&mut self, from: Role, until: Option<Millis>) {
        let floor = &mut self.floors[from as usize];
        *floor = (*floor).max(until.unwrap_or(NEVER));
    }

    /// Blocks both directions until `until`, packets in flight included; `None` is for ever.
    pub(crate) fn cut(&mut self, until: Option<Millis>) {
        for from in Role::BOTH {
            self.hold(from, until);
        }
        for (_, packet) in std::mem::take(&mut self.under_way) {
            self.put(packet.to.peer(), 0, packet);
        }
    }

    /// Removes and returns the next packet that arrives by `now`.
    pub(crate) fn pop(&mut self, now: Millis) -> Option<Packet> {
        let entry = self.under_way.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        Some(entry.remove())
    }

    /// Returns when the next packet arrives.
    pub(crate) fn due(&self) -> Option<Millis> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }
}

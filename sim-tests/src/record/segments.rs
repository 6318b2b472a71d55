//! The segments of a record, and retransmissions.

use super::Record;
use crate::tcp::{Flags, PacketFate, Segment, TcpEvent};

/// Returns the segments that were sent, in order, each with its fate.
pub(crate) fn segments(record: &Record) -> impl Iterator<Item = (&Segment, PacketFate)> {
    record.packets.iter().filter_map(|moment| match &moment.event {
        TcpEvent::Sent { segment, fate, .. } => Some((segment, *fate)),
        TcpEvent::Arrived { .. } | TcpEvent::Changed { .. } => None,
    })
}

/// Returns the distance from `start` to `number` in sequence space (modulo 2^32); `None` if `number` is not after
/// `start`.
pub(crate) fn beyond(number: u32, start: u32) -> Option<u32> {
    let distance = number.wrapping_sub(start);
    (distance < 1 << 31).then_some(distance).filter(|distance| *distance > 0)
}

/// Returns whether a segment repeats sequence numbers that its side has sent before, that is, whether it is a
/// retransmission (RFC 9293 section 3.8).
pub fn is_again(record: &Record, segment: &Segment) -> bool {
    let before = segments(record).map(|(other, _)| other).take_while(|other| other.index < segment.index);
    let mut same = before.filter(|other| other.from == segment.from && other.ports == segment.ports);
    segment.space() > 0
        && !segment.flags.has(Flags::RST)
        && same.any(|other| {
            let end = other.seq.wrapping_add(other.space());
            other.space() > 0 && beyond(end, segment.seq).is_some()
        })
}

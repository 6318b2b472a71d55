//! The links between the two ends: they decide when each packet may arrive, and apply the relay. No randomness.

use super::packet_kind::PacketKind;
use super::path::Path;
use super::relay::{Move, Relay, RelayState};
use super::send_buffer::SendBuffer;
use crate::support::Millis;
use echo_core::Role;
use std::collections::VecDeque;

/// Arrival time of a packet that never arrives.
const NEVER: Millis = Millis::MAX;

/// What arrives at an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival<P> {
    /// A packet that the other end has sent.
    Packet(P),
    /// A FIN or a RST that a relay has made.
    Made(PacketKind),
}

/// The links in both directions. `P` is what a backend keeps of a packet.
#[derive(Debug)]
pub(crate) struct Links<P> {
    path: Path,
    /// From each end to the relay, or to the other end if there is no relay. By [`Role`].
    out: [OneWayLink<P>; 2],
    /// From the relay to the peer of an end. By the [`Role`] of the end that the packets come from.
    onward: [OneWayLink<P>; 2],
    relay: RelayState,
    /// Whether the relay has done anything other than forwarding.
    meddled: bool,
    /// Packets that were deleted in their sender's kernel, by [`Role`].
    deleted: [usize; 2],
}

#[derive(Debug)]
struct OneWayLink<P> {
    queue: VecDeque<(Millis, PacketKind, Arrival<P>)>,
    /// Nothing arrives before this time.
    floor: Millis,
    buffer: SendBuffer,
}

impl<P> OneWayLink<P> {
    fn new() -> Self {
        Self { queue: VecDeque::new(), floor: 0, buffer: SendBuffer::default() }
    }

    fn push(&mut self, at: Millis, kind: PacketKind, packet: Arrival<P>) {
        let after = self.queue.back().map_or(0, |(due, _, _)| *due);
        self.queue.push_back((at.max(self.floor).max(after), kind, packet));
    }

    fn pop(&mut self, now: Millis) -> Option<(Millis, PacketKind, Arrival<P>)> {
        match self.queue.front() {
            Some((due, _, _)) if *due <= now => self.queue.pop_front(),
            Some(_) | None => None,
        }
    }

    fn hold(&mut self, until: Millis) {
        self.floor = self.floor.max(until);
    }

    /// Delays also the packets that are already in flight.
    fn stop(&mut self, until: Millis) {
        self.hold(until);
        for (due, _, _) in &mut self.queue {
            *due = (*due).max(until);
        }
    }

    /// Drops all packets that have not arrived by `now`.
    fn destroy(&mut self, now: Millis) {
        self.queue.retain(|(due, _, _)| *due <= now);
    }

    /// Deletes what has not left by `now`. Returns the number of packets.
    fn delete_waiting(&mut self, now: Millis) -> usize {
        self.buffer.pass(now);
        let count = self.buffer.waiting.len();
        self.queue.truncate(self.queue.len().saturating_sub(count));
        self.buffer.waiting.clear();
        count
    }

    fn next(&self) -> Option<Millis> {
        self.queue.front().map(|(due, _, _)| *due).filter(|due| *due != NEVER)
    }
}

impl<P> Links<P> {
    pub(crate) fn new(path: Path) -> Self {
        let legs = || [OneWayLink::new(), OneWayLink::new()];
        Self { path, out: legs(), onward: legs(), relay: RelayState::default(), meddled: false, deleted: [0, 0] }
    }

    /// Takes a packet of `size` bytes from `from`. Packets of one direction arrive in order, but a RST may overtake
    /// others. A RST deletes all packets that wait before it in the sender's kernel.
    pub(crate) fn push(&mut self, now: Millis, from: Role, kind: PacketKind, size: usize, packet: P) {
        let leg = &mut self.out[from as usize];
        if kind == PacketKind::Reset {
            self.deleted[from as usize] += leg.delete_waiting(now);
            if self.path.overtaking {
                leg.destroy(now);
            }
        }
        leg.buffer.pass(now.saturating_sub(self.path.latency));
        let now = leg.buffer.push(now, size, self.path.takes);
        let whole = self.path.latency;
        let latency = if self.path.relay.is_some() { whole / 2 } else { whole };
        let at = now.saturating_add(latency);
        let due = if self.path.relay.is_some() { at } else { batched(at, self.path.batch) };
        leg.push(due, kind, Arrival::Packet(packet));
    }

    /// Bytes that wait in the kernel of `from` because the peer's program has not read them.
    pub(crate) fn waiting(&self, from: Role, now: Millis) -> usize {
        self.out[from as usize].buffer.left(now, self.path.takes)
    }

    /// Whether a packet of `from` has arrived in part. The peer's program has not read it, because a program on this
    /// network reads whole packets. For networks without a relay.
    pub(crate) fn is_arriving(&self, from: Role, now: Millis) -> bool {
        let latency = self.path.latency;
        self.out[from as usize].buffer.is_leaving(now.saturating_sub(latency))
    }

    /// Deletes what waits in the kernel of `from`, whose connection the peer has reset.
    pub(crate) fn delete_waiting(&mut self, from: Role, now: Millis) {
        self.deleted[from as usize] += self.out[from as usize].delete_waiting(now);
    }

    /// Returns how many packets of `from` were deleted before they left, since the last call. They are the last ones
    /// that it sent, apart from a RST.
    #[cfg(feature = "turmoil")]
    pub(crate) fn take_deleted(&mut self, from: Role) -> usize {
        std::mem::take(&mut self.deleted[from as usize])
    }

    /// Bytes of `from` that have left its kernel; `None` if readers are not slow.
    #[cfg(feature = "turmoil")]
    pub(crate) fn taken(&self, from: Role, now: Millis) -> Option<usize> {
        let buffer = &self.out[from as usize].buffer;
        (self.path.takes > 0).then(|| buffer.written - buffer.left(now, self.path.takes))
    }

    /// Delays what `from` sends from now on until `until`; `None` means for ever.
    pub(crate) fn hold(&mut self, from: Role, until: Option<Millis>) {
        self.out[from as usize].hold(until.unwrap_or(NEVER));
    }

    /// Blocks both directions until `until`; `None` means for ever.
    pub(crate) fn cut(&mut self, until: Option<Millis>) {
        for leg in self.out.iter_mut().chain(&mut self.onward) {
            leg.stop(until.unwrap_or(NEVER));
        }
    }

    /// Cuts the power of `side`: nothing more reaches it, and nothing new leaves it.
    pub(crate) fn lose(&mut self, side: Role) {
        self.out[side as usize].hold(NEVER);
        match self.path.relay {
            Some(_) => self.onward[side.peer() as usize].stop(NEVER),
            None => self.out[side.peer() as usize].stop(NEVER),
        }
    }

    /// Takes the next packet from `from` that may arrive by `now`.
    pub(crate) fn pop(&mut self, from: Role, now: Millis) -> Option<Arrival<P>> {
        let Some(relay) = self.path.relay else {
            return self.out[from as usize].pop(now).map(|(_, _, packet)| packet);
        };
        self.pass(relay, now);
        self.onward[from as usize].pop(now).map(|(_, _, packet)| packet)
    }

    /// Packets from `from` that are in flight and not held for ever.
    #[cfg(feature = "turmoil")]
    pub(crate) fn under_way(&self, from: Role) -> usize {
        self.out[from as usize].queue.iter().take_while(|(due, _, _)| *due != NEVER).count()
    }

    /// Takes the next packet from `from`, whenever it is due. For networks without a relay.
    #[cfg(feature = "turmoil")]
    pub(crate) fn take(&mut self, from: Role) -> Option<Arrival<P>> {
        self.out[from as usize].pop(NEVER - 1).map(|(_, _, packet)| packet)
    }

    /// Runs the relay up to `now`.
    fn pass(&mut self, relay: Relay, now: Millis) {
        loop {
            let heads = Role::BOTH.map(|from| (self.out[from as usize].next(), from));
            let first = heads.into_iter().filter_map(|(due, from)| Some((due?, from))).min_by_key(|(due, _)| *due);
            let first = first.filter(|(due, _)| *due <= now);
            let patience = self.relay.patience().filter(|at| *at <= now);
            let moves = match (first, patience) {
                (Some((due, _)), Some(at)) if at < due => self.relay.give_up(at),
                (None, Some(at)) => self.relay.give_up(at),
                (Some((_, from)), _) => {
                    let Some((due, kind, packet)) = self.out[from as usize].pop(now) else { return };
                    let moves = self.relay.take(relay, due, from, kind);
                    if let Some(Move::Forward) = moves.first() {
                        self.onward(from, due, kind, packet);
                    }
                    moves
                }
                (None, None) => return,
            };
            self.meddled |= moves != [Move::Forward];
            for step in moves {
                if let Move::Make { towards, kind, at } = step {
                    self.onward(towards.peer(), at, kind, Arrival::Made(kind));
                }
            }
        }
    }

    fn onward(&mut self, from: Role, at: Millis, kind: PacketKind, packet: Arrival<P>) {
        let latency = self.path.latency - self.path.latency / 2;
        let due = batched(at.saturating_add(latency), self.path.batch);
        let leg = &mut self.onward[from as usize];
        if kind == PacketKind::Reset && self.path.overtaking {
            leg.destroy(at);
        }
        leg.push(due, kind, packet);
    }

    /// Lets a machine between the ends send FIN or RST to `to`.
    #[cfg(feature = "trial")]
    pub(crate) fn make(&mut self, now: Millis, to: Role, kind: PacketKind) {
        match self.path.relay {
            Some(_) => self.onward(to.peer(), now, kind, Arrival::Made(kind)),
            None => {
                let due = batched(now.saturating_add(self.path.latency), self.path.batch);
                self.out[to.peer() as usize].push(due, kind, Arrival::Made(kind));
            }
        }
    }

    /// Drops what a relay has not received. It is gone, too.
    #[cfg(feature = "trial")]
    pub(crate) fn forget_relayed(&mut self) {
        if self.path.relay.is_some() {
            self.out.iter_mut().for_each(|leg| leg.queue.clear());
            self.relay = RelayState::default();
        }
    }

    /// Whether the relay has done anything other than forwarding.
    pub(crate) fn has_meddled(&self) -> bool {
        self.meddled
    }

    /// The time of the next arrival or timeout of the relay.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        let legs = self.out.iter().chain(&self.onward).filter_map(OneWayLink::next);
        legs.chain(self.relay.patience()).min()
    }
}

fn batched(at: Millis, batch: Millis) -> Millis {
    if batch == 0 { at } else { at.div_ceil(batch).saturating_mul(batch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Client, Server};

    fn path(relay: Option<Relay>) -> Path {
        Path { latency: 10, batch: 0, overtaking: false, relay, takes: 0 }
    }

    /// Returns everything that arrives, in order, with its time.
    fn drain(links: &mut Links<&'static str>) -> Vec<(Millis, Role, Arrival<&'static str>)> {
        let mut all = Vec::new();
        while let Some(now) = links.next_due() {
            for from in [Client, Server] {
                while let Some(packet) = links.pop(from, now) {
                    all.push((now, from, packet));
                }
            }
        }
        all
    }

    #[test]
    fn packets_take_their_time_and_keep_their_order() {
        let mut links = Links::new(path(None));
        links.push(0, Client, PacketKind::Data, 0, "a");
        links.hold(Client, Some(50));
        links.push(1, Client, PacketKind::Data, 0, "b");
        links.push(2, Server, PacketKind::Data, 0, "c");
        let expected = [(10, Client, "a"), (12, Server, "c"), (50, Client, "b")];
        assert_eq!(drain(&mut links), expected.map(|(at, from, text)| (at, from, Arrival::Packet(text))));
    }

    #[test]
    fn a_batch_arrives_together() {
        let mut links = Links::new(Path { batch: 7, ..path(None) });
        for (at, text) in [(0, "a"), (3, "b"), (5, "c")] {
            links.push(at, Client, PacketKind::Data, 0, text);
        }
        let times: Vec<_> = drain(&mut links).into_iter().map(|(at, _, _)| at).collect();
        assert_eq!(times, [14, 14, 21]);
    }

    #[test]
    fn what_the_reader_has_not_taken_waits_and_a_rst_deletes_it() {
        let slow = Path { takes: 5, ..path(None) };
        let sent = |links: &mut Links<&'static str>| {
            links.push(0, Client, PacketKind::Data, 10, "a");
            links.push(1, Client, PacketKind::Data, 5, "b");
        };
        let mut links = Links::new(slow);
        sent(&mut links);
        links.push(2, Client, PacketKind::Fin, 0, "fin");
        assert_eq!([8, 5, 0], [14, 20, 30].map(|now| links.waiting(Client, now)));
        let expected = [(30, Client, "a"), (40, Client, "b"), (40, Client, "fin")];
        assert_eq!(drain(&mut links), expected.map(|(at, from, text)| (at, from, Arrival::Packet(text))));
        let mut links = Links::new(slow);
        sent(&mut links);
        links.push(21, Client, PacketKind::Reset, 0, "rst");
        let expected = [(30, Client, "a"), (31, Client, "rst")];
        assert_eq!(drain(&mut links), expected.map(|(at, from, text)| (at, from, Arrival::Packet(text))));
    }

    #[test]
    fn a_rst_overtakes_where_it_may() {
        for (overtaking, expected) in [(false, 2), (true, 1)] {
            let mut links = Links::new(Path { overtaking, ..path(None) });
            links.push(0, Server, PacketKind::Data, 0, "answer");
            links.push(1, Server, PacketKind::Reset, 0, "rst");
            assert_eq!(drain(&mut links).len(), expected);
        }
    }

    #[test]
    fn a_cut_holds_what_is_on_its_way() {
        let mut links = Links::new(path(None));
        links.push(0, Client, PacketKind::Data, 0, "a");
        links.cut(Some(100));
        assert_eq!(drain(&mut links), [(100, Client, Arrival::Packet("a"))]);
        links.cut(None);
        links.push(101, Client, PacketKind::Data, 0, "b");
        assert_eq!(drain(&mut links), []);
    }

    #[test]
    fn no_relay_passes_a_rst_on() {
        for relay in [Relay::PassesHalfClose, Relay::ClosesBoth, Relay::CutsOff(10)] {
            let mut links = Links::new(path(Some(relay)));
            links.push(0, Server, PacketKind::Data, 0, "half an answer");
            links.push(1, Server, PacketKind::Reset, 0, "rst");
            let arrived = drain(&mut links);
            let expected =
                [(10, Server, Arrival::Packet("half an answer")), (11, Server, Arrival::Made(PacketKind::Fin))];
            assert_eq!(arrived, expected, "{relay:?}");
        }
    }

    #[test]
    fn a_relay_that_closes_both_loses_the_answer_to_a_half_close() {
        let mut links = Links::new(path(Some(Relay::ClosesBoth)));
        links.push(0, Client, PacketKind::Fin, 0, "fin");
        links.push(10, Server, PacketKind::Data, 0, "answer");
        let expected = [
            (10, Client, Arrival::Packet("fin")),
            (10, Server, Arrival::Made(PacketKind::Fin)),
            (20, Client, Arrival::Made(PacketKind::Reset)),
        ];
        assert_eq!(drain(&mut links), expected);
    }

    #[test]
    fn a_relay_that_cuts_off_loses_only_a_late_answer() {
        for (at, arrives) in [(10, true), (30, false)] {
            let mut links = Links::new(path(Some(Relay::CutsOff(10))));
            links.push(0, Client, PacketKind::Fin, 0, "fin");
            // Packets are pushed when they are sent, as in a run.
            let mut arrived = Vec::new();
            for now in 0..60 {
                if now == at {
                    links.push(now, Server, PacketKind::Data, 0, "answer");
                }
                while let Some(packet) = links.pop(Server, now) {
                    arrived.push(packet);
                }
                while links.pop(Client, now).is_some() {}
            }
            let answered = arrived.contains(&Arrival::Packet("answer"));
            assert_eq!(answered, arrives, "answered at {at} ms");
            assert_eq!(arrived.last(), Some(&Arrival::Made(PacketKind::Fin)));
        }
    }

    #[test]
    fn a_relay_passes_a_half_close_and_both_fins() {
        let mut links = Links::new(path(Some(Relay::PassesHalfClose)));
        links.push(0, Client, PacketKind::Fin, 0, "fin");
        links.push(10, Server, PacketKind::Data, 0, "answer");
        links.push(11, Server, PacketKind::Fin, 0, "fin");
        let expected = [(10, Client, "fin"), (20, Server, "answer"), (21, Server, "fin")];
        assert_eq!(drain(&mut links), expected.map(|(at, from, text)| (at, from, Arrival::Packet(text))));
    }
}

//! Moves packets between turmoil and the links: takes those that were sent, and delivers those that are due.

use super::hosts::Stream;
use super::in_flight::{HeldPacket, InFlight};
use super::simulation::{HostState, Simulation, Timing};
use crate::backend::faulty_links::FaultyLinks;
use crate::backend::program::{Controller, lock};
use crate::network::PacketKind;
use crate::network::link::Arrival;
use crate::record::event_log::{EventLog, LogEvent, Unit};
use crate::record::wire_decoder::StreamChunk;
use crate::support::Millis;
use echo_core::Role;
use turmoil::Protocol;

impl Simulation {
    /// Puts the new packets onto the links.
    pub(super) fn collect(&mut self) {
        let mut log = lock(&self.log);
        let Self { sim, links, held, controller, hosts, client_address, .. } = self;
        held.retain(|state| *state != HeldPacket::Leaves);
        sim.links(|all| {
            for message in all.flatten().skip(held.len()).collect::<Vec<_>>() {
                let from = if message.pair().0.ip() == *client_address { Role::Client } else { Role::Server };
                let dark = hosts[from as usize] == HostState::Dark;
                let state = take(from, dark, message.protocol(), controller, links, &mut log);
                if state == HeldPacket::Leaves {
                    message.deliver();
                }
                forget(held, from, links.take_deleted(from));
                held.push(state);
            }
        });
        for from in Role::BOTH {
            let owes = controller.stream(from).is_some_and(|stream| stream.take_due_reset());
            if owes && hosts[from as usize] != HostState::Dark {
                links.push(&mut log, from, StreamChunk::Reset, InFlight::Reset);
                forget(held, from, links.take_deleted(from));
                log.note(from, LogEvent::Sent(Unit::Reset));
            }
        }
    }

    /// Reports to both ends how much of their output the peer has read, and whether a packet arrives in part.
    pub(super) fn tell_taken(&mut self, now: Millis) {
        for side in Role::BOTH {
            if let Some(taken) = self.links.taken(side, now) {
                let arriving = self.links.is_arriving(side.peer(), now);
                self.controller.with_stream(side, |stream| stream.set_taken(taken, arriving));
            }
        }
    }

    /// Delivers what is due in the next step. Returns whether anything is.
    pub(super) fn deliver(&mut self) -> bool {
        let arrivals = self.arrivals();
        let arrives = !arrivals.is_empty();
        let mut log = lock(&self.log);
        let Self { sim, links, held, controller, hosts, .. } = self;
        let (mut due, mut refused) = ([0, 0], [false, false]);
        for (side, arrival) in arrivals {
            if let Arrival::Packet(InFlight::Reset | InFlight::DeliverReset) | Arrival::Made(PacketKind::Reset) =
                arrival
            {
                links.delete_waiting(side.peer(), log.now() + 1);
                forget(held, side.peer(), links.take_deleted(side.peer()));
            }
            match (arrival, controller.stream(side.peer())) {
                (Arrival::Packet(InFlight::Deliver | InFlight::DeliverReset), _) => due[side as usize] += 1,
                (Arrival::Packet(InFlight::Reset) | Arrival::Made(PacketKind::Reset), Some(stream)) => stream.reset(),
                (Arrival::Made(PacketKind::Fin), Some(stream)) => stream.fin(),
                (Arrival::Packet(InFlight::Reset) | Arrival::Made(_), _) => (),
            }
        }
        sim.links(|all| {
            for (message, state) in all.flatten().zip(held.iter_mut()) {
                if let HeldPacket::Waits(from) = *state
                    && due[from as usize] > 0
                {
                    due[from as usize] -= 1;
                    let crashed = hosts[from.peer() as usize] == HostState::Crashed;
                    refused[from as usize] |= crashed && is_data(message.protocol());
                    message.deliver();
                    *state = HeldPacket::Leaves;
                }
            }
        });
        for from in Role::BOTH {
            if refused[from as usize] && !log.has_sent(from.peer(), |sent| *sent == Unit::Reset) {
                links.push(&mut log, from.peer(), StreamChunk::Reset, InFlight::Reset);
                log.note(from.peer(), LogEvent::Sent(Unit::Reset));
            }
        }
        arrives
    }

    /// Returns what arrives in the next step.
    fn arrivals(&mut self) -> Vec<(Role, Arrival<InFlight>)> {
        let Self { log, links, timing, .. } = self;
        let mut arrivals = Vec::new();
        match timing {
            Timing::Links => {
                let mut log = lock(log);
                let next = log.now() + 1;
                for from in Role::BOTH {
                    arrivals.extend(std::iter::from_fn(|| links.pop(&mut log, from, next)).map(|it| (from, it)));
                }
            }
            Timing::Choices(choices) => {
                let counts = choices.pick(Role::BOTH.map(|from| links.under_way(from)));
                for (from, count) in Role::BOTH.into_iter().zip(counts) {
                    arrivals.extend(std::iter::from_fn(|| links.take(from)).take(count).map(|it| (from, it)));
                }
            }
        }
        arrivals
    }
}

/// Puts a packet that the host of `from` has sent onto the links.
fn take(
    from: Role,
    dark: bool,
    message: &Protocol,
    controller: &Controller<Stream>,
    links: &mut FaultyLinks<InFlight>,
    log: &mut EventLog,
) -> HeldPacket {
    let stream = controller.stream(from);
    let aborted = stream.as_ref().is_some_and(|stream| stream.is_aborted());
    let reset = stream.as_ref().is_some_and(|stream| stream.is_reset());
    let Protocol::Tcp(segment) = message else { return HeldPacket::Dead };
    let (segment, parcel) = match segment {
        // Connecting takes no time, because a conversation begins after it.
        turmoil::Segment::Syn(_) => return HeldPacket::Leaves,
        turmoil::Segment::Data(_, bytes) => (StreamChunk::Data(bytes.as_ref()), InFlight::Deliver),
        turmoil::Segment::Fin(_) if reset || dark => return HeldPacket::Dead,
        turmoil::Segment::Fin(_) if aborted => (StreamChunk::Reset, InFlight::Reset),
        turmoil::Segment::Fin(_) => (StreamChunk::Fin, InFlight::Deliver),
        turmoil::Segment::Rst if dark => return HeldPacket::Dead,
        turmoil::Segment::Rst => (StreamChunk::Reset, InFlight::DeliverReset),
    };
    for unit in links.push(log, from, segment, parcel) {
        // An instrumented stream logs what its program sends. What the kernel sends on its own is seen only here.
        let by_kernel = matches!(unit, Unit::Fin | Unit::Reset);
        if by_kernel && !log.has_sent(from, |sent| *sent == unit) {
            log.note(from, LogEvent::Sent(unit));
        }
    }
    match parcel {
        InFlight::Deliver | InFlight::DeliverReset => HeldPacket::Waits(from),
        InFlight::Reset => HeldPacket::Dead,
    }
}
/// Marks the last `count` packets of `from` as dead, which were deleted in their sender's kernel.
fn forget(held: &mut [HeldPacket], from: Role, count: usize) {
    held.iter_mut()
        .rev()
        .filter(|state| **state == HeldPacket::Waits(from))
        .take(count)
        .for_each(|state| *state = HeldPacket::Dead);
}

fn is_data(message: &Protocol) -> bool {
    matches!(message, Protocol::Tcp(turmoil::Segment::Data(..)))
}

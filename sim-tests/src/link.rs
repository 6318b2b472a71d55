//! The two directions of a network: when each packet may arrive. It draws nothing at random.

use crate::board::{Board, Unit, What, other};
use crate::ear::{Ear, Segment};
use crate::network::{Fault, Mark, Network, Span};
use crate::plan::Millis;
use crate::scenario::Scenario;
use echo_core::Role;
use std::collections::VecDeque;

/// When a packet may arrive; later than every moment if it never does.
const NEVER: Millis = Millis::MAX;

/// Both directions. `P` is what a backend keeps of a packet.
#[derive(Debug)]
pub(crate) struct Links<P> {
    network: Network,
    /// The faults that wait for a packet.
    holds: Vec<Fault>,
    from_client: Link<P>,
    from_server: Link<P>,
}

#[derive(Debug)]
struct Link<P> {
    queue: VecDeque<(Millis, P)>,
    /// Nothing arrives before.
    floor: Millis,
    ear: Ear,
}

impl<P> Links<P> {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let link = |from| Link { queue: VecDeque::new(), floor: 0, ear: Ear::new(from, scenario) };
        Self {
            network: scenario.network.clone(),
            holds: scenario.network.faults.iter().filter(|fault| fault.mark().is_some()).copied().collect(),
            from_client: link(Role::Client),
            from_server: link(Role::Server),
        }
    }

    /// Takes a packet from `from`, and gives what it carries. Packets of one direction arrive in their order.
    pub(crate) fn push(&mut self, board: &mut Board, from: Role, segment: Segment<'_>, packet: P) -> Vec<Unit> {
        let units = self.link(from).ear.hear(segment);
        let now = board.now();
        let is_due = |fault: &Fault| match fault {
            Fault::Hold { from: whose, mark, .. } => whose.means(from) && units.iter().any(|unit| carries(unit, *mark)),
            Fault::Cut { .. } => false,
        };
        while let Some(index) = self.holds.iter().position(is_due) {
            if let Fault::Hold { span, .. } = self.holds.remove(index) {
                let floor = span.after(now).unwrap_or(NEVER);
                let link = self.link(from);
                link.floor = link.floor.max(floor);
                board.note(from, What::Held);
            }
        }
        let latency = self.network.latency;
        let link = self.link(from);
        let after = link.queue.back().map_or(0, |(due, _)| *due);
        let due = now.saturating_add(latency).max(link.floor).max(after);
        link.queue.push_back((due, packet));
        units
    }

    /// Nothing gets through for `span`, in either direction.
    pub(crate) fn cut(&mut self, now: Millis, span: Span) {
        let floor = span.after(now).unwrap_or(NEVER);
        for link in [&mut self.from_client, &mut self.from_server] {
            link.floor = link.floor.max(floor);
            for (due, _) in &mut link.queue {
                *due = (*due).max(floor);
            }
        }
    }

    /// The power of `side` is lost: nothing reaches it any more, and nothing new leaves it.
    pub(crate) fn lose(&mut self, side: Role) {
        self.link(side).floor = NEVER;
        let towards = self.link(other(side));
        towards.floor = NEVER;
        for (due, _) in &mut towards.queue {
            *due = NEVER;
        }
    }

    /// The next packet from `from` that may arrive by `now`.
    pub(crate) fn pop(&mut self, from: Role, now: Millis) -> Option<P> {
        let link = self.link(from);
        match link.queue.front() {
            Some((due, _)) if *due <= now => link.queue.pop_front().map(|(_, packet)| packet),
            Some(_) | None => None,
        }
    }

    /// When the next packet of either direction may arrive.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        let heads = [&self.from_client, &self.from_server].into_iter().filter_map(|link| link.queue.front());
        heads.map(|(due, _)| *due).filter(|due| *due != NEVER).min()
    }

    fn link(&mut self, from: Role) -> &mut Link<P> {
        match from {
            Role::Client => &mut self.from_client,
            Role::Server => &mut self.from_server,
        }
    }
}

fn carries(unit: &Unit, mark: Mark) -> bool {
    match mark {
        Mark::GoAway => matches!(unit, Unit::GoAway { .. }),
        Mark::LastWord => matches!(unit, Unit::LastWord { .. }),
        Mark::Fin => matches!(unit, Unit::Fin),
    }
}

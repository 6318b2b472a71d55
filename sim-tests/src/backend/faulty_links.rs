//! What a scenario adds to the links: it hears what each packet carries, and holds those that carry a mark.

use crate::network::Kind;
use crate::network::link::{Arrival, Links};
use crate::record::event_log::{Board, Unit, What};
use crate::record::wire_decoder::{Ear, Segment};
use crate::scenario::Scenario;
use crate::scenario::network::{Fault, Mark, Span};
use crate::support::Millis;
use echo_core::Role;

/// The links of a scenario.
#[derive(Debug)]
pub(crate) struct Post<P> {
    links: Links<P>,
    /// The faults that wait for a packet.
    holds: Vec<Fault>,
    /// By [`Role`].
    ears: [Ear; 2],
}

impl<P> Post<P> {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let faults = scenario.network.faults.iter();
        Self {
            links: Links::new(scenario.network.path()),
            holds: faults.filter(|fault| fault.mark().is_some()).copied().collect(),
            ears: Role::BOTH.map(|from| Ear::new(from, scenario)),
        }
    }

    /// Takes a packet from `from`, and gives what it carries.
    pub(crate) fn push(&mut self, board: &mut Board, from: Role, segment: Segment<'_>, packet: P) -> Vec<Unit> {
        let units = self.ears[from as usize].hear(segment);
        let is_due = |fault: &Fault| match fault {
            Fault::Hold { from: whose, mark, .. } => whose.means(from) && units.iter().any(|unit| carries(unit, *mark)),
            Fault::Cut { .. } | Fault::Packet { .. } | Fault::Loss { .. } => false,
        };
        while let Some(index) = self.holds.iter().position(is_due) {
            if let Fault::Hold { span, .. } = self.holds.remove(index) {
                self.links.hold(from, span.after(board.now()));
                board.note(from, What::Held);
            }
        }
        self.links.push(board.now(), from, segment.kind(), segment.size(), packet);
        units
    }

    /// How many bytes wait in the kernel of `from` because the other end's program has not taken them.
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

    /// The connection of `from` is gone, by the other's RST: what waits in its kernel is deleted.
    pub(crate) fn delete_waiting(&mut self, from: Role, now: Millis) {
        self.links.delete_waiting(from, now);
    }

    /// Nothing gets through for `span`, in either direction.
    pub(crate) fn cut(&mut self, now: Millis, span: Span) {
        self.links.cut(span.after(now));
    }

    /// The power of `side` is lost: nothing reaches it any more, and nothing new leaves it.
    pub(crate) fn lose(&mut self, side: Role) {
        self.links.lose(side);
    }

    /// The next packet from `from` that may arrive by `now`. What a relay made of it is noted where it arrives.
    pub(crate) fn pop(&mut self, board: &mut Board, from: Role, now: Millis) -> Option<Arrival<P>> {
        let arrival = self.links.pop(from, now)?;
        if let Arrival::Made(kind) = arrival {
            board.note(from.peer(), What::Relayed(kind.unit()));
        }
        Some(arrival)
    }

    /// How many packets from `from` are on their way, and will arrive some time.
    #[cfg(feature = "turmoil")]
    pub(crate) fn under_way(&self, from: Role) -> usize {
        self.links.under_way(from)
    }

    /// The next packet from `from`, whenever it is due. For networks without a relay.
    #[cfg(feature = "turmoil")]
    pub(crate) fn take(&mut self, from: Role) -> Option<Arrival<P>> {
        self.links.take(from)
    }

    /// The faults whose packet never came.
    pub(crate) fn left(&self) -> Vec<String> {
        self.holds.iter().map(ToString::to_string).collect()
    }

    /// When something happens here next.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.links.next_due()
    }
}

impl Segment<'_> {
    /// In bytes.
    fn size(self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Fin | Self::Reset => 0,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Data(_) => Kind::Data,
            Self::Fin => Kind::Fin,
            Self::Reset => Kind::Reset,
        }
    }
}

impl Kind {
    /// What a reader of the wire calls it.
    fn unit(self) -> Unit {
        match self {
            Self::Data => Unit::Other("data".to_owned()),
            Self::Fin => Unit::Fin,
            Self::Reset => Unit::Reset,
        }
    }
}

pub(crate) fn carries(unit: &Unit, mark: Mark) -> bool {
    match mark {
        Mark::GoAway => matches!(unit, Unit::GoAway { .. }),
        Mark::LastWord => matches!(unit, Unit::LastWord { .. }),
        Mark::Fin => matches!(unit, Unit::Fin),
    }
}

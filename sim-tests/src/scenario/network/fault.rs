//! Network faults, and the packets that they affect.

use crate::scenario::plan::Point;
use crate::support::Millis;
use crate::tcp::PacketFate;
use echo_core::Role;

/// Time after which TCP sends unacknowledged data again, on the harness's clock.
pub(super) const RETRANSMISSION: Millis = 40;

/// The longest delay of a packet that lets the next one overtake it.
const BEHIND: Millis = 50;

/// The longest extra time of a conversation whose packets are lost at random. Each loss of a retransmission doubles the
/// timeout.
const LOSSES: Millis = 20_000;

/// A fault. It happens once, when its trigger occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkFault {
    /// Holds what `from` sends, beginning with the packet that carries `content`.
    Hold {
        /// The sender of the packets.
        from: Sender,
        /// The content that triggers the hold.
        content: HeldContent,
        /// How long the packets are held.
        span: Span,
    },
    /// From `point` on, nothing gets through in either direction, including what is already in flight.
    Cut {
        /// The point at which the cut happens.
        point: Point,
        /// How long the cut lasts.
        span: Span,
    },
    /// One packet has this fate, once.
    Packet {
        /// The packet.
        which: PacketSelector,
        /// What the link does with it.
        fate: PacketFate,
    },
    /// Packets are lost at random, once the connection exists.
    Loss {
        /// The probability that a packet is lost, in percent: from 1 to 90.
        percent: u8,
        /// The seed of the random numbers.
        seed: u64,
    },
}

/// Selects the packet that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketSelector {
    /// The packet with this number among all that left any host. 0 is the client's first SYN.
    Nth(u32),
    /// The first packet with this content. A fault happens once, so a retransmission of the packet is not affected.
    First {
        /// The sender of the packet.
        from: Sender,
        /// The content of the packet.
        carries: PacketContent,
    },
}

/// The content of a packet, on networks of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketContent {
    /// A FIN.
    Fin,
    /// The bare ACK of a socket in TIME-WAIT, which ends a conversation.
    LastAck,
    /// A RST.
    Rst,
    /// A CLOSE.
    Close,
    /// A GOAWAY.
    GoAway,
    /// The last request of the scenario.
    Request,
    /// The answer to the last request of the scenario.
    Answer,
}

/// The sender of the packets that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The side that sends such a packet first.
    First,
    /// The client.
    Client,
    /// The server.
    Server,
}

/// The content of a packet that a hold waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldContent {
    /// A GOAWAY.
    GoAway,
    /// A CLOSE.
    Close,
    /// The FIN.
    Fin,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// This number of milliseconds.
    For(Millis),
    /// Until the end of the run.
    Ever,
}

impl NetworkFault {
    /// Returns whether it holds a packet of `from`. `carries` tells whether the packet has a certain content.
    pub(crate) fn holds(&self, from: Role, carries: impl Fn(HeldContent) -> bool) -> bool {
        match self {
            Self::Hold { from: sender, content, .. } => sender.means(from) && carries(*content),
            Self::Cut { .. } | Self::Packet { .. } | Self::Loss { .. } => false,
        }
    }

    /// Returns the point at which it happens, if it waits for one.
    pub fn point(&self) -> Option<Point> {
        match self {
            Self::Hold { .. } | Self::Packet { .. } | Self::Loss { .. } => None,
            Self::Cut { point, .. } => Some(*point),
        }
    }

    /// Returns how long it lasts. Lost data, and all data behind it, arrives after a retransmission timeout.
    pub fn span(&self) -> Span {
        match self {
            Self::Hold { span, .. } | Self::Cut { span, .. } => *span,
            Self::Packet { fate, .. } => Span::For(match fate {
                PacketFate::Deliver => 0,
                PacketFate::Lose | PacketFate::Corrupt => RETRANSMISSION,
                PacketFate::Twice(more) | PacketFate::Late(more) => *more,
                PacketFate::Behind => BEHIND,
            }),
            Self::Loss { .. } => Span::For(LOSSES),
        }
    }

    /// Returns the same fault with another span. Faults of single packets and losses are returned unchanged.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        match self {
            Self::Hold { from, content: mark, .. } => Self::Hold { from, content: mark, span },
            Self::Cut { point, .. } => Self::Cut { point, span },
            Self::Packet { .. } | Self::Loss { .. } => self,
        }
    }

    /// Returns whether it waits for frames that the plain wire does not have.
    pub fn needs_words(&self) -> bool {
        match self {
            Self::Hold { content: HeldContent::GoAway | HeldContent::Close, .. } => true,
            Self::Hold { content: HeldContent::Fin, .. } => false,
            Self::Cut { point, .. } => point.is_framed(),
            Self::Packet { which: PacketSelector::First { carries, .. }, .. } => {
                matches!(carries.mark(), Some(HeldContent::GoAway | HeldContent::Close))
            }
            Self::Packet { which: PacketSelector::Nth(_), .. } | Self::Loss { .. } => false,
        }
    }

    /// Returns the content that triggers a hold.
    pub fn mark(&self) -> Option<HeldContent> {
        match self {
            Self::Hold { content: mark, .. } => Some(*mark),
            Self::Cut { .. } | Self::Packet { .. } | Self::Loss { .. } => None,
        }
    }

    /// Returns whether only a network of packets can have it.
    pub fn is_of_packets(&self) -> bool {
        match self {
            Self::Hold { .. } | Self::Cut { .. } => false,
            Self::Packet { .. } | Self::Loss { .. } => true,
        }
    }
}

impl PacketContent {
    /// All contents.
    pub const ALL: [Self; 7] =
        [Self::Fin, Self::LastAck, Self::Rst, Self::Close, Self::GoAway, Self::Request, Self::Answer];

    /// Returns its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::LastAck => "last-ack",
            Self::Rst => "rst",
            Self::Close => "close",
            Self::GoAway => "goaway",
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }

    /// Returns the same content for a network of streams, if streams can show it.
    pub fn mark(self) -> Option<HeldContent> {
        match self {
            Self::Fin => Some(HeldContent::Fin),
            Self::Close => Some(HeldContent::Close),
            Self::GoAway => Some(HeldContent::GoAway),
            Self::LastAck | Self::Rst | Self::Request | Self::Answer => None,
        }
    }
}

impl Sender {
    /// All senders.
    pub const ALL: [Self; 3] = [Self::First, Self::Client, Self::Server];

    /// Returns its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// Returns whether packets of `role` are selected.
    pub fn means(self, role: Role) -> bool {
        match self {
            Self::First => true,
            Self::Client => role == Role::Client,
            Self::Server => role == Role::Server,
        }
    }
}

impl HeldContent {
    /// All contents.
    pub const ALL: [Self; 3] = [Self::GoAway, Self::Close, Self::Fin];

    /// Returns its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::GoAway => "goaway",
            Self::Close => "close",
            Self::Fin => "fin",
        }
    }
}

impl Span {
    /// Returns the end of a span that begins at `now`; `None` if it never ends.
    pub fn after(self, now: Millis) -> Option<Millis> {
        match self {
            Self::For(span) => Some(now.saturating_add(span)),
            Self::Ever => None,
        }
    }
}

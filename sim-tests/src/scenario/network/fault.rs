//! What goes wrong in a network, and to which packet.

use crate::scenario::plan::Point;
use crate::support::Millis;
use crate::tcp::PacketFate;
use echo_core::Role;

/// How long TCP takes here to send again what was not acknowledged.
pub(super) const RETRANSMISSION: Millis = 40;

/// How late a packet is at most that lets another one pass.
const BEHIND: Millis = 50;

/// How long a conversation may take longer at most whose packets are lost at random: each loss of a packet that was
/// lost before doubles the timeout.
const LOSSES: Millis = 20_000;

/// Something that goes wrong. It happens once, when its trigger is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkFault {
    /// What `from` sends is held on its way, from the packet on that carries `mark`.
    Hold {
        /// Whose packets.
        from: Sender,
        /// What has to be in the packet.
        content: HeldContent,
        /// For how long.
        span: Span,
    },
    /// At `point`, nothing gets through in either direction, what is on its way included.
    Cut {
        /// When.
        point: Point,
        /// For how long.
        span: Span,
    },
    /// One packet has this fate, once.
    Packet {
        /// Which.
        which: PacketSelector,
        /// What the link does with it.
        fate: PacketFate,
    },
    /// Packets are lost at random, from the moment on at which there is a connection.
    Loss {
        /// How probable it is that a packet is lost: from 1 to 90.
        percent: u8,
        /// Out of which it is drawn.
        seed: u64,
    },
}

/// Which packet a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketSelector {
    /// This one of all that left any host, from 0, the client's first SYN.
    Nth(u32),
    /// The first that carries something. A fault happens once: when TCP sends the packet again, it does not count.
    First {
        /// Whose packets.
        from: Sender,
        /// What has to be in the packet.
        carries: PacketContent,
    },
}

/// What a packet carries, for those who can see packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketContent {
    /// A FIN.
    Fin,
    /// Nothing: the bare ACK that a socket in TIME-WAIT sends, with which a conversation ends.
    LastAck,
    /// A RST.
    Rst,
    /// A CLOSE.
    Close,
    /// A GOAWAY.
    GoAway,
    /// The last request of the talk.
    Request,
    /// The answer to the last request of the talk.
    Answer,
}

/// Whose packets a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// Those of the side that sends such a packet first.
    First,
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// What a packet carries.
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
    /// So many milliseconds.
    For(Millis),
    /// To the end.
    Ever,
}

impl NetworkFault {
    /// Whether it holds a packet of `from`, of which `carries` says what is in it.
    pub(crate) fn holds(&self, from: Role, carries: impl Fn(HeldContent) -> bool) -> bool {
        match self {
            Self::Hold { from: sender, content, .. } => sender.means(from) && carries(*content),
            Self::Cut { .. } | Self::Packet { .. } | Self::Loss { .. } => false,
        }
    }

    /// The point at which it happens.
    pub fn point(&self) -> Option<Point> {
        match self {
            Self::Hold { .. } | Self::Packet { .. } | Self::Loss { .. } => None,
            Self::Cut { point, .. } => Some(*point),
        }
    }

    /// How long it lasts. What is lost is sent again after a retransmission timeout, and with it all behind it.
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

    /// The same, for so long; what happens to packets takes as long as it takes.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        match self {
            Self::Hold { from, content: mark, .. } => Self::Hold { from, content: mark, span },
            Self::Cut { point, .. } => Self::Cut { point, span },
            Self::Packet { .. } | Self::Loss { .. } => self,
        }
    }

    /// Whether it waits for words that the plain wire does not have.
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

    /// What a packet has to carry for everything to be held.
    pub fn mark(&self) -> Option<HeldContent> {
        match self {
            Self::Hold { content: mark, .. } => Some(*mark),
            Self::Cut { .. } | Self::Packet { .. } | Self::Loss { .. } => None,
        }
    }

    /// Whether only a network of packets has it.
    pub fn is_of_packets(&self) -> bool {
        match self {
            Self::Hold { .. } | Self::Cut { .. } => false,
            Self::Packet { .. } | Self::Loss { .. } => true,
        }
    }
}

impl PacketContent {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Fin, Self::LastAck, Self::Rst, Self::Close, Self::GoAway, Self::Request, Self::Answer];

    /// Its part of an id.
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

    /// The same, for those who see a stream and not its packets.
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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::First, Self::Client, Self::Server];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// Whether `role` is meant.
    pub fn means(self, role: Role) -> bool {
        match self {
            Self::First => true,
            Self::Client => role == Role::Client,
            Self::Server => role == Role::Server,
        }
    }
}

impl HeldContent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GoAway, Self::Close, Self::Fin];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::GoAway => "goaway",
            Self::Close => "close",
            Self::Fin => "fin",
        }
    }
}

impl Span {
    /// When something ends that begins at `now`; `None` is never.
    pub fn after(self, now: Millis) -> Option<Millis> {
        match self {
            Self::For(span) => Some(now.saturating_add(span)),
            Self::Ever => None,
        }
    }
}

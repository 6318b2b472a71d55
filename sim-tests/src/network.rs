//! The network of a scenario: how long a packet takes, how much a read gives, what stands between, and a timeline of
//! faults.

use crate::link::Path;
use crate::plan::{Millis, Point, Refusal, pick};
use crate::relay::Relay;
use crate::tcp::Fate;
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// What lies between the two ends. It is in-order and loses nothing for good: what TCP sends again comes late.
///
/// In an id it is a name ([`Network::NAMED`]) or its parts joined by `+`, such as
/// `latency-10+reads-1+hold-first-fin-500`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// How long every packet takes.
    pub latency: Millis,
    /// A read gives at most so many bytes; 0 is no limit.
    pub reads: usize,
    /// A write takes at most so many bytes; 0 is no limit.
    pub writes: usize,
    /// Packets arrive only at multiples of this, several at once; 0 is at any time.
    pub batch: Millis,
    /// What a RST does to what is on its way before it.
    pub rst: Rst,
    /// What stands in the middle.
    pub relay: Option<Relay>,
    /// The receive buffer of both hosts, in bytes; 0 is as usual. Only a network of packets has windows.
    pub window: usize,
    /// A host that has vanished is up again after so long, and knows nothing of any connection.
    pub reboot: Option<Millis>,
    /// An earlier conversation on the same ports has just ended, and the server's socket of it is in TIME-WAIT.
    pub earlier: bool,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
}

/// What a RST does to what its sender has sent before it, and is still on its way. TCP allows both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rst {
    /// It comes behind it: all of it can be read.
    InOrder,
    /// It comes before it: all of it is lost.
    Overtakes,
    /// Either: not one run, but two ([`Scenario::runs`](crate::Scenario::runs)).
    Races,
}

/// Something that goes wrong. It happens once, when its trigger is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// What `from` sends is held on its way, from the packet on that carries `mark`.
    Hold {
        /// Whose packets.
        from: Whose,
        /// What has to be in the packet.
        mark: Mark,
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
    /// One packet meets with a fate, once: what is sent again in its place does not.
    Packet {
        /// Which packet.
        which: Which,
        /// What becomes of it.
        fate: Fate,
    },
    /// Packets are lost at random, from the beginning of the conversation on; no SYN is.
    Loss {
        /// How many of 100.
        percent: u8,
        /// Of what decides which.
        seed: u64,
    },
}

/// One packet of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// By its number among all that left any host, from 0, the first SYN.
    Nth(u32),
    /// The first that carries this.
    First {
        /// Whose.
        from: Whose,
        /// What.
        carries: Carries,
    },
}

/// What one packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carries {
    /// The FIN.
    Fin,
    /// Nothing but an acknowledgment, from a socket in TIME-WAIT.
    LastAck,
    /// A RST.
    Rst,
    /// A last word.
    LastWord,
    /// A GOAWAY.
    GoAway,
    /// The last request of the talk.
    Request,
    /// The answer to it.
    Answer,
}

/// Whose packets a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Those of the side that sends such a packet first.
    First,
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A GOAWAY.
    GoAway,
    /// A last word.
    LastWord,
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

impl Network {
    /// The networks with a name, and what they are good for.
    pub const NAMED: [(&'static str, &'static str); 17] = [
        ("clear", "4 ms each way"),
        ("slow", "24 ms each way, still within every deadline"),
        ("one-byte-reads", "every read gives one byte"),
        ("coalesced", "packets arrive only every 10 ms, several at once"),
        ("last-word-late", "the first last word is held for 40 ms, within the deadlines"),
        ("last-word-held", "the first last word is held for longer than any deadline of the ending"),
        ("ack-held", "the client's last word is held for longer than any deadline of the ending"),
        ("fin-late", "the first FIN is held for 40 ms, within the deadlines"),
        ("fin-held", "the first FIN is held for longer than any deadline of the ending"),
        ("rst-race", "a RST arrives behind what was sent before it, or overtakes it and destroys it"),
        ("rst-overtakes", "a RST overtakes what was sent before it, and destroys it"),
        ("cut-idle", "the cable is cut when the conversation is idle"),
        ("cut-closing", "the cable is cut when the first GOAWAY was sent"),
        ("cut-healed", "as cut-closing, but healed after 40 ms, within the deadlines"),
        ("relay-rst-to-fin", "a relay that makes a FIN of every RST"),
        ("relay-closes-both", "a relay that does the same, and takes a half-close for the end of both directions"),
        ("relay-cuts-off", "a relay that does the same, and cuts a half-closed conversation off after 20 ms"),
    ];

    /// A network without faults.
    pub fn clear(latency: Millis) -> Self {
        Self {
            latency,
            reads: 0,
            writes: 0,
            batch: 0,
            rst: Rst::InOrder,
            relay: None,
            window: 0,
            reboot: None,
            earlier: false,
            faults: Vec::new(),
        }
    }

    /// The network called `name`.
    pub fn named(name: &str) -> Option<Self> {
        let clear = Self::clear(4);
        let faulty = |fault| Self { faults: vec![fault], ..Self::clear(4) };
        let hold = |from, mark, span| faulty(Fault::Hold { from, mark, span });
        let packet = |from, carries, fate| faulty(Fault::Packet { which: Which::First { from, carries }, fate });
        let cut = |point, span| faulty(Fault::Cut { point, span });
        let relay = |relay| Self { relay: Some(relay), ..Self::clear(4) };
        Some(match name {
            "clear" => clear,
            "slow" => Self::clear(24),
            "one-byte-reads" => Self { reads: 1, ..clear },
            "coalesced" => Self { batch: 10, ..clear },
            "last-word-late" => hold(Whose::First, Mark::LastWord, Span::For(40)),
            "last-word-held" => hold(Whose::First, Mark::LastWord, Span::For(500)),
            "ack-held" => hold(Whose::Client, Mark::LastWord, Span::For(500)),
            "fin-late" => hold(Whose::First, Mark::Fin, Span::For(40)),
            "fin-held" => hold(Whose::First, Mark::Fin, Span::For(500)),
            "rst-race" => Self { rst: Rst::Races, ..clear },
            "rst-overtakes" => Self { rst: Rst::Overtakes, ..clear },
            "cut-idle" => cut(Point::Idle, Span::Ever),
            "cut-closing" => cut(Point::Draining, Span::Ever),
            "cut-healed" => cut(Point::Draining, Span::For(40)),
            "fin-lost" => packet(Whose::First, Carries::Fin, Fate::Lose),
            "last-ack-lost" => packet(Whose::First, Carries::LastAck, Fate::Lose),
            "rst-lost" => packet(Whose::First, Carries::Rst, Fate::Lose),
            "last-word-lost" => packet(Whose::First, Carries::LastWord, Fate::Lose),
            "ack-word-lost" => packet(Whose::Client, Carries::LastWord, Fate::Lose),
            "data-behind-fin" => packet(Whose::Server, Carries::Answer, Fate::Lose),
            "fins-cross" => hold(Whose::First, Mark::Fin, Span::For(120)),
            "fin-twice" => packet(Whose::First, Carries::Fin, Fate::Twice(60)),
            "old-duplicate" => packet(Whose::Client, Carries::Request, Fate::Twice(100)),
            "zero-window" => Self { window: 16, ..clear },
            "rebooted" => Self { reboot: Some(40), ..clear },
            "port-reused" => Self { earlier: true, ..clear },
            "relay-rst-to-fin" => relay(Relay::PassesHalfClose),
            "relay-closes-both" => relay(Relay::ClosesBoth),
            "relay-cuts-off" => relay(Relay::CutsOff(20)),
            _ => return None,
        })
    }

    /// The networks that only a network of packets can express, or show.
    pub const PACKETS: [(&'static str, &'static str); 12] = [
        ("fin-lost", "the first FIN is lost"),
        ("last-ack-lost", "the ACK of the last FIN is lost"),
        ("rst-lost", "the first RST is lost"),
        ("last-word-lost", "the first last word is lost"),
        ("ack-word-lost", "the client's last word is lost, and its FIN arrives before it"),
        ("data-behind-fin", "the last answer is lost, and sent again behind what follows"),
        ("fins-cross", "the first FIN is held past the other side's deadline for it, so that both are on their way"),
        ("fin-twice", "the first FIN comes again in TIME-WAIT"),
        ("old-duplicate", "the client's last request comes again when all is over"),
        ("zero-window", "a receive buffer of 16 bytes, so that windows are closed all the time"),
        ("rebooted", "a host that vanished is up again after 40 ms, and knows nothing"),
        ("port-reused", "the ports are those of a conversation that is in TIME-WAIT at the server"),
    ];

    /// Whether only a network of packets can express it.
    pub fn has_packets(&self) -> bool {
        let is_packet = |fault: &Fault| matches!(fault, Fault::Packet { .. } | Fault::Loss { .. });
        self.window > 0 || self.reboot.is_some() || self.earlier || self.faults.iter().any(is_packet)
    }

    /// Whether it does nothing that a cable would not do.
    pub fn is_faithful(&self) -> bool {
        self.faults.is_empty() && self.relay.is_none() && self.rst == Rst::InOrder
    }

    pub(crate) fn path(&self) -> Path {
        Path { latency: self.latency, batch: self.batch, overtaking: self.rst == Rst::Overtakes, relay: self.relay }
    }

    fn part(&mut self, part: &str) -> Result<(), Refusal> {
        let bad = || {
            let names = Self::NAMED.map(|(name, _)| name).join(", ");
            Refusal(format!("no network {part:?}; there are {names}, and parts such as latency-10+reads-1"))
        };
        match part {
            "rst-race" => self.rst = Rst::Races,
            "rst-overtakes" => self.rst = Rst::Overtakes,
            "relay-rst-to-fin" => self.relay = Some(Relay::PassesHalfClose),
            "relay-closes-both" => self.relay = Some(Relay::ClosesBoth),
            "port-reused" => self.earlier = true,
            _ => return self.part_with_a_number(part).ok_or_else(bad)?,
        }
        Ok(())
    }

    /// A part with an argument; `None` if there is no such part.
    fn part_with_a_number(&mut self, part: &str) -> Option<Result<(), Refusal>> {
        let (kind, rest) = part.split_once('-')?;
        match kind {
            "latency" => self.latency = rest.parse().ok()?,
            "reads" => self.reads = rest.parse().ok()?,
            "writes" => self.writes = rest.parse().ok()?,
            "batch" => self.batch = rest.parse().ok()?,
            "relay" => self.relay = Some(Relay::CutsOff(rest.strip_prefix("cuts-off-after-")?.parse().ok()?)),
            "window" => self.window = rest.parse().ok()?,
            "reboots" => self.reboot = Some(rest.parse().ok()?),
            "loss" => {
                let (percent, seed) = rest.split_once("-seed-")?;
                self.faults.push(Fault::Loss { percent: percent.parse().ok()?, seed: seed.parse().ok()? });
            }
            "packet" => match Fault::packet(rest)? {
                Ok(fault) => self.faults.push(fault),
                Err(refusal) => return Some(Err(refusal)),
            },
            "cut" => {
                let (point, span) = rest.rsplit_once('-')?;
                let span = Span::parse(span)?;
                match Point::parse(point) {
                    Ok(point) => self.faults.push(Fault::Cut { point, span }),
                    Err(refusal) => return Some(Err(refusal)),
                }
            }
            "hold" => {
                let (from, rest) = rest.split_once('-')?;
                let (mark, span) = rest.rsplit_once('-')?;
                let span = Span::parse(span)?;
                let from = pick("sender", from, &Whose::ALL, Whose::id);
                let mark = pick("mark", mark, &Mark::ALL, Mark::id);
                match (from, mark) {
                    (Ok(from), Ok(mark)) => self.faults.push(Fault::Hold { from, mark, span }),
                    (Err(refusal), _) | (_, Err(refusal)) => return Some(Err(refusal)),
                }
            }
            _ => return None,
        }
        Some(Ok(()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) =
            Self::NAMED.iter().chain(&Self::PACKETS).find(|(name, _)| Self::named(name).as_ref() == Some(self))
        {
            return f.write_str(name);
        }
        write!(f, "latency-{}", self.latency)?;
        for (name, size) in [
            ("reads", self.reads as u64),
            ("writes", self.writes as u64),
            ("batch", self.batch),
            ("window", self.window as u64),
        ] {
            if size > 0 {
                write!(f, "+{name}-{size}")?;
            }
        }
        match self.rst {
            Rst::InOrder => (),
            Rst::Overtakes => f.write_str("+rst-overtakes")?,
            Rst::Races => f.write_str("+rst-race")?,
        }
        match self.relay {
            None => (),
            Some(Relay::PassesHalfClose) => f.write_str("+relay-rst-to-fin")?,
            Some(Relay::ClosesBoth) => f.write_str("+relay-closes-both")?,
            Some(Relay::CutsOff(span)) => write!(f, "+relay-cuts-off-after-{span}")?,
        }
        if let Some(span) = self.reboot {
            write!(f, "+reboots-{span}")?;
        }
        if self.earlier {
            f.write_str("+port-reused")?;
        }
        self.faults.iter().try_for_each(|fault| write!(f, "+{fault}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { from, mark, span } => write!(f, "hold-{}-{}-{span}", from.id(), mark.id()),
            Self::Cut { point, span } => write!(f, "cut-{}-{span}", point.id()),
            Self::Packet { which: Which::Nth(index), fate } => write!(f, "packet-{index}-{fate}"),
            Self::Packet { which: Which::First { from, carries }, fate } => {
                write!(f, "packet-{}-{}-{fate}", from.id(), carries.id())
            }
            Self::Loss { percent, seed } => write!(f, "loss-{percent}-seed-{seed}"),
        }
    }
}

impl FromStr for Network {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if let Some(network) = Self::named(text) {
            return Ok(network);
        }
        let mut network = Self::clear(4);
        for part in text.split('+') {
            network.part(part)?;
        }
        Ok(network)
    }
}

impl Fault {
    /// The point at which it happens.
    pub fn point(&self) -> Option<Point> {
        match self {
            Self::Hold { .. } | Self::Packet { .. } | Self::Loss { .. } => None,
            Self::Cut { point, .. } => Some(*point),
        }
    }

    /// How long it lasts.
    pub fn span(&self) -> Span {
        match self {
            Self::Hold { span, .. } | Self::Cut { span, .. } => *span,
            // What TCP sends again comes late; how late, its timer says.
            Self::Packet { .. } | Self::Loss { .. } => Span::For(0),
        }
    }

    /// The same, for so long.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        match self {
            Self::Hold { from, mark, .. } => Self::Hold { from, mark, span },
            Self::Cut { point, .. } => Self::Cut { point, span },
            Self::Packet { .. } | Self::Loss { .. } => self,
        }
    }

    /// Whether it waits for words that the plain wire does not have.
    pub fn needs_words(&self) -> bool {
        match self {
            Self::Hold { mark: Mark::GoAway | Mark::LastWord, .. } => true,
            Self::Hold { mark: Mark::Fin, .. } => false,
            Self::Cut { point, .. } => point.is_framed(),
            Self::Packet { which: Which::First { carries, .. }, .. } => {
                matches!(carries, Carries::LastWord | Carries::GoAway)
            }
            Self::Packet { which: Which::Nth(_), .. } | Self::Loss { .. } => false,
        }
    }

    /// What a packet has to carry for it to happen.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Self::Hold { mark, .. } => Some(*mark),
            Self::Cut { .. } | Self::Packet { .. } | Self::Loss { .. } => None,
        }
    }

    /// What stands behind `packet-`: which one, and its fate. `None` if it is nothing of the kind.
    fn packet(text: &str) -> Option<Result<Self, Refusal>> {
        let (first, rest) = text.split_once('-')?;
        if let Ok(index) = first.parse() {
            return Some(rest.parse().map(|fate| Self::Packet { which: Which::Nth(index), fate }));
        }
        let prefix = |carries: &Carries| rest.strip_prefix(carries.id()).and_then(|rest| rest.strip_prefix('-'));
        let (carries, fate) = Carries::ALL.into_iter().find_map(|carries| Some((carries, prefix(&carries)?)))?;
        Some(
            pick("sender", first, &Whose::ALL, Whose::id)
                .and_then(|from| Ok(Self::Packet { which: Which::First { from, carries }, fate: fate.parse()? })),
        )
    }
}

impl Carries {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Fin, Self::LastAck, Self::Rst, Self::LastWord, Self::GoAway, Self::Request, Self::Answer];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::LastAck => "last-ack",
            Self::Rst => "rst",
            Self::LastWord => "last-word",
            Self::GoAway => "goaway",
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

impl Whose {
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

impl Mark {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GoAway, Self::LastWord, Self::Fin];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::GoAway => "goaway",
            Self::LastWord => "last-word",
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

    fn parse(text: &str) -> Option<Self> {
        if text == "ever" { Some(Self::Ever) } else { text.parse().ok().map(Self::For) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => write!(f, "{span}"),
            Self::Ever => f.write_str("ever"),
        }
    }
}

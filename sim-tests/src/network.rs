//! The network of a scenario: how long a packet takes, how much a read gives, and a timeline of faults.

use crate::plan::{Millis, Point, Refusal, pick};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// What lies between the two ends. It is in-order and loses nothing for good: what TCP sends again comes late.
///
/// In an id it is a name ([`Network::NAMED`]) or its parts joined by `+`, such as
/// `latency-10+reads-1+hold-first-fin-2000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// How long every packet takes.
    pub latency: Millis,
    /// A read gives at most so many bytes; 0 is no limit.
    pub reads: usize,
    /// A write takes at most so many bytes; 0 is no limit.
    pub writes: usize,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
}

/// Something that goes wrong. It happens once, when its trigger is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// Whose packets a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of the side that sends such a packet first.
    First,
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A GOAWAY.
    GoAway,
    /// A last word.
    LastWord,
    /// The FIN.
    Fin,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// So many milliseconds.
    For(Millis),
    /// To the end.
    Ever,
}

impl Network {
    /// The networks with a name, and what they are good for.
    pub const NAMED: [(&'static str, &'static str); 11] = [
        ("clear", "10 ms each way"),
        ("slow", "60 ms each way, still within every deadline"),
        ("one-byte-reads", "every read gives one byte"),
        ("last-word-late", "the first last word is held for 100 ms, within the deadlines"),
        ("last-word-held", "the first last word is held for longer than any deadline of the ending"),
        ("ack-held", "the client's last word is held for longer than any deadline of the ending"),
        ("fin-late", "the first FIN is held for 100 ms, within the deadlines"),
        ("fin-held", "the first FIN is held for longer than any deadline of the ending"),
        ("cut-idle", "the cable is cut when the conversation is idle"),
        ("cut-closing", "the cable is cut when the first GOAWAY was sent"),
        ("cut-healed", "as cut-closing, but healed after 100 ms, within the deadlines"),
    ];

    /// A network without faults.
    pub fn clear(latency: Millis) -> Self {
        Self { latency, reads: 0, writes: 0, faults: Vec::new() }
    }

    /// The network called `name`.
    pub fn named(name: &str) -> Option<Self> {
        let faulty = |fault| Self { faults: vec![fault], ..Self::clear(10) };
        let hold = |from, mark, span| faulty(Fault::Hold { from, mark, span });
        let cut = |point, span| faulty(Fault::Cut { point, span });
        Some(match name {
            "clear" => Self::clear(10),
            "slow" => Self::clear(60),
            "one-byte-reads" => Self { reads: 1, ..Self::clear(10) },
            "last-word-late" => hold(Whose::First, Mark::LastWord, Span::For(100)),
            "last-word-held" => hold(Whose::First, Mark::LastWord, Span::For(2000)),
            "ack-held" => hold(Whose::Client, Mark::LastWord, Span::For(2000)),
            "fin-late" => hold(Whose::First, Mark::Fin, Span::For(100)),
            "fin-held" => hold(Whose::First, Mark::Fin, Span::For(2000)),
            "cut-idle" => cut(Point::Idle, Span::Ever),
            "cut-closing" => cut(Point::Draining, Span::Ever),
            "cut-healed" => cut(Point::Draining, Span::For(100)),
            _ => return None,
        })
    }

    fn part(&mut self, part: &str) -> Result<(), Refusal> {
        let bad = || {
            let names = Self::NAMED.map(|(name, _)| name).join(", ");
            Refusal(format!("no network {part:?}; there are {names}, and parts such as latency-10+reads-1"))
        };
        let (kind, rest) = part.split_once('-').ok_or_else(bad)?;
        match kind {
            "latency" => self.latency = rest.parse().map_err(|_| bad())?,
            "reads" => self.reads = rest.parse().map_err(|_| bad())?,
            "writes" => self.writes = rest.parse().map_err(|_| bad())?,
            "cut" => {
                let (point, span) = rest.rsplit_once('-').ok_or_else(bad)?;
                self.faults.push(Fault::Cut { point: Point::parse(point)?, span: Span::parse(span).ok_or_else(bad)? });
            }
            "hold" => {
                let (from, rest) = rest.split_once('-').ok_or_else(bad)?;
                let (mark, span) = rest.rsplit_once('-').ok_or_else(bad)?;
                let from = pick("sender", from, &Whose::ALL, Whose::id)?;
                let mark = pick("mark", mark, &Mark::ALL, Mark::id)?;
                self.faults.push(Fault::Hold { from, mark, span: Span::parse(span).ok_or_else(bad)? });
            }
            _ => return Err(bad()),
        }
        Ok(())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(name, _)| Self::named(name).as_ref() == Some(self)) {
            return f.write_str(name);
        }
        write!(f, "latency-{}", self.latency)?;
        if self.reads > 0 {
            write!(f, "+reads-{}", self.reads)?;
        }
        if self.writes > 0 {
            write!(f, "+writes-{}", self.writes)?;
        }
        for fault in &self.faults {
            match fault {
                Fault::Hold { from, mark, span } => write!(f, "+hold-{}-{}-{span}", from.id(), mark.id())?,
                Fault::Cut { point, span } => write!(f, "+cut-{}-{span}", point.id())?,
            }
        }
        Ok(())
    }
}

impl FromStr for Network {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if let Some(network) = Self::named(text) {
            return Ok(network);
        }
        let mut network = Self::clear(10);
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
            Self::Hold { .. } => None,
            Self::Cut { point, .. } => Some(*point),
        }
    }

    /// What a packet has to carry for it to happen.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Self::Hold { mark, .. } => Some(*mark),
            Self::Cut { .. } => None,
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

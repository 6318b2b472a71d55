//! The network of a scenario: latency, sizes of reads and writes, a relay, and faults.

mod fault;
mod holds;
mod id;
mod range;
mod stream_equivalents;

pub use fault::{HeldContent, NetworkFault, PacketContent, PacketSelector, Sender, Span};
pub(crate) use holds::Holds;

use crate::network::Path;
use crate::network::relay::Relay;
use crate::scenario::plan::Point;
use crate::support::Millis;
use crate::tcp::PacketFate;

/// The network between the two ends. It keeps the order and loses nothing for good: TCP retransmits, so data comes
/// late.
///
/// In an id it is a name ([`Network::NAMED`], [`Network::PACKETS`]) or parts joined by `+`, such as
/// `latency-10+reads-1+hold-first-fin-500`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Time that each packet takes.
    pub latency: Millis,
    /// The largest number of bytes that one read returns; 0 is no limit.
    pub reads: usize,
    /// The largest number of bytes that one write takes; 0 is no limit.
    pub writes: usize,
    /// The largest number of the peer's bytes that each program takes every 10 ms. The rest waits in the sender's
    /// kernel, where a RST deletes it and a close does not. 0 is no limit.
    pub takes: usize,
    /// Packets arrive only at multiples of this time, several at once; 0 is at any time.
    pub batch: Millis,
    /// What a RST does to data that is in flight before it.
    pub rst: Rst,
    /// The relay between the two ends.
    pub relay: Option<Relay>,
    /// The faults.
    pub faults: Vec<NetworkFault>,
    /// The size of each kernel's receive buffer in bytes, which limits the window; 0 is the default size.
    pub window: usize,
    /// Time after which a vanished host is up again, without any connection; `None` is never.
    pub reboot: Option<Millis>,
    /// An earlier conversation on the same ports has just ended, and the server's socket of it is in TIME-WAIT.
    pub earlier: bool,
}

/// What a RST does to data that its sender sent before it and that is still in flight. TCP allows both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rst {
    /// The RST arrives behind the data: all of it can be read.
    InOrder,
    /// The RST arrives before the data: all of it is lost.
    Overtakes,
    /// Both, in two runs ([`Scenario::runs`](crate::Scenario::runs)).
    Races,
}

impl Network {
    /// The named networks, each with a description.
    pub const NAMED: [(&'static str, &'static str); 20] = [
        ("clear", "4 ms each way"),
        ("slow", "24 ms each way, still within every deadline"),
        ("one-byte-reads", "every read gives one byte"),
        ("coalesced", "packets arrive only every 10 ms, several at once"),
        ("slow-reader", "each program reads 200 bytes every 10 ms, and so everything within the deadlines"),
        ("slower-reader", "each program reads 40 bytes every 10 ms: deadlines come, but it makes progress"),
        (
            "stalled-reader",
            "each program reads 18 bytes every 10 ms, which is no progress within the shorter deadlines",
        ),
        ("close-late", "the first CLOSE is held for 40 ms, within the deadlines"),
        ("close-held", "the first CLOSE is held for longer than any deadline of the ending"),
        ("client-close-held", "the client's CLOSE is held for longer than any deadline of the ending"),
        ("fin-late", "the first FIN is held for 40 ms, within the deadlines"),
        ("fin-held", "the first FIN is held for longer than any deadline of the ending"),
        ("rst-race", "a RST arrives after the data sent before it, or overtakes and destroys that data"),
        ("rst-overtakes", "a RST overtakes and destroys the data sent before it"),
        ("cut-idle", "the network is cut when the conversation is idle"),
        ("cut-closing", "the network is cut when the first GOAWAY was sent"),
        ("cut-healed", "like cut-closing, but repaired after 40 ms, within the deadlines"),
        ("relay-rst-to-fin", "a relay that turns every RST into a FIN"),
        ("relay-closes-both", "a relay that does the same, and ends both directions at a half-close"),
        ("relay-cuts-off", "a relay that does the same, and cuts a half-closed conversation off after 20 ms"),
    ];

    /// The named networks that need packets, each with a description.
    pub const PACKETS: [(&'static str, &'static str); 12] = [
        ("fin-lost", "the first FIN is lost, and sent again"),
        ("last-ack-lost", "the ACK that ends the conversation is lost, and the FIN is sent again to TIME-WAIT"),
        ("rst-lost", "the first RST is lost, and never sent again"),
        ("close-lost", "the first CLOSE is lost, and sent again"),
        ("client-close-lost", "the client's CLOSE is lost: its FIN arrives before it"),
        ("data-behind-fin", "the server's answer is lost, and sent again after what follows it"),
        (
            "fins-cross",
            "the first FIN is held for longer than the peer's fin deadline, so that both FINs are in flight",
        ),
        ("fin-twice", "the first FIN comes again after 60 ms, to a socket in TIME-WAIT"),
        ("old-duplicate", "the client's request comes again after 100 ms"),
        ("zero-window", "each host takes 8 bytes, and no more until they are read"),
        ("rebooted", "a host that vanished reboots after 40 ms, and knows no connection"),
        ("port-reused", "the ports are those of a conversation that has just ended"),
    ];

    /// Creates a network without faults.
    pub fn clear(latency: Millis) -> Self {
        Self {
            latency,
            reads: 0,
            writes: 0,
            takes: 0,
            batch: 0,
            rst: Rst::InOrder,
            relay: None,
            faults: Vec::new(),
            window: 0,
            reboot: None,
            earlier: false,
        }
    }

    /// Returns the network called `name`.
    pub fn named(name: &str) -> Option<Self> {
        let clear = Self::clear(4);
        let faulty = |fault| Self { faults: vec![fault], ..Self::clear(4) };
        let hold = |from, mark, span| faulty(NetworkFault::Hold { from, content: mark, span });
        let cut = |point, span| faulty(NetworkFault::Cut { point, span });
        let packet =
            |from, carries, fate| faulty(NetworkFault::Packet { which: PacketSelector::First { from, carries }, fate });
        let relay = |relay| Self { relay: Some(relay), ..Self::clear(4) };
        Some(match name {
            "clear" => clear,
            "slow" => Self::clear(24),
            "one-byte-reads" => Self { reads: 1, ..clear },
            "coalesced" => Self { batch: 10, ..clear },
            "slow-reader" => Self { takes: 200, ..clear },
            "slower-reader" => Self { takes: 40, ..clear },
            "stalled-reader" => Self { takes: 18, ..clear },
            "close-late" => hold(Sender::First, HeldContent::Close, Span::For(40)),
            "close-held" => hold(Sender::First, HeldContent::Close, Span::For(500)),
            "client-close-held" => hold(Sender::Client, HeldContent::Close, Span::For(500)),
            "fin-late" => hold(Sender::First, HeldContent::Fin, Span::For(40)),
            "fin-held" => hold(Sender::First, HeldContent::Fin, Span::For(500)),
            "rst-race" => Self { rst: Rst::Races, ..clear },
            "rst-overtakes" => Self { rst: Rst::Overtakes, ..clear },
            "cut-idle" => cut(Point::Idle, Span::Ever),
            "cut-closing" => cut(Point::Draining, Span::Ever),
            "cut-healed" => cut(Point::Draining, Span::For(40)),
            "relay-rst-to-fin" => relay(Relay::PassesHalfClose),
            "relay-closes-both" => relay(Relay::ClosesBoth),
            "relay-cuts-off" => relay(Relay::CutsOff(20)),
            "fin-lost" => packet(Sender::First, PacketContent::Fin, PacketFate::Lose),
            "last-ack-lost" => packet(Sender::First, PacketContent::LastAck, PacketFate::Lose),
            "rst-lost" => packet(Sender::First, PacketContent::Rst, PacketFate::Lose),
            "close-lost" => packet(Sender::First, PacketContent::Close, PacketFate::Lose),
            "client-close-lost" => packet(Sender::Client, PacketContent::Close, PacketFate::Lose),
            "data-behind-fin" => packet(Sender::Server, PacketContent::Answer, PacketFate::Lose),
            "fins-cross" => hold(Sender::First, HeldContent::Fin, Span::For(120)),
            "fin-twice" => packet(Sender::First, PacketContent::Fin, PacketFate::Twice(60)),
            "old-duplicate" => packet(Sender::Client, PacketContent::Request, PacketFate::Twice(100)),
            "zero-window" => Self { window: 8, ..clear },
            "rebooted" => Self { reboot: Some(40), ..clear },
            "port-reused" => Self { earlier: true, ..clear },
            _ => return None,
        })
    }

    /// Returns whether it does nothing that a cable would not do. A small window and reused ports are matters of the
    /// hosts and of TCP, and a reboot belongs to its host's power loss, so these are allowed.
    pub fn is_faithful(&self) -> bool {
        self.faults.is_empty() && self.relay.is_none() && self.rst == Rst::InOrder
    }

    /// Returns whether only a network of packets can do what it does.
    pub fn has_packets(&self) -> bool {
        self.window > 0 || self.reboot.is_some() || self.earlier || self.faults.iter().any(NetworkFault::is_of_packets)
    }

    pub(crate) fn path(&self) -> Path {
        let Self { latency, batch, relay, takes, .. } = *self;
        Path { latency, batch, overtaking: self.rst == Rst::Overtakes, relay, takes }
    }
}

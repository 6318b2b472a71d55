//! What is compared: a load, and the servers that take it.

use crate::load::Load;
use crate::peers::Peer;
use crate::wire::Wire;
use Peer::{Echo, Fastwebsockets, Floor, LengthDelimited, Library, Raw16k, Raw256k, RawShared, Service, Tungstenite};

/// One table.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
    /// The servers, each with its wire. The first is ours.
    pub(crate) peers: &'static [(Peer, Wire)],
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Messages per second, and CPU of the server per message.
    Throughput(Load),
    /// The median time of a request, one at a time.
    PingPong(Load),
    /// Messages per second of two load generators with the floor as their server, and CPU of that server per message.
    Client(Load),
    /// Bytes per second.
    Bulk(Load),
    /// Conversations per second with their end, and CPU of the server for each.
    Short,
    /// Memory of each idle connection.
    Idle { connections: usize },
}

const fn load(connections: usize, outstanding: usize, size: usize) -> Load {
    Load { connections, outstanding, size }
}

const ALL: &[(Peer, Wire)] = &[
    (Echo, Wire::Echo),
    (Service, Wire::Echo),
    (Raw16k, Wire::Raw),
    (Floor, Wire::Echo),
    (LengthDelimited, Wire::LengthDelimited),
    (Tungstenite, Wire::WebSocket),
    (Fastwebsockets, Wire::WebSocket),
];

pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "small-8",
        title: "64 B, 8 connections x 128 unanswered",
        kind: Kind::Throughput(load(8, 128, 64)),
        peers: ALL,
    },
    Figure {
        name: "small-1",
        title: "64 B, 1 connection x 128 unanswered",
        kind: Kind::Throughput(load(1, 128, 64)),
        peers: ALL,
    },
    Figure {
        name: "small-64",
        title: "64 B, 64 connections x 128 unanswered",
        kind: Kind::Throughput(load(64, 128, 64)),
        peers: ALL,
    },
    Figure {
        name: "small-1000",
        title: "64 B, 1,000 connections x 128 unanswered",
        kind: Kind::Throughput(load(1000, 128, 64)),
        peers: &[(Echo, Wire::Echo), (Raw16k, Wire::Raw), (LengthDelimited, Wire::LengthDelimited)],
    },
    Figure {
        name: "ping-pong-1",
        title: "64 B, ping-pong on 1 connection",
        kind: Kind::PingPong(load(1, 1, 64)),
        peers: ALL,
    },
    Figure {
        name: "ping-pong-32",
        title: "64 B, ping-pong on 32 connections",
        kind: Kind::Throughput(load(32, 1, 64)),
        peers: ALL,
    },
    Figure {
        name: "bulk",
        title: "64 KiB, 8 connections x 4 unanswered",
        kind: Kind::Bulk(load(8, 4, 64 * 1024)),
        peers: &[
            (Echo, Wire::Echo),
            (Raw16k, Wire::Raw),
            (Raw256k, Wire::Raw),
            (RawShared, Wire::Raw),
            (Floor, Wire::Echo),
            (LengthDelimited, Wire::LengthDelimited),
            (Tungstenite, Wire::WebSocket),
            (Fastwebsockets, Wire::WebSocket),
        ],
    },
    Figure {
        name: "idle",
        title: "5,000 idle connections that exchanged a message of 64 B",
        kind: Kind::Idle { connections: 5000 },
        peers: &[
            (Echo, Wire::Echo),
            (Raw16k, Wire::Raw),
            (RawShared, Wire::Raw),
            (Floor, Wire::Echo),
            (LengthDelimited, Wire::LengthDelimited),
            (Tungstenite, Wire::WebSocket),
            (Fastwebsockets, Wire::WebSocket),
        ],
    },
    Figure {
        name: "idle-10000",
        title: "10,000 idle connections that exchanged a message of 64 B",
        kind: Kind::Idle { connections: 10_000 },
        peers: &[(Echo, Wire::Echo), (RawShared, Wire::Raw)],
    },
    Figure {
        name: "short",
        title: "conversations of one message of 64 B, 32 at once, with the end that the wire has",
        kind: Kind::Short,
        peers: &[
            (Echo, Wire::Echo),
            (Raw16k, Wire::Raw),
            (Tungstenite, Wire::WebSocket),
            (Fastwebsockets, Wire::WebSocket),
        ],
    },
    Figure {
        name: "client",
        title: "64 B, 8 connections x 128 unanswered: load generators, with the floor as their server",
        kind: Kind::Client(load(8, 128, 64)),
        peers: &[(Library, Wire::Echo), (Floor, Wire::Echo)],
    },
    Figure {
        name: "plain",
        title: "lines of 64 B on the plain wire, 8 connections x 128 unanswered",
        kind: Kind::Throughput(load(8, 128, 64)),
        peers: &[(Echo, Wire::Plain), (Raw16k, Wire::Raw)],
    },
];

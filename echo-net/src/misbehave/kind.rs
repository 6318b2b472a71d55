//! The table of the kinds of misbehaviour.

use super::Wire;
use std::fmt;
use std::str::FromStr;

/// Defines [`Kind`] and the properties of each kind in one place.
macro_rules! kinds {
    ($($name:ident {
        id: $id:literal,
        wires: $wires:expr,
        connections: $connections:literal,
        summary: $summary:literal,
        must_get: $must_get:literal,
        may_cost: $may_cost:literal,
    })*) => {
        /// What a hostile or broken client does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $summary] $name,)*
        }

        impl Kind {
            /// All kinds, in the order of `ATTACKERS.md`.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name on the command line and in `ATTACKERS.md`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Describes what the client does, in one line.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => $summary,)* }
            }

            /// Describes what the client must get from the server, in one line. [`Kind::allows`] checks it.
            pub fn must_get(self) -> &'static str {
                match self { $(Self::$name => $must_get,)* }
            }

            /// Describes what one connection may cost the server, in one line.
            pub fn may_cost(self) -> &'static str {
                match self { $(Self::$name => $may_cost,)* }
            }

            /// Returns the wires on which the kind works; the first is the default.
            pub fn wires(self) -> &'static [Wire] {
                match self { $(Self::$name => $wires,)* }
            }

            /// Returns how many connections make a noticeable attack on one machine.
            pub fn usual_connections(self) -> usize {
                match self { $(Self::$name => $connections,)* }
            }
        }
    };
}

const FRAMED: &[Wire] = &[Wire::Framed];
const PLAIN: &[Wire] = &[Wire::Plain];
const BOTH: &[Wire] = &[Wire::Framed, Wire::Plain];

kinds! {
    SlowPreface {
        id: "slow-preface", wires: FRAMED, connections: 800,
        summary: "sends the preface one byte at a time, and never its last byte",
        must_get: "the server's preface and CLOSE 1002 at the detect deadline",
        may_cost: "a place and a descriptor until the detect deadline",
    }
    SlowFrame {
        id: "slow-frame", wires: FRAMED, connections: 800,
        summary: "sends an ECHO of the longest payload one byte at a time",
        must_get: "GOAWAY 1001 at the idle deadline, then CLOSE 1001 at the drain deadline",
        may_cost: "a place and a descriptor until the idle deadline, and memory for the received bytes",
    }
    SlowLine {
        id: "slow-line", wires: PLAIN, connections: 400,
        summary: "sends an endless line one byte at a time, faster than `quiet`",
        must_get: "FIN at the idle deadline, unless a piece of the line was answered before",
        may_cost: "a place, a descriptor, one read for each byte, and memory for the received bytes",
    }
    UnreadFrames {
        id: "unread-frames", wires: FRAMED, connections: 200,
        summary: "sends ECHOs of 64 KiB without pause and reads no answer",
        must_get: "RST at the write deadline",
        may_cost: "64 KiB of output, one answer and one request, until the write deadline",
    }
    UnreadLines {
        id: "unread-lines", wires: PLAIN, connections: 200,
        summary: "sends short lines without pause and reads no answer",
        must_get: "RST at the write deadline",
        may_cost: "64 KiB of output and one read of waiting input, until the write deadline",
    }
    SlowReader {
        id: "slow-reader", wires: BOTH, connections: 400,
        summary: "requests the longest answer and reads one byte of it each second",
        must_get: "the part of the answer that fits in the system's buffers, and RST if it has read less than 16 KiB at the write deadline",
        may_cost: "memory for one answer, if there is enough, until the write deadline",
    }
    TinyFrames {
        id: "tiny-frames", wires: FRAMED, connections: 50,
        summary: "sends ECHOs of one byte without pause, and reads the answers",
        must_get: "every answer in order; after its FIN, the remaining answers and CLOSE 1002",
        may_cost: "the CPU time of the frames, a fair share",
    }
    TinyFramesUnread {
        id: "tiny-frames-unread", wires: FRAMED, connections: 200,
        summary: "sends ECHOs of one byte without pause and reads no answer",
        must_get: "RST at the write deadline",
        may_cost: "64 KiB of output and one read of waiting input, until the write deadline",
    }
    EmptyEchoes {
        id: "empty-echoes", wires: FRAMED, connections: 50,
        summary: "sends ECHOs without a payload without pause, and reads the answers",
        must_get: "every answer in order; after its FIN, the remaining answers and CLOSE 1002",
        may_cost: "the CPU time of the frames, a fair share",
    }
    GoawayFlood {
        id: "goaway-flood", wires: FRAMED, connections: 50,
        summary: "sends GOAWAYs without pause",
        must_get: "CLOSE 1000 for the first GOAWAY and no other CLOSE; the end by the fin and linger deadlines",
        may_cost: "the CPU time to discard the input, until the linger deadline",
    }
    UnknownFrames {
        id: "unknown-frames", wires: FRAMED, connections: 50,
        summary: "sends empty frames of an unknown kind below 0x80 without pause",
        must_get: "nothing until GOAWAY 1001 at the idle deadline; after its FIN, CLOSE 1002",
        may_cost: "the CPU time to skip the frames, a fair share, until the idle deadline",
    }
    CriticalFrames {
        id: "critical-frames", wires: FRAMED, connections: 50,
        summary: "sends frames of an unknown kind of 0x80 or above without pause",
        must_get: "CLOSE 1002 for the first frame; the end by the fin and linger deadlines",
        may_cost: "the CPU time to discard the input, until the linger deadline",
    }
    Newlines {
        id: "newlines", wires: PLAIN, connections: 50,
        summary: "sends newlines without pause, and reads the answers",
        must_get: "an answer of 28 bytes to each; after its FIN, the remaining answers and FIN",
        may_cost: "the CPU time of the lines, a fair share; 28 bytes of answers for each byte",
    }
    HalfOpen {
        id: "half-open", wires: BOTH, connections: 1000,
        summary: "connects and sends nothing",
        must_get: "FIN at the idle deadline; over the connection limit, FIN at the detect deadline or when another client needs its place",
        may_cost: "a place and a descriptor until the idle deadline",
    }
    UnfinishedLine {
        id: "unfinished-line", wires: PLAIN, connections: 100,
        summary: "sends a line nearly as long as the limit, then more of it one byte at a time, faster than `quiet`",
        must_get: "FIN at the idle deadline, unless a piece of the line was answered before",
        may_cost: "memory for one message, if there is enough, until the idle deadline",
    }
    UnfinishedFrame {
        id: "unfinished-frame", wires: FRAMED, connections: 100,
        summary: "sends an ECHO of the longest payload without its last byte, and waits",
        must_get: "GOAWAY 1001 at the idle deadline, then CLOSE 1001 at the drain deadline",
        may_cost: "memory for one message, if there is enough, until the idle deadline",
    }
    UnreadAnswer {
        id: "unread-answer", wires: BOTH, connections: 100,
        summary: "requests the longest answer and reads none of it",
        must_get: "RST at the write deadline; if the whole answer fits in the system's buffers, the answer and then the end, when it reads",
        may_cost: "memory for one answer, if there is enough, until the write deadline, or in the system's buffers until the idle deadline",
    }
    CloseEachTime {
        id: "close-each-time", wires: FRAMED, connections: 50,
        summary: "connects, sends one request, closes by the contract, and starts again",
        must_get: "the answer, CLOSE 1000 and FIN",
        may_cost: "the CPU time of a whole conversation",
    }
    CloseWrongCount {
        id: "close-wrong-count", wires: FRAMED, connections: 50,
        summary: "acknowledges the server's CLOSE with a wrong count",
        must_get: "CLOSE 1000 and no other CLOSE, then FIN; the server reports a violation",
        may_cost: "the CPU time of a whole conversation",
    }
    CloseUnsent {
        id: "close-unsent", wires: FRAMED, connections: 50,
        summary: "sends CLOSE 1000 before the server has begun to close",
        must_get: "CLOSE 1002, then FIN",
        may_cost: "the CPU time of a short conversation",
    }
    CloseTooSoon {
        id: "close-too-soon", wires: FRAMED, connections: 50,
        summary: "sends GOAWAY and, in the same write, the acknowledgement of the CLOSE that will follow",
        must_get: "CLOSE 1000 and no other CLOSE, then FIN; the server reports a violation",
        may_cost: "the CPU time of a short conversation",
    }
    CloseInPreface {
        id: "close-in-preface", wires: FRAMED, connections: 50,
        summary: "sends CLOSE in place of the rest of the preface",
        must_get: "the server's preface and CLOSE 1002, then FIN",
        may_cost: "the CPU time of a short conversation",
    }
    GoawayWrongCount {
        id: "goaway-wrong-count", wires: FRAMED, connections: 50,
        summary: "sends GOAWAY with the number of a request that it never sent",
        must_get: "CLOSE 1002, then FIN",
        may_cost: "the CPU time of a short conversation",
    }
    FinAnywhere {
        id: "fin-anywhere", wires: BOTH, connections: 50,
        summary: "sends FIN after byte 1, 2, 3 … of a conversation, each on its own connection",
        must_get: "framed: CLOSE 1002, or CLOSE 1000 after its GOAWAY, then FIN; plain: the answers, then FIN",
        may_cost: "the CPU time of a short conversation",
    }
    RstAnywhere {
        id: "rst-anywhere", wires: BOTH, connections: 50,
        summary: "sends RST after byte 1, 2, 3 … of a conversation, each on its own connection",
        must_get: "nothing more; the server closes its socket at once",
        may_cost: "the CPU time of a short conversation",
    }
    UnaskedReplies {
        id: "unasked-replies", wires: FRAMED, connections: 50,
        summary: "sends REPLYs, which only a server may send, to requests that do not exist",
        must_get: "CLOSE 1002, then FIN",
        may_cost: "the CPU time of a short conversation",
    }
    EnormousLength {
        id: "enormous-length", wires: FRAMED, connections: 50,
        summary: "sends the header of an ECHO of 16 MiB",
        must_get: "CLOSE 1009, then FIN; the server allocates nothing for the body",
        may_cost: "the CPU time of a short conversation",
    }
    OverLimit {
        id: "over-limit", wires: BOTH, connections: 1200,
        summary: "opens more connections than the server serves, sends one request on each, and holds them",
        must_get: "the answer, or refusal 1013 with the reason, and FIN when another client needs its place",
        may_cost: "every place until the idle deadline, so that later clients are not served",
    }
    ConnectBurst {
        id: "connect-burst", wires: BOTH, connections: 500,
        summary: "connects in bursts, sends a request or part of it, reads nothing, and drops connections at random, like a client out of descriptors",
        must_get: "its place or refusal 1013 while it is open; the server closes each dropped connection",
        may_cost: "one accept and the CPU time of a short conversation for each connection",
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// The text that is not the [`Kind::id`] of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a kind of misbehaviour", self.0)
    }
}

impl std::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(id: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.id() == id).ok_or_else(|| UnknownKind(id.to_owned()))
    }
}

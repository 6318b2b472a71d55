//! The size of an attack: connections, time, bytes.

use super::Kind;
use echo_core::Deadlines;
use std::fmt;
use std::time::Duration;

/// One of the two wires of PROTOCOL.md section 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wire {
    /// Prefaces and frames.
    Framed,
    /// Lines.
    Plain,
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Framed => "framed",
            Self::Plain => "plain",
        })
    }
}

/// The size of an attack. [`Load::of`] returns the usual one of a kind.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Load {
    /// Number of concurrent connections. When one ends, another one follows until the time is over.
    pub connections: usize,
    /// Length of the attack.
    pub duration: Duration,
    /// Maximum wait after `duration` for what the server still owes: last answers, a CLOSE, FIN.
    pub patience: Duration,
    /// The wire. A kind that does not work on it uses its own.
    pub wire: Wire,
    /// The pause between two bytes of a slow kind.
    pub pace: Duration,
    /// The server's limit on a payload, in bytes.
    pub payload_limit: usize,
    /// The server's deadlines. A connection that is open long after the one that should have ended it is
    /// [`StreamEnd::Overdue`](super::StreamEnd::Overdue).
    pub deadlines: Deadlines,
}

impl Load {
    /// Returns the usual load of `kind`, for three seconds, against a server with the defaults of PROTOCOL.md.
    pub fn of(kind: Kind) -> Self {
        Self {
            connections: kind.usual_connections(),
            duration: Duration::from_secs(3),
            patience: Duration::from_secs(10),
            wire: kind.wires()[0],
            pace: usual_pace(kind),
            payload_limit: 1024 * 1024,
            deadlines: Deadlines::default(),
        }
    }

    /// Returns the wire on which `kind` runs.
    pub(super) fn wire_of(&self, kind: Kind) -> Wire {
        if kind.wires().contains(&self.wire) { self.wire } else { kind.wires()[0] }
    }
}

fn usual_pace(kind: Kind) -> Duration {
    Duration::from_millis(match kind {
        Kind::SlowReader => 1000,
        // Shorter than `quiet`: otherwise each byte is a message.
        Kind::SlowLine | Kind::UnfinishedLine => 10,
        _ => 200,
    })
}

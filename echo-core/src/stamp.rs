//! Timestamps on the wire, and what the four of a request measure (PROTOCOL.md, section 3).

use std::time::Duration;

/// A moment on the wire, in nanoseconds since the Unix epoch (1970-01-01T00:00:00Z).
///
/// An `i64` reaches from 1677 to 2262. Arithmetic saturates instead of wrapping, because the peer may send any value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stamp(pub i64);

impl Stamp {
    /// Returns the moment `elapsed` after this one.
    ///
    /// A connection reads the wall clock once, at its start, and adds monotonic time. So a step of the wall clock
    /// changes no measurement (clause 3.2).
    #[inline]
    pub fn after(self, elapsed: Duration) -> Self {
        let nanos = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// Returns the moment `elapsed` before this one.
    pub(crate) fn before(self, elapsed: Duration) -> Self {
        let nanos = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// Returns whole seconds since the epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

/// The four timestamps of one request: RFC 5905 section 8, RFC 8762.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stamps {
    /// The client sent the request (client's clock).
    pub t1: Stamp,
    /// The server received it (server's clock).
    pub t2: Stamp,
    /// The server answered (server's clock).
    pub t3: Stamp,
    /// The client received the answer (client's clock).
    pub t4: Stamp,
}

impl Stamps {
    /// Returns the round-trip delay in nanoseconds, without the server's processing time: `(t4 - t1) - (t3 - t2)`.
    ///
    /// It is negative only if a clock or a stamp of the peer is wrong.
    pub fn delay(&self) -> i64 {
        saturate(wide(self.t4, self.t1) - wide(self.t3, self.t2))
    }

    /// Returns the server's clock minus the client's, in nanoseconds: `((t2 - t1) + (t3 - t4)) / 2`. It assumes that
    /// both directions take equally long.
    pub fn offset(&self) -> i64 {
        saturate((wide(self.t2, self.t1) + wide(self.t3, self.t4)) / 2)
    }
}

fn wide(a: Stamp, b: Stamp) -> i128 {
    i128::from(a.0) - i128::from(b.0)
}

fn saturate(nanos: i128) -> i64 {
    nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

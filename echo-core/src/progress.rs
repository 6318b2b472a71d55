//! Detects whether the peer acknowledges output (PROTOCOL.md, clause 8.6).

/// What the last look at the transport showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes that the peer had acknowledged.
    taken: u64,
    /// Whether other bytes were not yet acknowledged.
    left: bool,
}

impl Progress {
    /// Notes that `unacknowledged` of `written` bytes are not acknowledged. Returns whether the peer has acknowledged
    /// at least `least` bytes since the last look, if output was unacknowledged then or is now. Without such output the
    /// bytes may have been acknowledged long ago, and that is no progress.
    pub(crate) fn look(&mut self, written: u64, unacknowledged: usize, least: usize) -> bool {
        let taken = written.saturating_sub(unacknowledged as u64);
        let news = taken.saturating_sub(std::mem::replace(&mut self.taken, taken));
        let was_left = std::mem::replace(&mut self.left, unacknowledged > 0);
        news >= least as u64 && (was_left || self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_enough_bytes_of_what_was_left() {
        let mut progress = Progress::default();
        let mut look = |written, unacknowledged| progress.look(written, unacknowledged, 16);
        assert!(!look(100, 100), "no byte was acknowledged");
        assert!(look(100, 84), "16 bytes");
        assert!(!look(100, 69), "15 bytes");
        assert!(look(200, 153), "16 bytes, while more were written");
        assert!(!look(200, 153), "none");
        assert!(look(200, 0), "the rest");
        assert!(!look(200, 0), "nothing was left");
        assert!(!look(300, 0), "no look saw unacknowledged bytes");
        assert!(look(400, 1), "one byte is left");
        assert!(!look(400, 0), "the rest, but less than 16 bytes");
    }
}

//! Checks whether every sent byte came back, on a wire that inserts times between messages.

use std::collections::VecDeque;

/// Pattern of a time, `[Mon Nov 23 08:16:00 2026] `: `a` is a letter, `9` a digit or a space, others are literal.
const STAMP: &[u8] = b"[aaa aaa 99 99:99:99 9999] ";

/// Maximum number of readings, so that the work for each byte is bounded.
const MOST_READINGS: usize = 64;

/// Compares received bytes with sent bytes.
///
/// A time may be anywhere, and sent bytes may look like one. So the check follows each reading that fits so far: a
/// position in the sent bytes, and how much of a time was read there. Of more than 64 readings it keeps those that
/// contain the fewest inserted times; only text that is almost all times has more.
///
/// ```
/// use echo_net::EchoCheck;
///
/// let mut check = EchoCheck::default();
/// check.sent(b"hello\n");
/// check.came(b"[Mon Nov 23 08:16:00 2026] hel");
/// assert!(!check.all());
/// check.came(b"lo\n");
/// assert!(check.all());
/// ```
#[derive(Debug)]
pub struct EchoCheck {
    /// The sent bytes from position `base` on.
    sent: VecDeque<u8>,
    base: u64,
    /// Sorted, without duplicates.
    readings: Vec<(u64, usize)>,
}

impl Default for EchoCheck {
    fn default() -> Self {
        Self { sent: VecDeque::new(), base: 0, readings: vec![(0, 0)] }
    }
}

impl EchoCheck {
    /// Notes that these bytes were sent.
    pub fn sent(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
    }

    /// Notes that these bytes were received.
    pub fn came(&mut self, bytes: &[u8]) {
        let mut next = Vec::with_capacity(MOST_READINGS + 2);
        for byte in bytes {
            next.clear();
            for &(place, in_stamp) in &self.readings {
                if in_stamp == 0 && self.at(place) == Some(*byte) {
                    next.push((place + 1, 0));
                }
                if fits(STAMP[in_stamp], *byte) {
                    next.push((place, (in_stamp + 1) % STAMP.len()));
                }
            }
            next.sort_unstable();
            next.dedup();
            next.drain(..next.len().saturating_sub(MOST_READINGS));
            std::mem::swap(&mut self.readings, &mut next);
        }
        let needed = self.readings.first().map_or(self.end(), |(place, _)| *place);
        self.sent.drain(..(needed - self.base) as usize);
        self.base = needed;
    }

    /// Returns whether all sent bytes came back.
    pub fn all(&self) -> bool {
        self.readings.contains(&(self.end(), 0))
    }

    /// Returns the number of sent bytes that have not come back.
    pub fn outstanding(&self) -> u64 {
        self.sent.len() as u64
    }

    fn at(&self, place: u64) -> Option<u8> {
        self.sent.get((place - self.base) as usize).copied()
    }

    fn end(&self) -> u64 {
        self.base + self.sent.len() as u64
    }
}

fn fits(pattern: u8, byte: u8) -> bool {
    match pattern {
        b'a' => byte.is_ascii_alphabetic(),
        b'9' => byte.is_ascii_digit() || byte == b' ',
        literal => literal == byte,
    }
}

#[cfg(test)]
mod tests {
    use super::EchoCheck;

    fn check(sent: &[u8], came: &[u8]) -> bool {
        let mut check = EchoCheck::default();
        check.sent(sent);
        check.came(came);
        check.all()
    }

    const TIME: &str = "[Mon Nov 23 08:16:00 2026] ";

    #[test]
    fn times_may_stand_between_any_bytes() {
        assert!(check(b"hello\n", format!("{TIME}hello\n").as_bytes()));
        assert!(check(b"hello\n", format!("{TIME}hel{TIME}lo\n").as_bytes()));
        assert!(check(b"hello\n", b"hello\n"), "a mirror returns every byte");
        assert!(check(b"", b""));
    }

    #[test]
    fn what_is_missing_changed_or_added_is_noticed() {
        assert!(!check(b"hello\n", format!("{TIME}hello").as_bytes()), "one byte missing");
        assert!(!check(b"hello\n", format!("{TIME}hellO\n").as_bytes()), "one byte changed");
        assert!(!check(b"hello\n", format!("{TIME}hello\n!").as_bytes()), "one byte too many");
        assert!(!check(b"hello\n", &TIME.as_bytes()[..20]), "a time cut short");
    }

    #[test]
    fn a_message_that_looks_like_a_time_is_still_a_message() {
        assert!(check(TIME.as_bytes(), format!("{TIME}{TIME}").as_bytes()));
        assert!(check(b"[[Mon", format!("{TIME}[[Mon").as_bytes()));
        assert!(!check(format!("{TIME}x").as_bytes(), format!("{TIME}{TIME}").as_bytes()));
    }

    /// Text of times only, where each may be inserted by the server: the work is bounded, and the result right.
    #[test]
    fn text_that_consists_of_times_is_compared_too() {
        let text = TIME.repeat(2000);
        for (inserted, came) in [(1, text.clone() + TIME), (2000, text.repeat(2)), (0, text.clone())] {
            let mut check = EchoCheck::default();
            check.sent(text.as_bytes());
            for piece in came.as_bytes().chunks(1000) {
                check.came(piece);
                assert!(check.readings.len() <= super::MOST_READINGS);
            }
            assert!(check.all(), "the server inserted {inserted} times");
        }
        assert!(!check(text.as_bytes(), &text.as_bytes()[1..]), "a byte is missing");
        assert!(!check(text.as_bytes(), format!("{text}x").as_bytes()), "a byte is too many");
    }

    #[test]
    fn what_came_back_is_forgotten() {
        let mut check = EchoCheck::default();
        for _ in 0..100 {
            check.sent(&[b'x'; 1000]);
            check.came(&[b'x'; 1000]);
            assert!(check.all() && check.sent.is_empty());
        }
    }
}

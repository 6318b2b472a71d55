//! The plain client's account: whether every byte that was sent came back.

use super::input::Input;
use echo_net::EchoCheck;

/// Bytes that look like a timestamp or a part of one, and bytes that do not.
const WORDS: [&[u8]; 8] =
    [b"[Mon Nov 23 08:16:00 2026] ", b"[Mon Nov ", b"[", b"a", b"aaa", b" ", b"1", b"[aaa aaa 99 99:99:99 9999] "];
const TIME: &[u8] = b"[Tue Nov 24 09:17:01 2026] ";

/// Checks [`EchoCheck`] against a table of all readings, which decides whether the received bytes are the sent ones
/// with timestamps between them.
pub(super) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut check = EchoCheck::default();
    let mut said = Said::default();
    for _ in 0..60 {
        if input.is_empty() {
            break;
        }
        match input.below(8) {
            0 | 1 => said.send(&mut check, input.pick(&WORDS)),
            2 => {
                let count = input.below(16);
                said.send(&mut check, input.take(count));
            }
            3 => said.come(&mut check, TIME),
            4 => {
                let count = input.below(8);
                said.come(&mut check, input.take(count));
            }
            _ => {
                let count = input.below(64).min(said.sent.len() - said.echoed);
                let bytes = said.sent[said.echoed..said.echoed + count].to_vec();
                said.echoed += count;
                said.come(&mut check, &bytes);
            }
        }
        assert_eq!(check.all(), said.all(), "sent {:?}, came {:?}", text(&said.sent), said.came());
    }
}

/// What was sent and received.
#[derive(Default)]
struct Said {
    sent: Vec<u8>,
    /// Each received byte, and how many bytes had been sent before it.
    came: Vec<(u8, usize)>,
    /// The number of sent bytes that were echoed.
    echoed: usize,
}

impl Said {
    fn send(&mut self, check: &mut EchoCheck, bytes: &[u8]) {
        check.sent(bytes);
        self.sent.extend_from_slice(bytes);
    }

    fn come(&mut self, check: &mut EchoCheck, bytes: &[u8]) {
        check.came(bytes);
        self.came.extend(bytes.iter().map(|byte| (*byte, self.sent.len())));
    }

    fn came(&self) -> String {
        text(&self.came.iter().map(|(byte, _)| *byte).collect::<Vec<_>>())
    }

    /// Decides with a table. Row n holds, after n received bytes, how many of the sent bytes may have come back.
    fn all(&self) -> bool {
        let width = self.sent.len() + 1;
        let mut table = vec![vec![false; width]; self.came.len() + 1];
        table[0][0] = true;
        for at in 0..self.came.len() {
            let (byte, available) = self.came[at];
            let time = self.came.get(at..at + TIME.len()).is_some_and(is_a_time);
            for back in 0..width {
                if !table[at][back] {
                    continue;
                }
                if back < available && self.sent[back] == byte {
                    table[at + 1][back + 1] = true;
                }
                if time {
                    table[at + TIME.len()][back] = true;
                }
            }
        }
        table[self.came.len()][self.sent.len()]
    }
}

/// Returns whether the bytes look like `[Tue Nov 24 09:17:01 2026] `, with any letters and digits. A digit may also be
/// a space.
fn is_a_time(came: &[(u8, usize)]) -> bool {
    came.iter().zip(TIME).all(|((byte, _), like)| match like {
        b'0'..=b'9' => byte.is_ascii_digit() || *byte == b' ',
        b'A'..=b'Z' | b'a'..=b'z' => byte.is_ascii_alphabetic(),
        literal => byte == literal,
    })
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

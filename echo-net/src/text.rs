//! Makes bytes from the network safe to show on a terminal.

use std::fmt::Write;

/// Returns bytes as text that is safe on a terminal. Readable UTF-8 characters stay. Controls, and other characters
/// that could control a terminal or reorder a line, become `\n`, `\u{1b}`, `\xNN`.
///
/// ```
/// assert_eq!(echo_net::printable("héllo\x1b[2J".as_bytes()), "héllo\\u{1b}[2J");
/// assert_eq!(echo_net::printable(b"\xff\xfd\n"), "\\xff\\xfd\\n");
/// assert_eq!(echo_net::printable("👩\u{200d}👧, e\u{301}".as_bytes()), "👩\u{200d}👧, e\u{301}");
/// ```
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '"' | '\\' => text.push(c),
                // A joiner connects the parts of one symbol, and a mark belongs to the character before it.
                _ if c == '\u{200d}' || is_mark(c) => text.push(c),
                _ => text.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Returns whether `c` is a combining mark. `escape_debug` escapes a mark only at the start of a string.
fn is_mark(c: char) -> bool {
    c.escape_debug().len() > 1 && ['a', c].iter().collect::<String>().escape_debug().nth(1) == Some(c)
}

//! Bytes from the network on a terminal.

use std::fmt::Write;

/// Bytes as text that is safe on a terminal: readable characters of UTF-8 stay, controls and everything else that
/// could steer a terminal or reorder a line become `\n`, `\u{1b}`, `\xNN`.
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
                // It joins the parts of one sign, and marks belong to the letter before.
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

/// Whether this is written above, below or around the character before it: in a string only its first character is
/// escaped for that.
fn is_mark(c: char) -> bool {
    c.escape_debug().len() > 1 && ['a', c].iter().collect::<String>().escape_debug().nth(1) == Some(c)
}

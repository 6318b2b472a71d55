//! UTF-8 text in pieces that may be cut inside a character.

/// Returns how many bytes come before an incomplete character at the end.
pub(crate) fn complete(bytes: &[u8]) -> usize {
    for start in (bytes.len().saturating_sub(3)..bytes.len()).rev() {
        match bytes[start] {
            // Continues a character that began before.
            0x80..=0xbf => (),
            0x00..=0x7f => break,
            0xc0..=0xff => {
                let is_begun = str::from_utf8(&bytes[start..]).is_err_and(|error| error.error_len().is_none());
                return if is_begun { start } else { bytes.len() };
            }
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn only_the_beginning_of_a_character_waits() {
        for (bytes, whole) in [
            (&b""[..], 0),
            (b"abc", 3),
            ("ä".as_bytes(), 2),
            (b"a\xc3", 1),
            (b"a\xe6\x97", 1),
            (b"a\xf0\x9f\x91", 1),
            ("a👩".as_bytes(), 5),
            // Bytes that cannot become a character do not wait.
            (b"a\xff", 2),
            (b"a\xc3\xc3", 2),
            (b"a\x80\x80", 3),
            (b"\x80\x80\x80\x80", 4),
            (b"\xe6\x41", 2),
        ] {
            assert_eq!(complete(bytes), whole, "{bytes:?}");
        }
    }
}

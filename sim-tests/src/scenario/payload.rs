//! The content of requests.

use super::wire::Wire;

/// Returns the message of request `seq`: its number, filled up to `size` bytes. On the plain wire it is a line.
pub(crate) fn payload(wire: Wire, seq: u64, size: usize) -> Vec<u8> {
    let mut text = format!("request {seq}").into_bytes();
    match wire {
        Wire::Framed | Wire::FramedServerFin => text.resize(text.len().max(size), b'.'),
        Wire::Plain => {
            text.resize(text.len().max(size.saturating_sub(1)), b'.');
            text.push(b'\n');
        }
    }
    text
}

//! A conversation that is cut after one of its bytes.

use super::{Played, ScriptEnd};
use crate::misbehave::peer::Peer;
use crate::misbehave::{Wire, frames};

/// Cuts the conversation after byte `turn + 1`, modulo its length. `end` is how it ends.
pub(super) async fn conversation(peer: &mut Peer, wire: Wire, turn: u64, end: ScriptEnd) -> Played {
    let (first, last) = match wire {
        Wire::Framed => framed(),
        Wire::Plain => (b"a line\nand half a line".to_vec(), Vec::new()),
    };
    let length = first.len() + last.len();
    let cut = 1 + usize::try_from(turn % length as u64).unwrap_or_default();
    peer.send(&first[..cut.min(first.len())]).await?;
    if let Some(behind @ 1..) = cut.checked_sub(first.len()) {
        peer.read_until(|scanner| scanner.close_frame.is_some()).await?;
        peer.send(&last[..behind]).await?;
    }
    Ok(end)
}

/// Returns the preface, a request and GOAWAY; and the CLOSE, which must wait for the server's.
fn framed() -> (Vec<u8>, Vec<u8>) {
    let (mut first, mut last) = (frames::client_preface().to_vec(), Vec::new());
    frames::echo(&mut first, 1, 5);
    frames::goaway(&mut first, 1);
    frames::close(&mut last, 1);
    (first, last)
}

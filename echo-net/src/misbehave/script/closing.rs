//! Conversations that follow the contract, and conversations that break it by one frame.

use super::{Played, ScriptEnd, greet};
use crate::misbehave::peer::Peer;
use crate::misbehave::{Wire, frames};

/// Greets, sends the frames that `make` makes, and waits for the server's CLOSE.
async fn provoke(peer: &mut Peer, make: impl FnOnce(&mut Vec<u8>)) -> Played {
    greet(peer, Wire::Framed).await?;
    let mut bytes = Vec::new();
    make(&mut bytes);
    peer.send(&bytes).await?;
    peer.read_until(|scanner| scanner.close_frame.is_some()).await?;
    Ok(ScriptEnd::Fin)
}

/// Sends one request, and ends in the usual order of PROTOCOL.md section 5.
pub(super) async fn by_the_contract(peer: &mut Peer) -> Played {
    acknowledge(peer, 1).await
}

/// Acknowledges too few answers on even turns, and too many on odd turns.
pub(super) async fn wrong_count(peer: &mut Peer, turn: u64) -> Played {
    acknowledge(peer, if turn.is_multiple_of(2) { 0 } else { u64::MAX }).await
}

async fn acknowledge(peer: &mut Peer, count: u64) -> Played {
    greet(peer, Wire::Framed).await?;
    let mut bytes = Vec::new();
    frames::echo(&mut bytes, 1, 16);
    peer.send(&bytes).await?;
    peer.read_until(|scanner| scanner.answers == 1).await?;
    bytes.clear();
    frames::goaway(&mut bytes, 1);
    peer.send(&bytes).await?;
    peer.read_until(|scanner| scanner.close_frame.is_some()).await?;
    bytes.clear();
    frames::close(&mut bytes, count);
    peer.send(&bytes).await?;
    Ok(ScriptEnd::Fin)
}

pub(super) async fn unsent(peer: &mut Peer) -> Played {
    provoke(peer, |bytes| frames::close(bytes, 0)).await
}

pub(super) async fn too_soon(peer: &mut Peer) -> Played {
    provoke(peer, |bytes| {
        frames::goaway(bytes, 0);
        frames::close(bytes, 0);
    })
    .await
}

pub(super) async fn in_preface(peer: &mut Peer) -> Played {
    let mut bytes = frames::client_preface()[..5].to_vec();
    frames::close(&mut bytes, 0);
    peer.send(&bytes).await?;
    peer.read_until(|scanner| scanner.close_frame.is_some()).await?;
    Ok(ScriptEnd::Fin)
}

pub(super) async fn goaway_wrong_count(peer: &mut Peer) -> Played {
    provoke(peer, |bytes| frames::goaway(bytes, 7)).await
}

pub(super) async fn unasked_replies(peer: &mut Peer) -> Played {
    provoke(peer, |bytes| (1..=100).for_each(|seq| frames::reply(bytes, seq, 16))).await
}

pub(super) async fn enormous_length(peer: &mut Peer) -> Played {
    provoke(peer, |bytes| frames::header(bytes, 0xFF_FFFF, frames::ECHO, 1)).await
}

//! Many connections: held, or dropped at random.

use super::{Played, ScriptEnd, greet, until_over};
use crate::misbehave::attack::Attack;
use crate::misbehave::peer::{Over, Peer};
use crate::misbehave::{Wire, frames};
use std::time::Duration;
use tokio::time::sleep;

/// Sends one request, and holds its place until the attack is over. Then it leaves by the contract.
pub(super) async fn over_limit(peer: &mut Peer, attack: &Attack) -> Played {
    let mut bytes = Vec::new();
    until_over(attack, async {
        match request(peer, attack.wire, &mut bytes).await {
            Ok(()) => peer.read_all().await,
            Err(over) => over,
        }
    })
    .await?;
    if attack.wire == Wire::Framed && peer.scanner.answers == 1 {
        bytes.clear();
        frames::goaway(&mut bytes, 1);
        peer.send(&bytes).await?;
        peer.read_until(|scanner| scanner.close_frame.is_some()).await?;
        bytes.clear();
        frames::close(&mut bytes, 1);
        peer.send(&bytes).await?;
    }
    Ok(ScriptEnd::Fin)
}

/// Sends a request or a part of it, reads nothing, and drops the connection after a random time.
pub(super) async fn dropped_at_random(peer: &mut Peer, attack: &Attack, turn: u64) -> Played {
    let chance = mix(turn);
    let mut bytes = match attack.wire {
        Wire::Framed => frames::client_preface().to_vec(),
        Wire::Plain => Vec::new(),
    };
    match attack.wire {
        Wire::Framed => frames::echo(&mut bytes, 1, 16),
        Wire::Plain => bytes.extend_from_slice(b"hello\n"),
    }
    let count = bytes.len() * (chance as usize % 4) / 3;
    peer.send(&bytes[..count.min(bytes.len())]).await?;
    sleep(Duration::from_millis(chance / 4 % 200)).await;
    Ok(ScriptEnd::Reset)
}

async fn request(peer: &mut Peer, wire: Wire, bytes: &mut Vec<u8>) -> Result<(), Over> {
    greet(peer, wire).await?;
    match wire {
        Wire::Framed => frames::echo(bytes, 1, 16),
        Wire::Plain => bytes.extend_from_slice(b"hello\n"),
    }
    peer.send(bytes).await
}

/// Spreads a number over all bits, deterministically: the finaliser of SplitMix64.
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

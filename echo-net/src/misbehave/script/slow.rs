//! Slow clients: they send or read one byte at a time.

use super::{Played, ScriptEnd, greet, large_messages, until_over};
use crate::misbehave::attack::Attack;
use crate::misbehave::frames;
use crate::misbehave::peer::{Over, Peer};
use tokio::time::{sleep, timeout};

const HELD: Played = Ok(ScriptEnd::Hold { reading: true });

/// Sends the preface without its last byte.
pub(super) async fn preface(peer: &mut Peer, attack: &Attack) -> Played {
    let preface = frames::client_preface();
    let bytes = preface[..preface.len() - 1].iter().copied();
    until_over(attack, async {
        match drip(peer, attack, bytes).await {
            Ok(()) => peer.read_all().await,
            Err(over) => over,
        }
    })
    .await?;
    HELD
}

pub(super) async fn frame(peer: &mut Peer, attack: &Attack) -> Played {
    greet(peer, attack.wire).await?;
    let mut header = Vec::new();
    frames::header(&mut header, 8 + attack.load.payload_limit as u32, frames::ECHO, 1);
    let bytes = header.into_iter().chain(std::iter::repeat(b'x'));
    until_over(attack, drip_for_ever(peer, attack, bytes)).await?;
    HELD
}

pub(super) async fn line(peer: &mut Peer, attack: &Attack) -> Played {
    until_over(attack, drip_for_ever(peer, attack, std::iter::repeat(b'x'))).await?;
    HELD
}

/// Reads one byte of a long answer in each `pace`.
pub(super) async fn reader(peer: &mut Peer, attack: &Attack) -> Played {
    large_messages::ask_for_the_longest(peer, attack).await?;
    until_over(attack, async {
        loop {
            sleep(attack.load.pace).await;
            if let Err(over) = peer.read_some(1).await {
                return over;
            }
        }
    })
    .await?;
    Ok(ScriptEnd::Hold { reading: false })
}

/// Sends bytes without end, one in each `pace`.
pub(super) async fn drip_for_ever(peer: &mut Peer, attack: &Attack, bytes: impl Iterator<Item = u8>) -> Over {
    match drip(peer, attack, bytes).await {
        Err(over) => over,
        Ok(()) => peer.read_all().await,
    }
}

/// Sends one byte in each `pace`, and reads meanwhile.
async fn drip(peer: &mut Peer, attack: &Attack, bytes: impl Iterator<Item = u8>) -> Result<(), Over> {
    for byte in bytes {
        peer.send_reading(&[byte]).await?;
        if let Ok(over) = timeout(attack.load.pace, peer.read_all()).await {
            return Err(over);
        }
    }
    Ok(())
}

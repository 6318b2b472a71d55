//! Large messages: answers that are not read, requests that are not completed.

use super::slow::drip_for_ever;
use super::{Played, ScriptEnd, greet, until_over};
use crate::misbehave::attack::Attack;
use crate::misbehave::peer::{Over, Peer};
use crate::misbehave::{Wire, frames};

const HELD_UNREAD: Played = Ok(ScriptEnd::Hold { reading: false });
/// Payload bytes of one request of a client that sends many.
const PAYLOAD: usize = 64 * 1024;
/// Bytes of a long line that are sent one at a time.
const LEFT_OF_LINE: usize = 4096;

/// Sends one request after the other and reads no answer.
pub(super) async fn unread_frames(peer: &mut Peer, attack: &Attack) -> Played {
    greet(peer, attack.wire).await?;
    let payload = &attack.filler[..attack.filler.len().min(PAYLOAD)];
    until_over(attack, async {
        let mut header = Vec::new();
        for seq in 1.. {
            header.clear();
            echo_core::frame::echo_header(&mut header, seq, echo_core::Stamp(0), payload.len());
            for part in [&header, payload] {
                if let Err(over) = peer.send(part).await {
                    return over;
                }
            }
        }
        Over
    })
    .await?;
    HELD_UNREAD
}

/// Sends one request with the longest possible answer.
pub(super) async fn ask_for_the_longest(peer: &mut Peer, attack: &Attack) -> Result<(), Over> {
    greet(peer, attack.wire).await?;
    match attack.wire {
        Wire::Framed => {
            let mut header = Vec::new();
            echo_core::frame::echo_header(&mut header, 1, echo_core::Stamp(0), attack.filler.len());
            peer.send(&header).await?;
            peer.send(&attack.filler).await
        }
        Wire::Plain => {
            peer.send(&attack.filler[1..]).await?;
            peer.send(b"\n").await
        }
    }
}

pub(super) async fn unread_answer(peer: &mut Peer, attack: &Attack) -> Played {
    ask_for_the_longest(peer, attack).await?;
    until_over(attack, peer.wait_unread()).await?;
    HELD_UNREAD
}

pub(super) async fn unfinished_line(peer: &mut Peer, attack: &Attack) -> Played {
    let length = attack.filler.len().saturating_sub(LEFT_OF_LINE);
    peer.send_reading(&attack.filler[..length]).await?;
    until_over(attack, drip_for_ever(peer, attack, std::iter::repeat(b'x'))).await?;
    Ok(ScriptEnd::Hold { reading: true })
}

pub(super) async fn unfinished_frame(peer: &mut Peer, attack: &Attack) -> Played {
    greet(peer, attack.wire).await?;
    let mut frame = Vec::new();
    frames::header(&mut frame, 8 + attack.filler.len() as u32, frames::ECHO, 1);
    peer.send(&frame).await?;
    // The stamp, and the payload without its last byte.
    peer.send(&[0; 8]).await?;
    peer.send(&attack.filler[1..]).await?;
    until_over(attack, peer.read_all()).await?;
    Ok(ScriptEnd::Hold { reading: true })
}

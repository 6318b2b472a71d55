//! What a connection of each kind does, from its first byte on.

mod closing;
mod connections;
mod cut;
mod flood;
mod large_messages;
mod slow;

use super::attack::Attack;
use super::peer::{Over, Peer};
use super::{Kind, Wire, frames};
use std::future::Future;
use tokio::time::timeout_at;

/// What is to be done when a script has come to its end and the stream has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// FIN, and then read to the end.
    Fin,
    /// RST.
    LetGo,
    /// The time is over: RST, unless the server's deadlines should have ended the connection.
    Hold {
        /// Whether it reads what comes meanwhile.
        reading: bool,
    },
}

type Played = Result<Farewell, Over>;

/// Does what the attack's kind does on its `turn`th connection.
pub(super) async fn play(peer: &mut Peer, attack: &Attack, turn: u64) -> Played {
    match attack.kind {
        Kind::SlowPreface => slow::preface(peer, attack).await,
        Kind::SlowFrame => slow::frame(peer, attack).await,
        Kind::SlowLine => slow::line(peer, attack).await,
        Kind::SlowReader => slow::reader(peer, attack).await,
        Kind::UnreadFrames => large_messages::unread_frames(peer, attack).await,
        Kind::UnreadLines => flood::unread(peer, attack, flood::short_line).await,
        Kind::TinyFramesUnread => flood::unread(peer, attack, flood::tiny_frame).await,
        Kind::TinyFrames => flood::reading(peer, attack, flood::tiny_frame).await,
        Kind::EmptyEchoes => flood::reading(peer, attack, flood::empty_echo).await,
        Kind::GoawayFlood => flood::reading(peer, attack, flood::goaway).await,
        Kind::UnknownFrames => flood::reading(peer, attack, flood::unknown_frame).await,
        Kind::CriticalFrames => flood::reading(peer, attack, flood::critical_frame).await,
        Kind::Newlines => flood::reading(peer, attack, flood::newline).await,
        Kind::HalfOpen => {
            until_over(attack, peer.hear_all()).await?;
            Ok(Farewell::Hold { reading: true })
        }
        Kind::UnfinishedLine => large_messages::unfinished_line(peer, attack).await,
        Kind::UnfinishedFrame => large_messages::unfinished_frame(peer, attack).await,
        Kind::UnreadAnswer => large_messages::unread_answer(peer, attack).await,
        Kind::CloseEachTime => closing::by_the_contract(peer).await,
        Kind::CloseWrongCount => closing::wrong_count(peer, turn).await,
        Kind::CloseUnsent => closing::unsent(peer).await,
        Kind::CloseTooSoon => closing::too_soon(peer).await,
        Kind::CloseInPreface => closing::in_preface(peer).await,
        Kind::GoawayWrongCount => closing::goaway_wrong_count(peer).await,
        Kind::UnaskedReplies => closing::unasked_replies(peer).await,
        Kind::EnormousLength => closing::enormous_length(peer).await,
        Kind::FinAnywhere => cut::conversation(peer, attack.wire, turn, Farewell::Fin).await,
        Kind::RstAnywhere => cut::conversation(peer, attack.wire, turn, Farewell::LetGo).await,
        Kind::OverLimit => connections::over_limit(peer, attack).await,
        Kind::ConnectBurst => connections::dropped_at_random(peer, attack, turn).await,
    }
}

/// Exchanges the prefaces; on the plain wire there is nothing to exchange.
async fn greet(peer: &mut Peer, wire: Wire) -> Result<(), Over> {
    match wire {
        Wire::Framed => {
            peer.send(&frames::client_preface()).await?;
            peer.hear(|scanner| scanner.has_spoken).await
        }
        Wire::Plain => Ok(()),
    }
}

/// Waits for what ends only with the stream, until the attack is over.
async fn until_over(attack: &Attack, ends: impl Future<Output = Over>) -> Result<(), Over> {
    match timeout_at(attack.until, ends).await {
        Ok(over) => Err(over),
        Err(_) => Ok(()),
    }
}

//! The script of each kind: what a connection does from its first byte.

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

/// How a connection ends if the script is over before the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScriptEnd {
    /// Send FIN, and read to the end.
    Fin,
    /// Send RST.
    Reset,
    /// Send RST when the time is over, unless the server's deadlines should end the connection before.
    Hold {
        /// Whether it reads meanwhile.
        reading: bool,
    },
}

type Played = Result<ScriptEnd, Over>;

/// Runs the script of the attack's kind on its connection number `turn`.
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
            until_over(attack, peer.read_all()).await?;
            Ok(ScriptEnd::Hold { reading: true })
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
        Kind::FinAnywhere => cut::conversation(peer, attack.wire, turn, ScriptEnd::Fin).await,
        Kind::RstAnywhere => cut::conversation(peer, attack.wire, turn, ScriptEnd::Reset).await,
        Kind::OverLimit => connections::over_limit(peer, attack).await,
        Kind::ConnectBurst => connections::dropped_at_random(peer, attack, turn).await,
    }
}

/// Exchanges the prefaces. The plain wire has none.
async fn greet(peer: &mut Peer, wire: Wire) -> Result<(), Over> {
    match wire {
        Wire::Framed => {
            peer.send(&frames::client_preface()).await?;
            peer.read_until(|scanner| scanner.has_input).await
        }
        Wire::Plain => Ok(()),
    }
}

/// Waits for `ends` until the attack is over. `ends` completes only when the stream is over.
async fn until_over(attack: &Attack, ends: impl Future<Output = Over>) -> Result<(), Over> {
    match timeout_at(attack.until, ends).await {
        Ok(over) => Err(over),
        Err(_) => Ok(()),
    }
}

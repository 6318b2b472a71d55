//! Floods of small messages.

use super::{Played, ScriptEnd, greet, until_over};
use crate::misbehave::Kind;
use crate::misbehave::attack::Attack;
use crate::misbehave::frames;
use crate::misbehave::peer::{Over, Peer};
use tokio::io::Interest;

/// Bytes that are generated, and written, at once.
const CHUNK: usize = 16 * 1024;

/// Maximum number of unanswered messages: enough that the server never waits for input, and few enough that the last
/// answers arrive within the load's patience.
const UNANSWERED: u64 = 32 * 1024;
/// Length of the answer to a newline.
const NEWLINE_ANSWER: u64 = 28;

/// Appends one message. Its number is 1, 2, 3 …
pub(super) type Message = fn(&mut Vec<u8>, u64);

pub(super) fn tiny_frame(out: &mut Vec<u8>, seq: u64) {
    frames::echo(out, seq, 1);
}

pub(super) fn empty_echo(out: &mut Vec<u8>, seq: u64) {
    frames::echo(out, seq, 0);
}

pub(super) fn goaway(out: &mut Vec<u8>, _: u64) {
    frames::goaway(out, 0);
}

pub(super) fn unknown_frame(out: &mut Vec<u8>, _: u64) {
    frames::empty(out, frames::UNKNOWN);
}

pub(super) fn critical_frame(out: &mut Vec<u8>, _: u64) {
    frames::empty(out, frames::CRITICAL);
}

pub(super) fn newline(out: &mut Vec<u8>, _: u64) {
    out.push(b'\n');
}

pub(super) fn short_line(out: &mut Vec<u8>, _: u64) {
    out.extend_from_slice(b"a short line\n");
}

/// Sends messages without pause and reads the answers. It ends with FIN, so that the server sends what it still owes.
pub(super) async fn reading(peer: &mut Peer, attack: &Attack, message: Message) -> Played {
    greet(peer, attack.wire).await?;
    let mut flood = Flood::of(message);
    until_over(attack, async {
        loop {
            let owed = answers(peer, attack.kind).map_or(0, |count| flood.made.saturating_sub(count));
            let step = match owed > UNANSWERED {
                true => peer.read_some(CHUNK).await,
                false => flood.exchange(peer).await,
            };
            if let Err(over) = step {
                return over;
            }
        }
    })
    .await?;
    Ok(ScriptEnd::Fin)
}

/// Returns how many answers were received, for a kind whose messages have answers.
fn answers(peer: &Peer, kind: Kind) -> Option<u64> {
    match kind {
        Kind::TinyFrames | Kind::EmptyEchoes => Some(peer.scanner.answers),
        Kind::Newlines => Some(peer.read / NEWLINE_ANSWER),
        _ => None,
    }
}

/// Sends messages without pause and reads nothing.
pub(super) async fn unread(peer: &mut Peer, attack: &Attack, message: Message) -> Played {
    greet(peer, attack.wire).await?;
    let mut flood = Flood::of(message);
    until_over(attack, async {
        loop {
            if let Err(over) = flood.write(peer).await {
                return over;
            }
        }
    })
    .await?;
    Ok(ScriptEnd::Hold { reading: false })
}

/// Generates messages as the transport takes them.
struct Flood {
    message: Message,
    made: u64,
    chunk: Vec<u8>,
    written: usize,
}

impl Flood {
    fn of(message: Message) -> Self {
        Self { message, made: 0, chunk: Vec::new(), written: 0 }
    }

    async fn exchange(&mut self, peer: &mut Peer) -> Result<(), Over> {
        peer.ready(Interest::READABLE | Interest::WRITABLE).await?;
        peer.try_read(CHUNK)?;
        self.try_write(peer)
    }

    async fn write(&mut self, peer: &mut Peer) -> Result<(), Over> {
        peer.ready(Interest::WRITABLE).await?;
        self.try_write(peer)
    }

    fn try_write(&mut self, peer: &mut Peer) -> Result<(), Over> {
        if self.written == self.chunk.len() {
            self.chunk.clear();
            self.written = 0;
            while self.chunk.len() < CHUNK {
                self.made += 1;
                (self.message)(&mut self.chunk, self.made);
            }
        }
        self.written += peer.try_write(&self.chunk[self.written..])?;
        Ok(())
    }
}

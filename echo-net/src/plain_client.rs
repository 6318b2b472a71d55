//! A client on the plain wire, for servers that speak no other: bytes there, bytes back, and FIN.

use crate::client::ClientConfig;
use crate::driver::Driver;
use crate::transport::Transport;
use echo_core::{CloseReason, Connection, Event, Outcome};
use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// The most that is queued at once.
const PIECE: usize = 64 * 1024;

/// Runs a conversation on the plain wire: what `outgoing` gives is sent, what comes goes to `on_text`. When
/// `outgoing` has ended and all is sent, FIN follows; the outcome is there when the server's FIN has come too. What
/// comes later than the linger deadline after one's own FIN is lost, so give it time for the answers.
///
/// While the server does not read, no more is taken from `outgoing`. Before anything is read, `room` is asked: while
/// it is pending nothing is, and so a server cannot fill the memory of a user who does not keep up; it must wake the
/// task when that changes. `|_| Poll::Ready(())` always has room.
pub async fn converse_plainly<T: Transport>(
    stream: T,
    config: ClientConfig,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    mut on_text: impl FnMut(&[u8]),
    mut room: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Outcome {
    let mut driver = Driver::new(stream, config.clock, config.connection, Connection::plain_client);
    let piece = config.connection.limit.clamp(1, PIECE);
    let mut open = true;
    poll_fn(|cx| {
        loop {
            let mut starved = false;
            while open {
                starved = !driver.connection().wants_requests();
                if starved {
                    break;
                }
                match outgoing.poll_recv(cx) {
                    Poll::Ready(Some(bytes)) => send(&mut driver, &bytes, piece),
                    Poll::Ready(None) => {
                        open = false;
                        driver.leave(CloseReason::normal());
                    }
                    Poll::Pending => break,
                }
            }
            driver.pause(room(cx).is_pending());
            let ended = driver.poll(cx, &mut |event| {
                if let Event::Text(text) = event {
                    on_text(text);
                }
            });
            // What was left lying for want of room has no other way to be heard.
            if ended.is_ready() || !starved || !driver.connection().wants_requests() {
                return ended;
            }
        }
    })
    .await
}

/// A stream has no messages, so bytes go in pieces that no limit forbids.
fn send<T: Transport>(driver: &mut Driver<T>, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        // The conversation is open, as was asked before, and the piece is within the limit.
        let sent = driver.send(piece);
        debug_assert!(sent.is_ok(), "{sent:?}");
    }
}

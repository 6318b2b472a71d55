//! A client on the plain wire, for servers without the framed wire: it sends bytes, receives bytes, and sends FIN.

use crate::client::ClientConfig;
use crate::driver::Driver;
use crate::transport::Transport;
use echo_core::{CloseReason, Connection, Event, Outcome};
use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Maximum bytes that are queued at once.
const PIECE: usize = 64 * 1024;

/// Runs a conversation on the plain wire: sends the bytes of `outgoing` and passes received bytes to `on_text`. When
/// `outgoing` ends and all bytes are sent, it sends FIN. It returns the outcome after the server's FIN, or at the
/// linger deadline. Bytes that arrive after that deadline are lost, so set it long enough for the answers.
///
/// While the server does not read, it takes no more from `outgoing`. It polls `room` before each read, and reads
/// nothing while `room` is pending, so that a server cannot fill the memory of a slow user. `room` must wake the task
/// when there is room again. `|_| Poll::Ready(())` always has room.
pub async fn converse_plainly<T: Transport>(
    stream: T,
    config: ClientConfig,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    mut on_text: impl FnMut(&[u8]),
    mut room: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Outcome {
    let mut driver = Driver::new(stream, config.clock, |epoch| Connection::plain_client(config.connection, epoch));
    let piece = config.connection.limit.clamp(1, PIECE);
    let mut open = true;
    poll_fn(|cx| {
        driver.wake();
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
            // Bytes left in `outgoing` for lack of room register no waker, so poll again.
            if ended.is_ready() || !starved || !driver.connection().wants_requests() {
                return ended;
            }
        }
    })
    .await
}

/// Sends bytes in pieces within the limit: a stream has no messages.
fn send<T: Transport>(driver: &mut Driver<T>, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        // The caller has checked that the conversation is open, and the piece is within the limit.
        let sent = driver.send(piece);
        debug_assert!(sent.is_ok(), "{sent:?}");
    }
}

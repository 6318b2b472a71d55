//! A conversation in the caller's own task, without a handle, a queue or a channel: the fastest client.

use crate::client::ClientConfig;
use crate::driver::Driver;
use crate::transport::Transport;
use echo_core::close::HalfState;
use echo_core::{ApiMisuse, CloseReason, Connection, Event, Outcome, Reply};
use std::future::poll_fn;
use std::task::{Context, Poll};

/// The two ends of a conversation at its user: where requests come from, and where answers go.
pub trait Exchange {
    /// Returns the next request's message. `Ready(None)` ends the conversation politely; `poll_request` is not called
    /// again. `Pending` means that there is none now: it is called again after each answer, and when the task is woken.
    ///
    /// It is called only while the transport takes the requests, and not once the conversation ends.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<&[u8]>>;

    /// Handles an answer, on the framed wire.
    fn on_answer(&mut self, answer: Reply<'_>) {
        let _ = answer;
    }

    /// Handles bytes from the server, on the plain wire.
    fn on_text(&mut self, text: &[u8]) {
        let _ = text;
    }
}

/// Runs a conversation on the framed wire on a connected stream, until its end.
///
/// # Errors
/// [`ApiMisuse::TooBig`]: a message is over the limit. The conversation is aborted.
pub async fn exchange<T: Transport>(
    stream: T,
    config: ClientConfig,
    user: &mut impl Exchange,
) -> Result<Outcome, ApiMisuse> {
    run(Driver::new(stream, config.clock, |epoch| Connection::client(config.connection, epoch)), user).await
}

/// Runs a conversation on the plain wire, as [`exchange`] does on the framed one. The wire has no end of an answer:
/// after FIN, the linger deadline limits the wait for the rest.
///
/// # Errors
/// [`ApiMisuse::TooBig`]: a message is over the limit. The conversation is aborted.
pub async fn exchange_plainly<T: Transport>(
    stream: T,
    config: ClientConfig,
    user: &mut impl Exchange,
) -> Result<Outcome, ApiMisuse> {
    run(Driver::new(stream, config.clock, |epoch| Connection::plain_client(config.connection, epoch)), user).await
}

async fn run<T: Transport>(mut driver: Driver<T>, user: &mut impl Exchange) -> Result<Outcome, ApiMisuse> {
    let mut is_open = true;
    let mut misuse = None;
    let outcome = poll_fn(|cx| {
        driver.wake();
        loop {
            let mut wants_more = false;
            while is_open && driver.connection().machine().sent() == HalfState::Open {
                match send_some(&mut driver, user, cx) {
                    Asked::All => break,
                    Asked::NoRoom => {
                        wants_more = true;
                        break;
                    }
                    Asked::Some => (),
                    Asked::Last => {
                        is_open = false;
                        driver.leave(CloseReason::normal());
                    }
                    Asked::Wrong(error) => {
                        misuse = Some(error);
                        is_open = false;
                        driver.abort();
                    }
                }
            }
            let mut is_answered = false;
            let polled = driver.poll(cx, &mut |event| match event {
                Event::Reply(answer) => {
                    is_answered = true;
                    user.on_answer(answer);
                }
                Event::Text(text) => {
                    is_answered = true;
                    user.on_text(text);
                }
                Event::Greeted { .. } | Event::Request { .. } | Event::Leaving(_) => (),
                Event::Close(_) | Event::Discarded => (),
            });
            if let Poll::Ready(outcome) = polled {
                return Poll::Ready(outcome);
            }
            // Neither an answer nor room for requests wakes the task, so look again.
            if !is_answered && !(wants_more && driver.connection().wants_requests()) {
                return Poll::Pending;
            }
        }
    })
    .await;
    misuse.map_or(Ok(outcome), Err)
}

/// What came of asking the user for requests.
enum Asked {
    /// The user has none now.
    All,
    /// The transport must take some first.
    NoRoom,
    /// The user may have more.
    Some,
    /// The user has none any more.
    Last,
    Wrong(ApiMisuse),
}

/// Sends requests of the user: a batch if possible, otherwise one.
fn send_some<T: Transport>(driver: &mut Driver<T>, user: &mut impl Exchange, cx: &mut Context<'_>) -> Asked {
    let sent = driver.send_batch(cx, |cx, batch| {
        loop {
            match user.poll_request(cx) {
                Poll::Ready(Some(message)) => {
                    if let Err(error) = batch.add(message) {
                        return Asked::Wrong(error);
                    }
                }
                Poll::Ready(None) => return Asked::Last,
                Poll::Pending => return Asked::All,
            }
            if batch.is_full() {
                return Asked::Some;
            }
        }
    });
    if let Some(asked) = sent {
        return asked;
    }
    if !driver.connection().wants_requests() {
        return Asked::NoRoom;
    }
    match user.poll_request(cx) {
        Poll::Ready(Some(message)) => driver.send(message).map_or_else(Asked::Wrong, |_| Asked::Some),
        Poll::Ready(None) => Asked::Last,
        Poll::Pending => Asked::All,
    }
}

//! A conversation in the caller's own task, without a handle, a queue or a channel: the fastest client.

use crate::client::ClientConfig;
use crate::driver::Driver;
use crate::transport::Transport;
use echo_core::close::HalfState;
use echo_core::{ApiMisuse, CloseReason, Connection, Event, Failure, Outcome, Reply};
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

    /// Handles an answer that is none, because the request failed, on the framed wire.
    fn on_failure(&mut self, seq: u64, failure: Failure) {
        let _ = (seq, failure);
    }

    /// Handles bytes from the server, on the plain wire.
    fn on_text(&mut self, text: &[u8]) {
        let _ = text;
    }
}

/// Runs a conversation on the framed wire on a connected stream, until its end.
///
/// ```
/// use echo_net::echo_core::Reply;
/// use echo_net::{ClientConfig, Exchange, ServerConfig, connect_tcp, exchange, serve, Echo};
/// use std::task::{Context, Poll};
///
/// /// Asks a hundred times, without waiting for answers.
/// #[derive(Default)]
/// struct Hundred {
///     asked: usize,
///     answered: usize,
/// }
///
/// impl Exchange for Hundred {
///     fn poll_request(&mut self, _: &mut Context<'_>) -> Poll<Option<&[u8]>> {
///         self.asked += 1;
///         Poll::Ready((self.asked <= 100).then_some(&b"hello"[..]))
///     }
///
///     fn on_answer(&mut self, answer: Reply<'_>) {
///         self.answered += usize::from(answer.payload == b"hello");
///     }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # tokio::spawn(serve(listener, Echo, ServerConfig::default(), std::future::pending()));
/// let config = ClientConfig::default();
/// let stream = connect_tcp(address, config.connection.deadlines.connect).await?;
/// let mut user = Hundred::default();
/// let outcome = exchange(stream, config, &mut user).await?;
/// assert!(outcome.end.is_clean());
/// assert_eq!(user.answered, 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
            while is_open && takes_requests(driver.connection()) {
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
                Event::Failed { seq, failure, stamps: _ } => {
                    is_answered = true;
                    user.on_failure(seq, failure);
                }
                Event::Greeted { .. } | Event::Request { .. } | Event::Leaving(_) => (),
                Event::Close(_) | Event::Discarded => (),
            });
            if let Poll::Ready(outcome) = polled {
                return Poll::Ready(outcome);
            }
            // Neither an answer nor room for requests wakes the task, so look again.
            let connection = driver.connection();
            let has_room = wants_more && takes_requests(connection) && connection.wants_requests();
            if !is_answered && !has_room {
                return Poll::Pending;
            }
        }
    })
    .await;
    misuse.map_or(Ok(outcome), Err)
}

/// Returns whether requests can still be made, and leave.
fn takes_requests(connection: &Connection) -> bool {
    connection.machine().sent() == HalfState::Open && !connection.is_write_closed()
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

//! Futures that a fault can cancel.

use super::note;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Runs a future that the fault [`Cancel`](super::InjectedFault::Cancel) can drop when it is pending, as a `select!`, a
/// timeout or the end of a task does. Returns `None` then. Outside of a simulated run, and on Linux, it never is.
///
/// ```
/// # use sim_tests::trial::{TrialStream, cancellable};
/// # use tokio::io::AsyncReadExt;
/// # async fn read(stream: &mut TrialStream) -> std::io::Result<u32> {
/// loop {
///     // Is a part of the number lost when the future is dropped between two of its bytes? (It is.)
///     if let Some(number) = cancellable(stream.read_u32()).await {
///         return number;
///     }
/// }
/// # }
/// ```
pub async fn cancellable<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if note::is_cancelled() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

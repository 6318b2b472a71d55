//! Deadlines: a side whose peer has vanished gives up.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for a result at most for 5 s. Errors become text.
pub(crate) async fn within_patience<T, E: Display>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    in_time(work).await?.map_err(|error| error.to_string())
}

/// Waits for a value at most for 5 s.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, work).await.map_err(|_| "too late".to_owned())
}

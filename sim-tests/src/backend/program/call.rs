//! A call of a service, which takes its time.

use super::Slot;
#[cfg(feature = "turmoil")]
use super::instrumented_stream::lock;
use echo_net::Transport;
use tokio::time::{Instant, sleep_until};

/// The end of a call. Some simulations pass over the time in which nothing happens, so they are told of it.
pub(super) struct CallEnd<S: Transport> {
    due: Instant,
    #[cfg_attr(not(feature = "turmoil"), expect(dead_code))]
    stream: Slot<S>,
}

impl<S: Transport> CallEnd<S> {
    pub(super) fn new(stream: Slot<S>, due: Instant) -> Self {
        #[cfg(feature = "turmoil")]
        if let Some(stream) = &*lock(&stream) {
            stream.add_alarm(due);
        }
        Self { due, stream }
    }

    pub(super) async fn wait(&self) {
        sleep_until(self.due).await;
    }
}

/// It ends, or is dropped before.
#[cfg(feature = "turmoil")]
impl<S: Transport> Drop for CallEnd<S> {
    fn drop(&mut self) {
        if let Some(stream) = &*lock(&self.stream) {
            stream.remove_alarm(self.due);
        }
    }
}

//! The client library as a load generator, with the same load as the neutral one.

use crate::load::{Load, Sample};
use echo_net::echo_core::Reply;
use echo_net::{ClientConfig, Exchange, connect_tcp, exchange};
use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// Keeps `load` on the connections. Counts answers for `time` after `warm_up`.
pub(crate) fn run(
    port: u16,
    load: Load,
    warm_up: Duration,
    time: Duration,
    begin: impl FnOnce(),
) -> io::Result<Sample> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (answered, ended) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(false)));
    let tasks = LocalSet::new();
    for _ in 0..load.connections {
        let mut user = User { message: vec![b'x'; load.size], free: load.outstanding, answered: answered.clone() };
        let ended = ended.clone();
        tasks.spawn_local(async move {
            if let Ok(stream) = connect_tcp((Ipv4Addr::LOCALHOST, port), Duration::from_secs(5)).await {
                // The user never ends it.
                let _ = exchange(stream, ClientConfig::default(), &mut user).await;
            }
            ended.set(true);
        });
    }
    runtime.block_on(tasks.run_until(async {
        tokio::time::sleep(warm_up).await;
        begin();
        let (from, before) = (Instant::now(), answered.get());
        tokio::time::sleep(time).await;
        let messages = answered.get() - before;
        if messages == 0 || ended.get() {
            return Err(io::Error::other("a connection has failed"));
        }
        Ok(Sample { messages, time: from.elapsed(), median: None })
    }))
}

struct User {
    message: Vec<u8>,
    /// Requests that may be sent.
    free: usize,
    answered: Rc<Cell<u64>>,
}

impl Exchange for User {
    fn poll_request(&mut self, _: &mut Context<'_>) -> Poll<Option<&[u8]>> {
        if self.free == 0 {
            return Poll::Pending;
        }
        self.free -= 1;
        Poll::Ready(Some(&self.message))
    }

    fn on_answer(&mut self, answer: Reply<'_>) {
        self.free += usize::from(answer.payload.len() == self.message.len());
        self.answered.set(self.answered.get() + 1);
    }
}

//! Differences between turmoil and Linux. The tests fail if a new version of turmoil changes them.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpListener, TcpStream};

/// Sends `segments` and a FIN while the client does not read, over sockets with a queue of `capacity` segments. Returns
/// how many segments the client then reads, and whether it reads the FIN.
fn read_after_a_nap(segments: usize, capacity: usize) -> (usize, bool) {
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(1).tcp_capacity(capacity).simulation_duration(Duration::from_secs(10));
    builder.epoch(std::time::UNIX_EPOCH);
    let mut sim = builder.build();
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:9000").await?;
        let (mut stream, _) = listener.accept().await?;
        for _ in 0..segments {
            stream.write_all(b"x").await?;
        }
        stream.shutdown().await?;
        // A host whose software returns does not answer any more.
        std::future::pending().await
    });
    let seen = Arc::new(Mutex::new((0, false)));
    let result = Arc::clone(&seen);
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:9000").await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut byte = [0];
        while let Ok(read) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut byte)).await {
            let mut seen = result.lock().expect("one thread");
            match read? {
                0 => {
                    seen.1 = true;
                    return Ok(());
                }
                count => seen.0 += count,
            }
        }
        Ok(())
    });
    sim.run().expect("both ends do what they can");
    let guard = seen.lock().expect("one thread");
    *guard
}

/// turmoil 0.7.2 never delivers a FIN that arrives at a full queue. Linux needs no room for a FIN. Therefore the
/// backend gives its sockets more room than any run can fill.
#[test]
fn a_fin_behind_a_full_queue_is_never_seen() {
    assert_eq!(read_after_a_nap(4, 4), (4, false));
    assert_eq!(read_after_a_nap(4, 5), (4, true));
}

//! The wall clock is set during a connection: the time on the plain wire follows it, stamps do not.

use crate::support::server::server_config;
use crate::support::time::HEADER;
use crate::support::within;
use echo_net::echo_core::Stamp;
use echo_net::{Client, ClientConfig, Clock, Echo, serve};
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// 2001-09-09 01:46:40 UTC, and 2033-05-18 03:33:20 UTC.
const BEFORE: i64 = 1_000_000_000;
const AFTER: i64 = 2_000_000_000;

static NOW: AtomicI64 = AtomicI64::new(BEFORE);

fn wall() -> Stamp {
    Stamp(NOW.load(Ordering::SeqCst) * 1_000_000_000)
}

#[tokio::test]
async fn the_time_of_an_answer_is_the_wall_clocks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let mut clock = Clock::utc();
    clock.wall = wall;
    let (stop, stopped) = oneshot::channel::<()>();
    let config = server_config(|config| config.clock = clock);
    let server = tokio::spawn(serve(listener, Echo, config, async { drop(stopped.await) }));
    let mut plain = TcpStream::connect(address).await.expect("it accepts");
    let client = Client::connect(address, ClientConfig::default()).await.expect("it accepts");
    let first = client.request("hello").await.expect("an answer");

    for year in [BEFORE, AFTER, BEFORE] {
        NOW.store(year, Ordering::SeqCst);
        plain.write_all(b"hello\n").await.expect("it reads");
        let mut answer = [0; HEADER + 6];
        within(plain.read_exact(&mut answer)).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer, format!("{}hello\n", header_of(year)));
    }

    NOW.store(AFTER, Ordering::SeqCst);
    let second = client.request("hello").await.expect("an answer");
    let between = second.stamps.t2.0 - first.stamps.t2.0;
    assert!((0..60_000_000_000).contains(&between), "clause 3.2: {between} ns");
    NOW.store(BEFORE, Ordering::SeqCst);
    assert_eq!(client.close().await.end.name(), "clean");
    drop((plain, stop));
    within(server).await.expect("no panic");
}

/// The header of an answer, in UTC.
fn header_of(seconds: i64) -> String {
    echo_net::echo_core::plain::ctime_header(Stamp(seconds * 1_000_000_000), 0)
}

//! Closing with unread input, and with data in the send buffer, on the Linux kernel: what an immediate close and an old
//! linger lose, and echo-net does not.

use crate::worker::possible;
use echo_net::{Echo, Listener, ServerConfig, Transport, polite_close, serve};
use serde_json::{Value, json};
use sim_tests::linux::{Isolated, isolated_command};
use sim_tests::tcp::TcpState;
use sim_tests::{LinuxNetwork, PairNetwork, do_on_linux, linux_worker};
use std::io;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// The latency in milliseconds.
const LATENCY: u64 = 5;
/// The size of the receive buffers, as `SO_RCVBUF` takes it.
const WINDOW: u32 = 4096;

/// Does the jobs of the tests below: the test program starts itself again in a namespace of its own, with only this
/// test.
#[test]
#[ignore = "the other tests start it in a namespace of its own"]
fn worker() {
    let isolated = Isolated::prove().unwrap_or_else(|error| panic!("{error}"));
    linux_worker(isolated, job).unwrap_or_else(|error| panic!("{error}"));
}

async fn job(network: LinuxNetwork, job: String) -> Result<Value, String> {
    let done = match job.as_str() {
        "unread, at once" => with_unread_input(&network, false).await,
        "unread, lingering" => with_unread_input(&network, true).await,
        "send buffer, close" => with_a_full_send_buffer(&network, false).await,
        "send buffer, abort" => with_a_full_send_buffer(&network, true).await,
        other => return Err(format!("no job {other:?}")),
    };
    done.map(|read| json!(read)).map_err(|error| error.to_string())
}

/// Does `job` `count` times. Returns how much the client read each time.
fn times(job: &str, count: usize) -> Vec<u64> {
    let mut worker: Command = isolated_command(std::env::current_exe().expect("the test program")).expect("/proc");
    worker.args(["--exact", "closing::worker", "--ignored", "--nocapture"]);
    let results = do_on_linux(worker, &vec![job.to_owned(); count], || ());
    let results = results.unwrap_or_else(|error| panic!("{error}"));
    results.iter().map(|read| read.as_u64().expect("a number of bytes")).collect()
}

/// Reads until the stream ends or fails. Returns the number of bytes.
async fn read_all(stream: &mut TcpStream) -> u64 {
    let mut count = 0;
    let mut buffer = vec![0; 16 << 10];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return count,
            Ok(read) => count += read as u64,
        }
    }
}

// ---- unread input ----

/// A large answer.
const ANSWER: usize = 64 << 10;

/// A server answers, and closes with unread input: at once, or politely.
async fn with_unread_input(network: &LinuxNetwork, lingers: bool) -> io::Result<u64> {
    let (mut client, mut server, _wire) = network.pair(LATENCY, 0, WINDOW).await?;
    let server = async move {
        server.read_exact(&mut [0; 100]).await?;
        server.write_all(&vec![b'a'; ANSWER]).await?;
        if lingers {
            polite_close(&mut server, echo_net::Linger::default()).await.flush?;
        }
        io::Result::Ok(())
    };
    let client = async move {
        // More than the server reads.
        client.write_all(&[b'q'; 200]).await?;
        io::Result::Ok(read_all(&mut client).await)
    };
    let (served, read) = tokio::join!(server, client);
    served?;
    read
}

/// RFC 9112 section 9.6: a server that closes at once, with unread input, loses its answer to its own RST. So a lingering
/// close is necessary; and it is sufficient.
#[test]
fn a_lingering_close_is_necessary_and_sufficient() {
    if !possible() {
        return;
    }
    let lost = |read: &[u64]| read.iter().filter(|read| **read < ANSWER as u64).count();
    let at_once = times("unread, at once", 100);
    assert!(lost(&at_once) >= 95, "lost only {} of 100", lost(&at_once));
    let lingering = times("unread, lingering", 1000);
    assert_eq!((lingering.len(), lost(&lingering)), (1000, 0));
}

// ---- the send buffer ----

/// Lines of a client on the plain wire, and the size of each. Their answers fit the server's send buffer, and are much more
/// than the client's receive buffer.
const LINES: usize = 200;
const LINE: usize = 200;
/// What the lines consist of. No time stamp has this letter.
const LETTER: u8 = b'x';

/// A client on the plain wire sends many lines and FIN, and reads only when the server has closed. The answers wait in
/// the server's send buffer. Returns how many bytes of the lines came back. (How many answers they are in depends on how
/// the lines arrive.)
async fn with_a_full_send_buffer(network: &LinuxNetwork, aborts: bool) -> io::Result<u64> {
    let (mut client, server, wire) = network.pair(LATENCY, 0, WINDOW).await?;
    let listener = Once(Some(Closing { stream: Some(server), aborts }));
    let serving =
        tokio::task::spawn_local(serve(listener, Echo, ServerConfig::default(), std::future::pending::<()>()));
    let line = [&[LETTER; LINE - 1][..], b"\n"].concat();
    client.write_all(&line.repeat(LINES)).await?;
    client.shutdown().await?;
    has_closed(&wire).await?;
    let mut count = 0;
    let mut answers = vec![0; 16 << 10];
    loop {
        match client.read(&mut answers).await {
            Ok(0) | Err(_) => break,
            Ok(read) => count += answers[..read].iter().filter(|byte| **byte == LETTER).count() as u64,
        }
    }
    serving.abort();
    Ok(count)
}

/// Waits until the server's program has closed its socket: both FINs were sent, or a RST.
async fn has_closed(wire: &PairNetwork) -> io::Result<()> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let [_, server] = wire.states()?;
        if matches!(server, TcpState::LastAck | TcpState::Closing | TcpState::Closed) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(io::Error::other(format!("the server's socket is in {server} after 20 s")));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// A listener that has one connection.
struct Once(Option<Closing>);

impl Listener for Once {
    type Stream = Closing;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(Closing, &'static str)> {
        match self.0.take() {
            Some(stream) => Ok((stream, "client")),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("server")
    }
}

/// The server's stream. As a mutant, it closes with RST, as echo-net once did when it had waited long enough.
#[derive(Debug)]
struct Closing {
    stream: Option<TcpStream>,
    aborts: bool,
}

impl Closing {
    fn inner(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take().filter(|_| self.aborts) {
            stream.abort();
        }
    }
}

impl AsyncRead for Closing {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Closing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_shutdown(cx)
    }
}

impl Transport for Closing {
    fn unacknowledged(&self) -> Option<usize> {
        self.stream.as_ref().and_then(Transport::unacknowledged)
    }

    fn abort(mut self) {
        if let Some(stream) = self.stream.take() {
            stream.abort();
        }
    }
}

/// What lies in the send buffer when a server has said all arrives after an ordinary close. The mutant is caught: it
/// loses answers in every try.
#[test]
fn a_linger_that_aborts_loses_what_is_in_the_send_buffer() {
    if !possible() {
        return;
    }
    let all = (LINES * (LINE - 1)) as u64;
    assert_eq!(times("send buffer, close", 20), [all; 20]);
    let aborted = times("send buffer, abort", 20);
    assert!(aborted.iter().all(|echoed| *echoed < all), "{aborted:?} of {all}");
}

//! The behaviour of a stream: the same checks run on the packet network and on tokio's streams over loopback, and
//! expect the same.

use echo_core::Role;
use echo_net::Transport;
use sim_tests::packet::{Build, Net, PacketStream};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Makes pairs of connected streams.
trait Wires {
    type Stream: Transport;

    /// Returns the client's end, and the server's.
    async fn pair(&self) -> (Self::Stream, Self::Stream);

    /// Returns the error of connecting to a port without a listener.
    async fn refused(&self) -> io::Error;
}

struct Loopback;

impl Wires for Loopback {
    type Stream = TcpStream;

    async fn pair(&self) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (client, (server, _)) = (client.expect("connected"), server.expect("accepted"));
        client.set_nodelay(true).expect("an option");
        server.set_nodelay(true).expect("an option");
        (client, server)
    }

    async fn refused(&self) -> io::Error {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        TcpStream::connect(address).await.expect_err("nobody listens")
    }
}

struct Packets(Net);

impl Wires for Packets {
    type Stream = PacketStream;

    async fn pair(&self) -> (PacketStream, PacketStream) {
        let listener = self.0.listen(Role::Server, 2012).expect("a port");
        let (client, server) = tokio::join!(self.0.connect(Role::Client, 2012), listener.accept());
        (client.expect("connected"), server.expect("accepted"))
    }

    async fn refused(&self) -> io::Error {
        self.0.connect(Role::Client, 7).await.expect_err("nobody listens")
    }
}

/// Waits for what has to happen: in real time on loopback, in virtual time on packets.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it comes within 20 s")
}

/// Reads once. Returns the bytes or the error.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Result<Vec<u8>, ErrorKind> {
    let mut buffer = [0; 64];
    let read = soon(stream.read(&mut buffer)).await;
    read.map(|count| buffer[..count].to_vec()).map_err(|error| error.kind())
}

/// Writes until it fails. Returns the error.
async fn broken(stream: &mut (impl AsyncWriteExt + Unpin)) -> ErrorKind {
    loop {
        match soon(stream.write(b"x")).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => return error.kind(),
        }
    }
}

/// Makes a test of each check on both networks.
macro_rules! on_both {
    ($($check:ident),* $(,)?) => {
        mod loopback {
            $(#[test]
            fn $check() {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(super::$check(&super::Loopback));
            })*
        }

        mod packets {
            $(#[test]
            fn $check() {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
                runtime.block_on(async {
                    let build = super::Build { latency: 5, batch: 0, pace: 1, window: 65_535 };
                    super::$check(&super::Packets(super::Net::new(build))).await;
                });
            })*
        }
    };
}

on_both!(
    answers_arrive_after_a_half_close,
    the_end_is_read_once_all_is_read_and_again,
    shutting_down_twice_is_harmless,
    writing_after_a_shutdown_fails,
    an_abort_is_a_reset_told_once,
    closing_with_unread_input_is_a_reset,
    data_for_a_closed_socket_is_answered_by_a_reset,
    a_write_that_is_told_of_a_reset_leaves_an_end_to_read,
    nobody_listens,
    halves_work_side_by_side,
    much_goes_both_ways_at_once,
    a_writer_waits_for_its_reader,
    a_read_that_waits_is_woken_by_each_event,
    both_fins_at_once,
    dropped_while_idle,
    dropped_behind_its_own_fin,
    dropped_behind_the_peers_fin,
    dropped_behind_both_fins,
    many_at_once,
    nothing_is_written_for_nothing,
);

async fn answers_arrive_after_a_half_close(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    client.write_all(b"question").await.expect("written");
    client.shutdown().await.expect("FIN");
    let mut question = Vec::new();
    soon(server.read_to_end(&mut question)).await.expect("read");
    server.write_all(b"answer").await.expect("written");
    drop(server);
    let mut answer = Vec::new();
    soon(client.read_to_end(&mut answer)).await.expect("read");
    assert_eq!((&question[..], &answer[..]), (&b"question"[..], &b"answer"[..]));
}

async fn the_end_is_read_once_all_is_read_and_again(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    server.write_all(b"last").await.expect("written");
    server.shutdown().await.expect("FIN");
    assert_eq!(read(&mut client).await, Ok(b"last".to_vec()));
    assert_eq!([read(&mut client).await, read(&mut client).await], [Ok(Vec::new()), Ok(Vec::new())]);
}

async fn shutting_down_twice_is_harmless(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    client.shutdown().await.expect("FIN");
    client.shutdown().await.expect("nothing more");
    assert_eq!(read(&mut server).await, Ok(Vec::new()));
}

async fn writing_after_a_shutdown_fails(wires: &impl Wires) {
    let (mut client, _server) = wires.pair().await;
    client.shutdown().await.expect("FIN");
    assert_eq!(client.write(b"x").await.expect_err("no more").kind(), ErrorKind::BrokenPipe);
}

async fn an_abort_is_a_reset_told_once(wires: &impl Wires) {
    let (mut client, server) = wires.pair().await;
    server.abort();
    assert_eq!(read(&mut client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(read(&mut client).await, Ok(Vec::new()));
    assert_eq!(client.write(b"x").await.expect_err("no more").kind(), ErrorKind::BrokenPipe);
    // tokio ignores the error "not connected" of Linux.
    client.shutdown().await.expect("nothing to shut down");
}

async fn closing_with_unread_input_is_a_reset(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    client.write_all(b"one, two").await.expect("written");
    // One byte is read, so all bytes have arrived; the rest stays unread.
    soon(server.read_exact(&mut [0])).await.expect("read");
    drop(server);
    assert_eq!(read(&mut client).await, Err(ErrorKind::ConnectionReset));
}

async fn data_for_a_closed_socket_is_answered_by_a_reset(wires: &impl Wires) {
    let (mut client, server) = wires.pair().await;
    drop(server);
    assert_eq!(read(&mut client).await, Ok(Vec::new()));
    // The peer's FIN was read, so the RST makes a write fail with EPIPE (RFC 9293 section 3.10.7.4).
    assert_eq!(broken(&mut client).await, ErrorKind::BrokenPipe);
}

async fn a_write_that_is_told_of_a_reset_leaves_an_end_to_read(wires: &impl Wires) {
    let (mut client, server) = wires.pair().await;
    server.abort();
    assert_eq!(broken(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(read(&mut client).await, Ok(Vec::new()));
}

async fn nobody_listens(wires: &impl Wires) {
    assert_eq!(soon(wires.refused()).await.kind(), ErrorKind::ConnectionRefused);
}

async fn halves_work_side_by_side(wires: &impl Wires) {
    let (client, server) = wires.pair().await;
    let (mut from_client, mut to_server) = split(client);
    let (mut from_server, mut to_client) = split(server);
    let echo = async {
        soon(tokio::io::copy(&mut from_server, &mut to_client)).await.expect("copied");
        to_client.shutdown().await.expect("FIN");
    };
    let speak = async {
        to_server.write_all(b"there and back").await.expect("written");
        to_server.shutdown().await.expect("FIN");
    };
    let mut heard = Vec::new();
    let hear = async { soon(from_client.read_to_end(&mut heard)).await.expect("read") };
    tokio::join!(echo, speak, hear);
    assert_eq!(heard, b"there and back");
}

async fn much_goes_both_ways_at_once(wires: &impl Wires) {
    let (client, server) = wires.pair().await;
    let much =
        |seed: usize| (0..1 << 20).map(|index: usize| (index.wrapping_mul(seed) >> 7) as u8).collect::<Vec<u8>>();
    let (there, back) = (much(2_654_435_761), much(40_503));
    let one = async |stream, said: &[u8]| {
        let (mut reader, mut writer) = split(stream);
        let say = async {
            writer.write_all(said).await.expect("written");
            writer.shutdown().await.expect("FIN");
        };
        let mut heard = Vec::new();
        let hear = async { reader.read_to_end(&mut heard).await.expect("read") };
        tokio::join!(say, hear);
        heard
    };
    let both = async { tokio::join!(one(client, &there), one(server, &back)) };
    let (heard_back, heard_there) = timeout(Duration::from_secs(100), both).await.expect("it ends");
    assert!(heard_there == there && heard_back == back, "what arrives is not what was sent");
}

async fn a_writer_waits_for_its_reader(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    let block = vec![7; 1 << 16];
    let mut written = 0;
    // A write has to block at some time if the peer does not read.
    while let Ok(count) = timeout(Duration::from_millis(300), client.write(&block)).await {
        written += count.expect("written");
        assert!(written < 1 << 26, "{written} bytes were taken, and nobody has read");
    }
    let mut read = vec![0; written];
    soon(server.read_exact(&mut read)).await.expect("read");
    soon(client.write_all(b"again")).await.expect("written");
}

async fn a_read_that_waits_is_woken_by_each_event(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    let (got, ()) = tokio::join!(read(&mut client), async {
        tokio::task::yield_now().await;
        server.write_all(b"data").await.expect("written");
    });
    assert_eq!(got, Ok(b"data".to_vec()));
    let (got, ()) = tokio::join!(read(&mut client), async {
        tokio::task::yield_now().await;
        server.shutdown().await.expect("FIN");
    });
    assert_eq!(got, Ok(Vec::new()));
    let (mut client, server) = wires.pair().await;
    let (got, ()) = tokio::join!(read(&mut client), async {
        tokio::task::yield_now().await;
        server.abort();
    });
    assert_eq!(got, Err(ErrorKind::ConnectionReset));
}

async fn both_fins_at_once(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    let (first, second) = tokio::join!(client.shutdown(), server.shutdown());
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!([read(&mut client).await, read(&mut server).await], [Ok(Vec::new()), Ok(Vec::new())]);
}

async fn dropped_while_idle(wires: &impl Wires) {
    let (mut client, server) = wires.pair().await;
    drop(server);
    assert_eq!([read(&mut client).await, read(&mut client).await], [Ok(Vec::new()), Ok(Vec::new())]);
}

async fn dropped_behind_its_own_fin(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    server.shutdown().await.expect("FIN");
    assert_eq!(read(&mut client).await, Ok(Vec::new()));
    drop(server);
    // The server closed in FIN-WAIT-2: no program reads this any more.
    assert_eq!(broken(&mut client).await, ErrorKind::BrokenPipe);
}

async fn dropped_behind_the_peers_fin(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    client.shutdown().await.expect("FIN");
    assert_eq!(read(&mut server).await, Ok(Vec::new()));
    drop(server);
    assert_eq!([read(&mut client).await, read(&mut client).await], [Ok(Vec::new()), Ok(Vec::new())]);
}

async fn dropped_behind_both_fins(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    client.shutdown().await.expect("FIN");
    assert_eq!(read(&mut server).await, Ok(Vec::new()));
    server.write_all(b"still").await.expect("written");
    server.shutdown().await.expect("FIN");
    drop(server);
    assert_eq!([read(&mut client).await, read(&mut client).await], [Ok(b"still".to_vec()), Ok(Vec::new())]);
}

async fn many_at_once(wires: &impl Wires) {
    let mut pairs = Vec::new();
    for _ in 0..20 {
        pairs.push(wires.pair().await);
    }
    for (index, (client, _)) in pairs.iter_mut().enumerate() {
        client.write_all(&[u8::try_from(index).expect("few")]).await.expect("written");
    }
    for (index, (_, server)) in pairs.iter_mut().enumerate().rev() {
        assert_eq!(read(server).await, Ok(vec![u8::try_from(index).expect("few")]));
    }
}

async fn nothing_is_written_for_nothing(wires: &impl Wires) {
    let (mut client, mut server) = wires.pair().await;
    assert_eq!(client.write(b"").await.expect("nothing"), 0);
    client.write_all(b"x").await.expect("written");
    assert_eq!(read(&mut server).await, Ok(b"x".to_vec()));
}

/// On packets time is virtual: what has arrived can be read long after TIME-WAIT.
#[test]
fn what_has_arrived_is_kept_behind_time_wait() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let wires = Packets(Net::new(Build { latency: 5, batch: 0, pace: 1, window: 65_535 }));
        let (mut client, mut server) = wires.pair().await;
        client.shutdown().await.expect("FIN");
        server.write_all(b"late").await.expect("written");
        drop(server);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!([read(&mut client).await, read(&mut client).await], [Ok(b"late".to_vec()), Ok(Vec::new())]);
        wires.0.idle().await;
    });
}

/// A host without power does not answer: the SYN is sent again for 127 s, as on Linux.
#[test]
fn a_silent_host_is_a_timeout() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let net = Net::new(Build { latency: 5, batch: 0, pace: 1, window: 65_535 });
        net.power_down(Role::Server);
        let error = net.connect(Role::Client, 2012).await.expect_err("nobody is there");
        assert_eq!((error.kind(), net.now()), (ErrorKind::TimedOut, 127_000));
    });
}

//! Clients that read slowly: all answers arrive, and no deadline passes while they read.

use crate::support::program::Serve;
use crate::support::raw::{self, Raw, Said};
use crate::support::time::HEADER;
use crate::support::{bounded, eventually};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Length of a line in bytes, newline included.
const LINE: usize = 1000;

fn lines(count: usize) -> Vec<u8> {
    let mut line = vec![b'x'; LINE];
    line[LINE - 1] = b'\n';
    line.repeat(count)
}

/// Writes in another thread. A server that ends may read less.
fn pour(stream: &TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<()> {
    let mut stream = stream.try_clone().expect("a descriptor");
    thread::spawn(move || drop(stream.write_all(&bytes)))
}

/// Connects a client with a small receive buffer, so that the server can see what it has not read.
fn connect_small(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(64 * 1024).expect("an option can be set");
    socket.connect(&address.into()).expect("it listens");
    socket.into()
}

/// Reads at `rate` bytes a second until the end or an error. Calls `seen` with the bytes read so far.
fn read_at(rate: usize, stream: &mut TcpStream, mut seen: impl FnMut(usize)) -> (usize, Result<(), ErrorKind>) {
    /// Reads in a second.
    const STEPS: usize = 50;
    let mut bytes = vec![0; (rate / STEPS).max(1)];
    let mut all = 0;
    let begun = Instant::now();
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return (all, Ok(())),
            Ok(count) => all += count,
            Err(error) => return (all, Err(error.kind())),
        }
        seen(all);
        let due = begun + Duration::from_secs_f64(all as f64 / rate as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// The number of answered messages in a server's report.
fn messages(report: &str) -> usize {
    let word = report.split(", ").find_map(|part| part.strip_suffix(" messages"));
    word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("a report: {report}"))
}

/// Clause 5.9: the server drains while its kernel holds answers for longer than the deadlines.
#[track_caller]
fn all_arrives(rate: usize, count: usize) {
    let mut serve = Serve::start(&[]);
    let mut stream = TcpStream::connect(serve.address).expect("it listens");
    let writer = pour(&stream, lines(count));
    let (late, told) = mpsc::channel();
    let reader = thread::spawn(move || {
        read_at(rate, &mut stream, |all| {
            if all > rate {
                // The first message is enough.
                let _ = late.send(());
            }
        })
    });
    told.recv().expect("the client reads for a second");
    serve.kid.signal("TERM");
    let code = serve.kid.wait().code();
    let report = serve.kid.stdout().lines().last().unwrap_or_default().to_owned();
    let (all, end) = bounded("all that was answered", move || reader.join().expect("no panic"));
    assert_eq!((all, end), (messages(&report) * (HEADER + LINE), Ok(())), "at {rate} B/s: {report}");
    assert_eq!(code, Some(0), "{report}");
    writer.join().expect("no panic");
}

#[test]
fn all_that_was_answered_arrives_at_any_steady_rate() {
    thread::scope(|scope| {
        for (rate, count) in [(1_000_000, 8000), (200_000, 3000), (50_000, 800)] {
            scope.spawn(move || all_arrives(rate, count));
        }
    });
}

/// The client reads long after the server has ended.
#[test]
fn all_that_was_answered_arrives_when_it_is_read_later() {
    const COUNT: usize = 200;
    let mut serve = Serve::start(&[]);
    let mut client = Raw::connect(serve.address);
    client.send(&lines(COUNT));
    // After the last answer, the client's kernel holds them all.
    let all = COUNT * (HEADER + LINE);
    eventually("all answers", || {
        let mut peeked = vec![0; all];
        client.stream.peek(&mut peeked).is_ok_and(|count| count > LINE)
    });
    serve.kid.signal("TERM");
    assert_eq!(serve.kid.wait().code(), Some(0));
    let report = serve.kid.stdout().lines().last().unwrap_or_default().to_owned();
    assert_eq!(client.rest().len(), messages(&report) * (HEADER + LINE), "{report}");
}

/// Clauses 4.9, 8.6: a client that reads answers without a pause is not idle, although the server reads nothing.
#[test]
fn a_plain_client_that_takes_answers_is_not_idle() {
    const COUNT: usize = 2400;
    let serve = Serve::start(&["--deadline", "idle=1"]);
    let mut stream = connect_small(serve.address);
    let writer = pour(&stream, lines(COUNT));
    let finishing = stream.try_clone().expect("a descriptor");
    let all = COUNT * (HEADER + LINE);
    let (got, end) = read_at(400_000, &mut stream, |got| {
        if got == all {
            let _ = finishing.shutdown(std::net::Shutdown::Write);
        }
    });
    assert_eq!((got, end), (all, Ok(())));
    writer.join().expect("no panic");
    assert_eq!(serve.drain().0, Some(0));
}

#[test]
fn a_framed_client_that_takes_answers_is_not_idle() {
    const COUNT: u64 = 2400;
    let serve = Serve::start(&["--deadline", "idle=1"]);
    let mut client = Raw::on(connect_small(serve.address));
    client.send(&raw::hello());
    client.hears_preface();
    let payload = [b'x'; LINE];
    let asked: Vec<u8> = (1..=COUNT).flat_map(|seq| raw::echo(seq, &payload)).collect();
    let writer = pour(&client.stream, asked);
    let begun = Instant::now();
    for seq in 1..=COUNT {
        match client.hears() {
            Said::Reply { seq: heard, .. } if heard == seq => (),
            said => panic!("answer {seq} expected, not {said:?}"),
        }
        let due = begun + Duration::from_micros(2500 * seq);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    writer.join().expect("no panic");
    // The server saw the last read up to a second ago, so it may already find the client idle.
    client.send(&raw::goaway(COUNT));
    let mut said = client.hears();
    if let Said::GoAway { code: 1001, .. } = said {
        said = client.hears();
    }
    assert!(matches!(said, Said::Close { last: COUNT, .. }), "{said:?}");
    client.send(&raw::close(COUNT));
    client.finish();
    assert_eq!(client.hears(), Said::Fin);
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.starts_with("served 1 connections (1 clean)"), "{report}");
}

/// Clause 8.6: the kernel allows another write only after much of its buffer has drained. On this network its segments
/// have 64 KiB, so one takes 4 s here.
#[test]
fn a_reader_of_16_kib_a_second_is_not_reset_by_the_write_deadline() {
    const LINES: usize = 20_000;
    let serve = Serve::start(&["--deadline", "write=8"]);
    let mut stream = TcpStream::connect(serve.address).expect("it listens");
    let _writer = pour(&stream, lines(LINES));
    let until = Instant::now() + Duration::from_secs(20);
    let mut bytes = vec![0; 16 * 1024 / 50];
    while Instant::now() < until {
        stream.read_exact(&mut bytes).expect("it is not reset");
        thread::sleep(Duration::from_millis(20));
    }
    drop(stream);
    assert!(serve.drain().0.is_some());
}

/// The server does not wait for a client that reads nothing or almost nothing.
#[test]
fn a_reader_that_takes_next_to_nothing_is_reset_by_the_write_deadline() {
    for pause in [None, Some(Duration::from_millis(100))] {
        let serve = Serve::start(&["--deadline", "write=1"]);
        let stream = TcpStream::connect(serve.address).expect("it listens");
        let writer = pour(&stream, lines(20_000));
        let (gone, is_gone) = mpsc::channel::<()>();
        let mut reader = stream.try_clone().expect("a descriptor");
        let reading = thread::spawn(move || {
            let Some(pause) = pause else { return };
            while is_gone.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = reader.read(&mut [0]);
            }
        });
        serve.kid.logs("timed out (write)");
        drop(gone);
        reading.join().expect("no panic");
        drop(stream);
        writer.join().expect("no panic");
        assert_eq!(serve.drain().0, Some(0));
    }
}

/// Clause 8.5: input that arrived while the server was stopped counts as in time.
#[test]
fn a_server_that_was_stopped_in_a_drain_resets_nobody() {
    const CLIENTS: usize = 20;
    let mut serve = Serve::start(&["--deadline", "drain=1", "--deadline", "close=1", "--deadline", "shutdown=2"]);
    let mut clients: Vec<Raw> = (0..CLIENTS).map(|_| Raw::greeted(serve.address)).collect();
    for client in &mut clients {
        client.asks(1, b"still there?");
    }
    serve.kid.signal("TERM");
    serve.kid.logs("draining 20 connections");
    for client in &mut clients {
        assert_eq!(client.hears(), Said::GoAway { last: 0, code: 1001 });
    }
    serve.kid.signal("STOP");
    for client in &mut clients {
        client.send(&raw::goaway(1));
    }
    // Longer than the limit of the whole ending.
    thread::sleep(Duration::from_secs(4));
    serve.kid.signal("CONT");
    for client in &mut clients {
        assert!(matches!(client.hears(), Said::Close { last: 1, code: 1001, .. }));
        client.send(&raw::close(1));
        client.finish();
        assert_eq!(client.hears(), Said::Fin);
    }
    assert_eq!(serve.kid.wait().code(), Some(0));
    assert!(serve.kid.stdout().contains("served 20 connections (20 clean)"), "{}", serve.kid.stdout());
}

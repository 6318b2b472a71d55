//! A server can always be stopped, whatever its clients send.

use crate::support::program::Serve;
use crate::support::raw;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitStatus;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest ending with the default deadlines (PROTOCOL.md, section 8.1), and extra time for a busy machine.
const BOUND: Duration = Duration::from_secs(8 + 6);
/// A second signal ends the server almost at once; extra time for a busy machine.
const SOON: Duration = Duration::from_secs(1 + 6);

/// What a client sends without end: its first bytes, then chunk by chunk.
#[derive(Clone, Copy)]
struct Flood {
    name: &'static str,
    is_framed: bool,
    chunk: fn(u64) -> Vec<u8>,
}

/// Number of messages in a chunk.
const CHUNK: u64 = 1000;

const FLOODS: [Flood; 6] = [
    Flood { name: "empty lines", is_framed: false, chunk: |_| b"\n".repeat(64 * 1024) },
    Flood { name: "text", is_framed: false, chunk: |_| b"so much to say\n".repeat(4096) },
    Flood { name: "small unknown frames", is_framed: true, chunk: |_| unknown(0).repeat(4096) },
    Flood { name: "large unknown frames", is_framed: true, chunk: |_| unknown(60_000) },
    Flood { name: "small requests", is_framed: true, chunk: |number| requests(number, 1) },
    Flood { name: "requests", is_framed: true, chunk: |number| requests(number, 1000) },
];

/// A frame of an unknown kind that is skipped (clause 4.7).
fn unknown(size: usize) -> Vec<u8> {
    let mut frame = (size as u32).to_be_bytes()[1..].to_vec();
    frame.push(0x7f);
    frame.extend([0; 8]);
    frame.resize(frame.len() + size, 0);
    frame
}

fn requests(chunk: u64, size: usize) -> Vec<u8> {
    let payload = vec![b'x'; size];
    (chunk * CHUNK + 1..=(chunk + 1) * CHUNK).flat_map(|seq| raw::echo(seq, &payload)).collect()
}

/// A client that sends until the server has ended, and reads all answers if `reads`.
fn pour(address: SocketAddr, flood: Flood, reads: bool) -> Vec<JoinHandle<()>> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut reader = stream.try_clone().expect("a descriptor");
    let writing = thread::spawn(move || {
        let mut written = if flood.is_framed { stream.write_all(&raw::hello()) } else { Ok(()) };
        for number in 0.. {
            if written.is_err() {
                return;
            }
            written = stream.write_all(&(flood.chunk)(number));
        }
    });
    let reading = thread::spawn(move || {
        let mut chunk = vec![0; 64 * 1024];
        while reads && matches!(reader.read(&mut chunk), Ok(1..)) {}
    });
    vec![writing, reading]
}

/// Sends the signal. Returns the time until the end.
#[track_caller]
fn stops(serve: &mut Serve) -> (Duration, ExitStatus) {
    let begun = Instant::now();
    serve.kid.signal("INT");
    let status = serve.kid.wait();
    (begun.elapsed(), status)
}

#[track_caller]
fn is_stopped(clients: usize, reads: bool) {
    for flood in FLOODS {
        let name = flood.name;
        let mut serve = Serve::start(&[]);
        let threads: Vec<_> = (0..clients).flat_map(|_| pour(serve.address, flood, reads)).collect();
        serve.kid.logs("begins");
        let (took, status) = stops(&mut serve);
        assert!(took < BOUND, "{clients} × {name}: {took:?}");
        assert!(status.code().is_some(), "{clients} × {name}: {status}");
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
}

#[test]
fn one_client_that_pours_does_not_keep_it() {
    is_stopped(1, true);
}

#[test]
fn twenty_clients_that_pour_do_not_keep_it() {
    is_stopped(20, true);
}

#[test]
fn a_client_that_pours_and_reads_nothing_does_not_keep_it() {
    is_stopped(1, false);
}

#[test]
fn a_second_signal_is_heard_at_once() {
    for flood in FLOODS {
        let name = flood.name;
        let mut serve = Serve::start(&["--deadline", "drain=never", "--deadline", "shutdown=never"]);
        let threads: Vec<_> = (0..20).flat_map(|_| pour(serve.address, flood, false)).collect();
        serve.kid.logs("begins");
        serve.kid.signal("INT");
        serve.kid.logs("draining");
        let (took, status) = stops(&mut serve);
        assert!(took < SOON, "{name}: {took:?}");
        assert!(status.code().is_some(), "{name}: {status}");
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
}

//! The server's memory stays bounded with a client that reads slowly, and with many incomplete messages.

use crate::support::program::{Kid, Serve};
use crate::support::raw::{self, Raw, Said};
use crate::support::server::{Server, server_config};
use crate::support::{bounded, eventually};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

const PAYLOAD: usize = 512 * 1024;
const REQUESTS: u64 = (1 << 30) / PAYLOAD as u64;
const MEBIBYTE: u64 = 1024 * 1024;
const MOST_MEMORY: u64 = 64 * MEBIBYTE;

/// Clause 4.9: the server stops reading while its output waits.
#[test]
fn a_gibibyte_for_a_client_that_reads_slowly() {
    let serve = Serve::start(&[]);
    let mut client = Raw::greeted(serve.address);
    let mut asking = client.stream.try_clone().expect("a second handle");
    let asker = std::thread::spawn(move || {
        let mut payload = vec![0; PAYLOAD];
        for seq in 1..=REQUESTS {
            payload[..8].copy_from_slice(&seq.to_be_bytes());
            asking.write_all(&raw::echo(seq, &payload)).expect("the server takes requests");
        }
    });
    let mut client = bounded("a gibibyte of answers", move || {
        let mut answer = vec![0; raw::reply(1, &[]).len() + PAYLOAD];
        for seq in 1..=REQUESTS {
            client.stream.read_exact(&mut answer).expect("the server answers");
            assert_eq!(answer[4..12], seq.to_be_bytes(), "answers come in order: clause 4.6");
            assert_eq!(answer[36..44], seq.to_be_bytes(), "with the request's payload");
            if seq % 128 == 0 {
                // The reader is slow on purpose; no check depends on this sleep.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        client
    });
    asker.join().expect("all requests were taken");
    client.send(&raw::goaway(REQUESTS));
    assert!(matches!(client.hears(), raw::Said::Close { last: REQUESTS, code: 1000, .. }));
    client.send(&raw::close(REQUESTS));
    client.finish();
    assert_eq!(client.hears(), raw::Said::Fin);

    let most = status(&serve).vmhwm.expect("the kernel tells") * 1024;
    eprintln!("high-water mark of the server's memory: {} MiB", most / MEBIBYTE);
    assert!(most < MOST_MEMORY, "{most} bytes");
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.contains(&format!("{REQUESTS} messages, {} bytes", 1u64 << 30)), "{report}");
}

fn status(serve: &Serve) -> procfs::process::Status {
    let id = i32::try_from(serve.kid.id()).expect("a process id");
    let status = procfs::process::Process::new(id).and_then(|process| process.status());
    status.expect("the server runs")
}

const REASON: &str = "try again later: the server's memory is used up";
/// Size of the largest payload, in bytes. The test first sends all but the last byte.
const LONG: usize = 1024 * 1024;

/// When memory is used up, clients with large incomplete messages are refused with a reason, on both wires. A client
/// that needs little is not, and the memory goes back to the system.
#[test]
fn who_would_use_up_the_memory_is_told() {
    const HOARDERS: usize = 150;
    // With this `quiet`, incomplete lines never become messages.
    let options = ["--max-memory", "64", "--max-connections", "200", "--quiet", "600000", "--silent"];
    let serve = Serve::start(&options);
    let mut modest = Raw::greeted(serve.address);
    modest.asks(1, b"before");
    let mut hoarders = Vec::new();
    for number in 0..HOARDERS {
        let framed = number % 2 == 0;
        let mut hoarder = if framed { Raw::greeted(serve.address) } else { Raw::connect(serve.address) };
        let message = if framed { raw::echo(1, &vec![b'x'; LONG]) } else { vec![b'x'; LONG] };
        match hoarder.stream.write_all(&message[..message.len() - 1]) {
            Ok(()) => (),
            // A plain server that has refused closes at the linger deadline.
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}")
            }
        }
        hoarders.push((framed, hoarder));
    }
    modest.asks(2, &[b'm'; 16 * 1024]);
    let most = status(&serve).vmhwm.expect("the kernel tells") * 1024;
    assert!(most < (64 + 32) * MEBIBYTE, "{most} bytes");
    // There is room for at most 60 of them. Those get an answer to the whole message.
    let mut told = 0;
    for (framed, mut hoarder) in hoarders {
        // A refused client may not be able to write any more.
        let _ = hoarder.stream.write_all(if framed { b"x" } else { b"\n" });
        told += if framed {
            match hoarder.hears() {
                Said::Reply { seq: 1, .. } => 0,
                said => {
                    assert_eq!(said, Said::Close { last: 0, code: 1013, reason: REASON.to_owned(), fin_first: false });
                    1
                }
            }
        } else {
            let said = hoarder.bytes(6 + REASON.len() + 1);
            let is_told = said == format!("echo: {REASON}\n").as_bytes();
            assert!(is_told || said.starts_with(b"["), "{}", String::from_utf8_lossy(&said));
            usize::from(is_told)
        };
    }
    assert!(told >= HOARDERS - 60, "{told} were told");
    // A long message fits again, so the memory of the others was released.
    let mut long = Raw::greeted(serve.address);
    long.asks(1, &vec![b'l'; LONG]);
    long.ends_clean(1);
    eventually("memory to go back to the system", || {
        status(&serve).vmrss.expect("the kernel tells") * 1024 < 24 * MEBIBYTE
    });
    modest.asks(3, b"after");
    modest.ends_clean(3);
    assert_eq!(serve.drain().0, Some(0));
}

/// A library server whose memory has room for only one long message at a time.
#[test]
fn a_connection_gets_no_more_than_it_leaves() {
    let mut config = server_config(|config| (config.max_connections, config.max_refusals) = (4, 1));
    config.max_memory = config.least_memory();
    let server = Server::start(config);
    for _ in 0..3 {
        let mut alone = Raw::greeted(server.address);
        alone.asks(1, &vec![b'a'; LONG]);
        alone.ends_clean(1);
    }
    let report = server.drain();
    assert_eq!(report.ended("clean"), 3, "{report}");
}

#[test]
fn too_little_memory_for_the_longest_message_is_no_setting() {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--max-memory", "4"];
    let (code, _, err) = Kid::echo_net(&arguments).finish();
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--max-memory 4 is too little for messages of 1048576 bytes: expected at least 6"), "{err}");
}

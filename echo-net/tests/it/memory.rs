//! A client that reads slowly does not make the server hoard.

use crate::support::bounded;
use crate::support::program::Serve;
use crate::support::raw::{self, Raw};
use std::io::{Read, Write};
use std::time::Duration;

const PAYLOAD: usize = 512 * 1024;
const REQUESTS: u64 = (1 << 30) / PAYLOAD as u64;
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

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
                // The reader is slow by design; nothing waits for this sleep to be over.
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

    let id = i32::try_from(serve.kid.id()).expect("a process id");
    let status = procfs::process::Process::new(id).and_then(|process| process.status());
    let most = status.expect("the server runs").vmhwm.expect("the kernel tells") * 1024;
    eprintln!("high-water mark of the server's memory: {} MiB", most / (1024 * 1024));
    assert!(most < MOST_MEMORY, "{most} bytes");
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.contains(&format!("{REQUESTS} messages, {} bytes", 1u64 << 30)), "{report}");
}

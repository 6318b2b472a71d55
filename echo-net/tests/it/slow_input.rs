//! Clients that are too slow or send nothing, under short deadlines; and slowness that is legal.

use crate::support::bystander::Bystander;
use crate::support::program::Serve;
use crate::support::raw::{self, Raw, Said};
use crate::support::time::{HEADER, is_answer, seconds};
use std::io::Write;
use std::time::Duration;

/// Writes one byte at a time, slowly on purpose, in another thread. The server may end meanwhile.
fn drips(client: &Raw, bytes: Vec<u8>) {
    let mut stream = client.stream.try_clone().expect("a second handle");
    std::thread::spawn(move || {
        for byte in bytes {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

fn port(client: &Raw) -> u16 {
    client.stream.local_addr().expect("it is connected").port()
}

/// Clauses 1.1 and 8.1: a server that ends before the client has sent anything sends only FIN.
#[test]
fn a_client_that_says_nothing_hears_fin_at_the_idle_deadline() {
    let serve = Serve::start(&["--deadline", "idle=0.3"]);
    let mut silent = Raw::connect(serve.address);
    assert_eq!(silent.rest(), b"");
    drop(silent);
    serve.kid.logs("ends: timed out (idle), begun by us");
    let (_, report) = serve.drain();
    assert!(report.starts_with("served 1 connections (1 timed out)"), "{report}");
}

/// Clause 8.1, on the plain wire: the server sends FIN, and the outcome is timed out.
#[test]
fn a_plain_client_that_falls_silent_hears_fin_at_the_idle_deadline() {
    let serve = Serve::start(&["--deadline", "idle=0.5"]);
    let begin = seconds();
    let mut silent = Raw::connect(serve.address);
    silent.send(b"hello\n");
    let all = silent.rest();
    assert!(is_answer(&all, begin, b"hello\n"), "{all:?}");
    drop(silent);
    serve.kid.logs("ends: timed out (idle), begun by us");
}

/// Clause 5.12: idling is not an error, and the end may be clean.
#[test]
fn a_framed_client_that_is_idle_is_asked_to_leave_and_ends_clean() {
    let serve = Serve::start(&["--deadline", "idle=0.5"]);
    let mut idle = Raw::greeted(serve.address);
    idle.asks(1, b"the last for a while");
    assert_eq!(idle.hears(), Said::GoAway { last: 0, code: 1001 });
    idle.ends_clean_as(1, 1001);
    serve.kid.logs("ends: clean (1001 going away), begun by us; 1 answered");
}

/// Clauses 1.6, 6.2, 8.1: the detect deadline starts at the first byte, and no byte prolongs it.
#[test]
fn a_preface_that_drips_is_refused_at_the_detect_deadline() {
    let mut b = Bystander::watching(&["--deadline", "detect=0.3"]);
    let mut slow = Raw::connect(b.address());
    drips(&slow, raw::hello().to_vec());
    slow.hears_preface();
    match slow.hears() {
        Said::Close { last: 0, code: 1002, reason, .. } => assert_eq!(reason, "detect deadline"),
        said => panic!("expected CLOSE 1002, got {said:?}"),
    }
    slow.finish();
    assert_eq!(slow.hears(), Said::Fin);
    let log = b.log_of(port(&slow));
    assert!(log.starts_with("timed out (detect), begun by us"), "{log}");
    b.is_undisturbed();
    b.reports(1, "1 clean, 1 unproven, 1 timed out");
}

/// Clauses 5.2, 5.12, 8.1: only a complete request restarts the idle deadline, and an incomplete one never runs.
#[test]
fn a_request_that_drips_is_no_request() {
    let serve = Serve::start(&["--deadline", "idle=0.5", "--deadline", "drain=0.3", "--deadline", "close=0.3"]);
    let mut slow = Raw::greeted(serve.address);
    drips(&slow, raw::echo(1, &[b'x'; 100]));
    assert_eq!(slow.hears(), Said::GoAway { last: 0, code: 1001 });
    match slow.hears() {
        Said::Close { last: 0, code: 1001, .. } => (),
        said => panic!("expected CLOSE 1001, got {said:?}"),
    }
    assert_eq!(slow.hears(), Said::Fin, "at the close deadline");
    let _ = slow.stream.shutdown(std::net::Shutdown::Both);
    drop(slow);
    serve.kid.logs("ends: timed out (close), begun by us; 0 answered, 0 refused, 0 unknown");
}

/// Clauses 2.2 and 2.4: slow bytes are legal on the plain wire. Each is a message after `quiet`.
#[test]
fn slow_bytes_on_the_plain_wire_are_messages() {
    let mut b = Bystander::watching(&["--deadline", "detect=0.1"]);
    let mut slow = Raw::connect(b.address());
    for byte in b"slow\0\n" {
        let begin = seconds();
        slow.send(&[*byte]);
        assert!(is_answer(&slow.bytes(HEADER + 1), begin, &[*byte]));
    }
    slow.finish();
    assert_eq!(slow.rest(), b"");
    b.is_undisturbed();
    b.reports(1, "1 clean, 2 unproven");
}

//! Ctrl-C at a server with five clients in different states: all are notified, and nothing stays behind.

use crate::support::person::Person;
use crate::support::program::Serve;
use crate::support::raw::{self, Raw, Said};
use crate::support::server::swallow;
use crate::support::sockets::Sockets;
use crate::support::{bounded, eventually};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Limit of the server's ending; the other deadlines have their defaults.
const SHUTDOWN: Duration = Duration::from_secs(4);

/// Clauses 5.1–5.5, 5.9, 8.1, 8.2.
#[test]
fn five_clients_are_told_and_the_server_is_gone_within_its_cap() {
    let before = Sockets::now();
    let serve = Serve::start(&["--deadline", "shutdown=4"]);
    let address = serve.address;
    let mut person = Person::at_prompt(address, &[]);
    person.half_types("half a lin");
    let mut idle = Raw::greeted(address);
    idle.asks(1, b"before");
    let mut plain = Raw::connect(address);
    plain.send(b"hello\n");
    assert!(plain.some().starts_with(b"["));
    let plain_port = plain.stream.local_addr().expect("it is connected").port();
    let mut half = Raw::greeted(address);
    let request = raw::echo(1, b"mid-request");
    half.send(&request[..20]);
    let deaf = never_reads(address);
    serve.kid.logs("connection 5 from");

    let signalled = Instant::now();
    serve.kid.signal("INT");
    let idle = std::thread::spawn(move || {
        assert_eq!(idle.hears(), Said::GoAway { last: 0, code: 1001 });
        idle.ends_clean_as(1, 1001);
    });
    let half = std::thread::spawn(move || {
        assert_eq!(half.hears(), Said::GoAway { last: 0, code: 1001 });
        half.send(&request[20..]);
        assert_eq!(half.hears(), Said::Reply { seq: 1, payload: b"mid-request".to_vec() });
        half.ends_clean_as(1, 1001);
    });
    let plain = std::thread::spawn(move || assert_eq!(plain.rest(), b"", "nothing but FIN: clause 2.5"));
    let (shown, code) = person.leaves();
    assert!(
        shown.contains("the server ends the conversation: 1001 going away (the server is shutting down)"),
        "{shown:?}"
    );
    assert!(shown.contains("the conversation ended clean (1001 going away)"), "{shown:?}");
    assert!(shown.contains("not sent, the conversation is over: half a lin\r\n"), "{shown:?}");
    assert_eq!(code, 1, "for the line that was not sent");
    for polite in [idle, half, plain] {
        bounded("the end of a polite client", move || polite.join().expect("it ends as it should"));
    }
    assert!(signalled.elapsed() < Duration::from_secs(3), "the polite ones wait for nobody");

    let mut serve = serve;
    assert_eq!(serve.kid.wait().code(), Some(0));
    assert!(signalled.elapsed() < SHUTDOWN + Duration::from_secs(3), "{:?}", signalled.elapsed());
    let report = serve.kid.stdout();
    assert!(report.contains("served 5 connections (3 clean, 1 unproven, 1 timed out), 0 refused"), "{report}");
    // The client that never read also got GOAWAY and CLOSE, behind its answers, until the server closed.
    bounded("the end of the deaf client", move || swallow(deaf));

    let sockets = || Sockets::now().without(&before).of(address.port());
    eventually("no half-closed socket", || sockets().half_closed() == 0);
    eventually("TIME_WAIT for the plain client, where the server was the first to go", || {
        sockets().time_wait_at(address.port()) == [plain_port]
    });
}

/// A client that sends requests until the server reads no more, and never reads.
fn never_reads(address: SocketAddr) -> Raw {
    use std::io::Write;
    let mut deaf = Raw::greeted(address);
    deaf.stream.set_nonblocking(true).expect("an option can be set");
    let payload = vec![b'x'; 60_000];
    let mut seq = 0;
    'full: loop {
        seq += 1;
        let request = raw::echo(seq, &payload);
        let mut left = request.as_slice();
        let mut stuck = Instant::now();
        while !left.is_empty() {
            match deaf.stream.write(left) {
                Ok(count) => {
                    left = &left[count..];
                    stuck = Instant::now();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if stuck.elapsed() > Duration::from_millis(500) {
                        break 'full;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("the server went: {error}"),
            }
        }
    }
    deaf.stream.set_nonblocking(false).expect("an option can be set");
    deaf
}

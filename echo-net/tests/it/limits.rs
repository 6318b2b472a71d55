//! Limits: connections, message sizes, descriptors, and output for a client that does not read.

use crate::support::program::{Serve, limited};
use crate::support::raw::{self, Raw, Said};
use crate::support::server::{Server, fake, server_config, swallow};
use crate::support::time::HEADER;
use crate::support::{eventually, within};
use echo_net::echo_core::Role;
use echo_net::echo_core::preface::preface;
use echo_net::{Client, ClientConfig, RequestError, ServerConfig};
use std::io::{ErrorKind, Write};
use std::time::Duration;

fn full(limit: usize, refusals: usize) -> Server {
    Server::start(server_config(|config| (config.max_connections, config.max_refusals) = (limit, refusals)))
}

/// Clauses 1.1, 2.6, 5.6: a refused client gets the reason on its own wire, after its first bytes.
#[test]
fn one_connection_over_the_limit_is_refused_with_the_reason() {
    let server = full(1, 1);
    let mut first = Raw::greeted(server.address);
    first.asks(1, b"I was here first");

    let mut framed = Raw::connect(server.address);
    framed.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("an option can be set");
    let silence = std::io::Read::read(&mut framed.stream, &mut [0]).expect_err("nothing before it has spoken");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    Raw::on(framed.stream).hears_refusal("try again later: all 1 connections are in use");

    let mut plain = Raw::connect(server.address);
    plain.send(b"hello\n");
    assert_eq!(plain.rest(), b"echo: try again later: all 1 connections are in use\n");
    drop(plain);

    first.asks(2, b"and still am");
    first.ends_clean(2);
    let report = server.drain();
    assert_eq!((report.accepted, report.refused_connections), (3, 2), "{report}");
    assert_eq!((report.ended("clean"), report.ended("failed")), (1, 2), "{report}");
}

/// A new connection gets the place of one that has ended.
#[test]
fn a_place_that_becomes_free_is_given_away() {
    let server = full(1, 1);
    for _ in 0..20 {
        // The server sees the end a moment after the client does. Until then it may refuse.
        let mut accepted = None;
        eventually("the free place", || {
            let mut client = Raw::greeted(server.address);
            client.send(&raw::echo(1, b"free?"));
            match client.hears() {
                Said::Reply { seq: 1, .. } => accepted = Some(client),
                Said::Close { code: 1013, .. } => client.finish(),
                said => panic!("neither served nor refused: {said:?}"),
            }
            accepted.is_some()
        });
        accepted.expect("it was served").ends_clean(1);
    }
    assert_eq!(server.drain().ended("clean"), 20);
}

/// A refused client that lingers takes no place from a later one, because it has got the reason.
#[test]
fn a_refusal_that_lingers_gives_way() {
    one_refusal_at_a_time(full(1, 1));
}

/// With no refusals at all, clients would be dropped without a reason, so the minimum is one.
#[test]
fn no_refusals_are_one() {
    one_refusal_at_a_time(full(1, 0));
}

#[track_caller]
fn one_refusal_at_a_time(server: Server) {
    let mut first = Raw::greeted(server.address);
    first.asks(1, b"I was here first");
    let mut lingering = Vec::new();
    for _ in 0..5 {
        let mut refused = Raw::greeted(server.address);
        assert!(matches!(refused.hears(), Said::Close { code: 1013, .. }));
        lingering.push(refused);
    }
    // Without this limit, the server would wait for FIN and linger after its error: 10 s and 2 s.
    for mut refused in lingering.drain(..4) {
        assert_eq!(refused.hears(), Said::Fin, "its place went to the next");
    }
    let mut last = lingering.pop().expect("the last one");
    last.finish();
    assert_eq!(last.hears(), Said::Fin);
    first.ends_clean(1);
    let report = server.drain();
    assert_eq!((report.accepted, report.refused_connections, report.ended("failed")), (6, 5, 5), "{report}");
}

/// A silent client takes no place either. All clients that send something soon get the reason, however many come.
#[test]
fn silent_clients_keep_nobody_from_hearing_why() {
    let server = full(1, 8);
    let mut first = Raw::greeted(server.address);
    first.asks(1, b"I was here first");
    let silent: Vec<_> = (0..100).map(|_| Raw::connect(server.address)).collect();
    let mut next = Raw::greeted(server.address);
    assert!(matches!(next.hears(), Said::Close { code: 1013, .. }));
    next.finish();
    assert_eq!(next.hears(), Said::Fin);
    let (gone, still): (Vec<_>, Vec<_>) = (silent.into_iter().enumerate()).partition(|(number, _)| *number < 90);
    for (_, mut silent) in gone {
        assert_eq!(silent.rest(), b"", "FIN alone");
    }
    drop(still);
    first.asks(2, b"and still am");
    first.ends_clean(2);
    let report = server.drain();
    assert_eq!((report.accepted, report.refused_connections, report.ended("clean")), (102, 101, 1), "{report}");
}

/// Clauses 1.1, 8.1: a refused client that sends nothing gets FIN at the detect deadline.
#[test]
fn a_silent_client_is_let_go_at_the_detect_deadline() {
    let mut config = server_config(|config| config.max_connections = 1);
    config.connection.deadlines.detect = Duration::from_millis(300);
    let server = Server::start(config);
    let mut first = Raw::greeted(server.address);
    first.asks(1, b"I was here first");
    let mut silent = Raw::connect(server.address);
    assert_eq!(silent.rest(), b"", "FIN alone");
    drop(silent);
    first.ends_clean(1);
    let report = server.drain();
    assert_eq!((report.accepted, report.refused_connections), (2, 1), "{report}");
    let ends = (report.ended("clean"), report.ended("timed out"));
    assert_eq!(ends, (1, 1), "{report}");
}

/// Clause 4.4 at the server; the plain wire splits the message instead (clause 2.1).
#[test]
fn a_message_at_the_limit_passes_and_one_byte_more_does_not() {
    let mut config = ServerConfig::default();
    config.connection.limit = 100_000;
    let server = Server::start(config);
    let mut client = Raw::greeted(server.address);
    client.asks(1, &[b'x'; 100_000]);
    client.send(&raw::echo(2, &[b'x'; 100_001]));
    assert!(matches!(client.hears(), Said::Close { last: 1, code: 1009, .. }));
    client.finish();
    assert_eq!(client.hears(), Said::Fin);

    let mut plain = Raw::connect(server.address);
    plain.send(&[b'x'; 100_001]);
    assert!(plain.bytes(HEADER + 100_000).starts_with(b"["));
    let more = plain.bytes(HEADER + 1);
    assert_eq!((more[0], &more[HEADER..]), (b'[', &b"x"[..]));
    plain.finish();
    assert_eq!(plain.rest(), b"");
    let report = server.drain();
    assert_eq!((report.ended("violation"), report.ended("unproven")), (1, 1), "{report}");
}

/// Clause 4.4: the largest payload that any limit allows, in both directions.
#[test]
fn the_longest_message_there_can_be() {
    let most = echo_net::echo_core::frame::MAX_PAYLOAD;
    let mut config = ServerConfig::default();
    config.connection.limit = most;
    let server = Server::start(config);
    let mut client = Raw::greeted(server.address);
    let mut asking = client.stream.try_clone().expect("a second handle");
    let payload = vec![b'm'; most];
    let request = raw::echo(1, &payload);
    let asker = std::thread::spawn(move || asking.write_all(&request));
    assert!(client.hears() == Said::Reply { seq: 1, payload });
    asker.join().expect("no panic").expect("it was taken");
    client.ends_clean(1);
    assert_eq!(server.drain().bytes, most as u64);
}

/// Clauses 4.4 and 6.4 at the client, for requests and for answers.
#[tokio::test]
async fn a_client_keeps_its_limit_both_ways() {
    let server = Server::start(ServerConfig::default());
    let mut config = ClientConfig::default();
    config.connection.limit = 1000;
    let client = within(Client::connect(server.address, config)).await.expect("a server");
    assert_eq!(within(client.request([b'x'; 1000])).await.map(|answer| answer.payload.len()), Ok(1000));
    assert_eq!(within(client.request([b'x'; 1001])).await, Err(RequestError::TooBig { len: 1001, limit: 1000 }));
    assert_eq!(within(client.request("and on it goes")).await.map(|answer| answer.seq), Ok(2), "nothing was sent");
    assert_eq!(within(client.close()).await.end.name(), "clean");
    assert_eq!(server.drain().ended("clean"), 1);

    let (address, liar) = fake(|mut raw| {
        raw.greets();
        raw.bytes(raw::echo(1, b"short").len());
        raw.send(&raw::reply(1, &[b'x'; 1001]));
        match raw.hears() {
            Said::Close { last: 0, code: 1009, reason, .. } => reason,
            said => panic!("expected CLOSE 1009, got {said:?}"),
        }
    });
    let client = within(Client::connect(address, config)).await.expect("something like a server");
    let error = within(client.request("short")).await;
    let outcome = within(client.ended()).await;
    assert_eq!(error, Err(RequestError::Unknown { outcome: outcome.clone() }), "clause 7.2");
    assert_eq!(outcome.end.name(), "violation", "{outcome}");
    let reason = liar.join().expect("it heard CLOSE");
    assert_eq!(reason, "expected a message of at most 1000 bytes in REPLY, got 1001");
}

/// A framed client that is refused gets the code and the reason. The server's preface comes first, so connecting
/// succeeds and the conversation has ended.
#[tokio::test]
async fn a_refused_library_client_knows_why() {
    let server = full(0, 1);
    for _ in 0..20 {
        let client = within(Client::connect(server.address, ClientConfig::default())).await.expect("a server");
        let why = "failed (1013 try again later: all 0 connections are in use)";
        assert_eq!(within(client.ended()).await.end.to_string(), why);
        assert_eq!(within(client.leaving()).await, None, "it was no GOAWAY");
    }
    let report = server.drain();
    assert_eq!((report.refused_connections, report.ended("failed")), (20, 20), "{report}");
}

/// The same with preface, CLOSE and FIN in one write.
#[tokio::test]
async fn a_refusal_that_comes_with_the_preface_is_no_failure_to_connect() {
    for _ in 0..20 {
        let (address, server) = fake(|mut raw| {
            assert_eq!(raw.bytes(8), raw::hello(), "clause 1.2");
            raw.send(&[&preface(Role::Server, 1)[..], &raw::close_with(0, 1013, "full")].concat());
            raw.finish();
            swallow(raw)
        });
        let client = within(Client::connect(address, ClientConfig::default())).await.expect("a server");
        assert_eq!(within(client.ended()).await.end.to_string(), "failed (1013 try again later: full)");
        assert_eq!(server.join().expect("no panic"), b"", "no CLOSE upon an error: clause 5.6");
    }
}

/// A server without free descriptors serves again when there are some.
#[test]
fn a_server_out_of_descriptors_recovers() {
    let serve = Serve::of(&mut limited("ulimit -n 20", &["serve", "--listen", "127.0.0.1:0"]));
    let crowd: Vec<Raw> = (0..40).map(|_| Raw::connect(serve.address)).collect();
    serve.kid.logs("connections at once instead of 1024: the limit of open files");
    drop(crowd);
    // As soon as the server has seen that the crowd has gone.
    let mut served = None;
    eventually("a place", || {
        let mut client = Raw::greeted(serve.address);
        client.send(&raw::echo(1, b"are you well?"));
        if matches!(client.hears(), Said::Reply { .. }) {
            served = Some(client);
        }
        served.is_some()
    });
    served.expect("it was served").ends_clean(1);
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.contains("1 clean"), "{report}");
}

/// Clause 4.9: the server does not read from a client that does not read. When the client reads, nothing is lost.
#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let server = Server::start(ServerConfig::default());
    let mut client = Raw::greeted(server.address);
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(64 * 1024).expect("an option can be set");
    client.stream.set_nonblocking(true).expect("an option can be set");
    let payload = vec![b'x'; 64 * 1024];
    let (mut unsent, mut asked, mut calm) = (Vec::new(), 0, std::time::Instant::now());
    while calm.elapsed() < Duration::from_millis(500) {
        if unsent.is_empty() {
            asked += 1;
            assert!(asked < 4096, "256 MiB are more than all buffers on the way: the server hoards");
            unsent = raw::echo(asked, &payload);
        }
        match client.stream.write(&unsent) {
            Ok(count) => {
                unsent.drain(..count);
                calm = std::time::Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
    }
    client.stream.set_nonblocking(false).expect("an option can be set");
    let mut rest = client.stream.try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || rest.write_all(&unsent));
    for seq in 1..=asked {
        assert!(client.hears() == Said::Reply { seq, payload: payload.clone() }, "answer {seq}");
    }
    writer.join().expect("no panic").expect("the rest was taken");
    client.ends_clean(asked);
    let report = server.drain();
    assert_eq!((report.ended("clean"), report.messages), (1, asked), "{report}");
}

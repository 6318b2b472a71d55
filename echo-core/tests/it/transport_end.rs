//! An end that the transport itself finds wrong (PROTOCOL.md, clause 5.14).

use crate::rules::{close, goaway, greeted_client, greeted_server, leave, tally};
use echo_core::{CloseCode, Connection, End, Side, Violation};
use sim_tests::in_memory::{CLOSE, REPLY, Solo, raw_echo, raw_reply};

fn unexpected_eof(solo: &mut Solo) {
    solo.wish(Connection::handle_unexpected_eof);
}

fn violation() -> Violation {
    Violation::protocol("a TLS record", "bytes that do not decrypt")
}

fn refused(solo: &mut Solo) {
    solo.wish(|connection, now| connection.handle_refused(now, violation()));
}

/// clause 5.14, clause 5.7: without CLOSE it is a FIN with a name of its own.
#[test]
fn before_the_close_frames() {
    let mut server = greeted_server();
    server.feed(&[raw_echo(1, b"a"), raw_echo(2, b"b")].concat());
    unexpected_eof(&mut server);
    assert_eq!(server.frame_numbers(), [(REPLY, 1), (REPLY, 2), (CLOSE, 2)]);
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end, outcome.began, outcome.account), (End::UnexpectedEof, Side::Peer, tally(0, 0, 2)));
    assert!(server.fin.is_some() && !server.aborted);

    let mut client = greeted_client(2);
    client.feed(&raw_reply(1, b"message"));
    unexpected_eof(&mut client);
    let outcome = client.wait_for_end();
    assert_eq!((outcome.end, outcome.account), (End::UnexpectedEof, tally(1, 0, 1)));
}

/// clause 5.14: the server's CLOSE is no proof for the server, until the client has acknowledged it.
#[test]
fn between_the_close_frames() {
    let mut server = greeted_server();
    server.feed(&[raw_echo(1, b"a"), goaway(1, 1000)].concat());
    unexpected_eof(&mut server);
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end, outcome.account), (End::UnexpectedEof, tally(0, 0, 1)));
}

/// clause 5.14: the CLOSE frames are the proof, and nothing below them takes it back.
#[test]
fn after_the_close_frames() {
    for end in [unexpected_eof, refused] {
        let mut server = greeted_server();
        server.feed(&[raw_echo(1, b"a"), goaway(1, 1000)].concat());
        server.feed(&close(1, 1000));
        end(&mut server);
        let outcome = server.wait_for_end();
        assert_eq!((outcome.end, outcome.account), (End::Clean(CloseCode::NORMAL), tally(1, 0, 0)));

        let mut client = greeted_client(0);
        leave(&mut client);
        client.feed(&close(0, 1000));
        end(&mut client);
        assert_eq!(client.wait_for_end().end, End::Clean(CloseCode::NORMAL));
    }
}

/// clause 5.14: the first verdict stands, such as the peer's error.
#[test]
fn after_an_error() {
    for end in [unexpected_eof, refused] {
        let mut client = greeted_client(0);
        client.feed(&close(0, 1011));
        end(&mut client);
        assert_eq!(client.wait_for_end().end.name(), "failed");
    }
}

/// clause 5.14, clause 2.5: on the plain wire all that was received is answered, the incomplete line, too.
#[test]
fn on_the_plain_wire() {
    let mut server = Solo::server();
    server.feed(b"no newline");
    unexpected_eof(&mut server);
    assert!(server.sent.ends_with(b"] no newline"));
    assert_eq!(server.wait_for_end().end, End::UnexpectedEof);
    assert!(server.fin.is_some() && !server.aborted);

    let mut silent = Solo::server();
    unexpected_eof(&mut silent);
    assert_eq!((silent.sent.len(), silent.wait_for_end().end), (0, End::UnexpectedEof));
}

/// clause 5.14: an end that is over is not judged again.
#[test]
fn after_the_end() {
    for end in [unexpected_eof, refused] {
        let mut server = Solo::server();
        server.feed(b"line\n");
        server.feed_fin();
        assert_eq!(server.wait_for_end().end, End::Unproven);
        end(&mut server);
        assert_eq!(server.connection.outcome().map(|outcome| outcome.end), Some(End::Unproven));
    }
}

/// clause 5.14: bytes that the transport refuses end the conversation with an abort, and are named.
#[test]
fn refused_bytes() {
    let mut server = greeted_server();
    server.feed(&raw_echo(1, b"a"));
    refused(&mut server);
    let outcome = server.wait_for_end();
    assert_eq!(
        (outcome.end, outcome.began, outcome.account),
        (End::Violation(violation()), Side::Peer, tally(0, 0, 1))
    );
    assert!(server.aborted);
}

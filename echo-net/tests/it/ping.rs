//! `echo-net ping`: a line for each message, a summary, and an exit code.

use crate::support::need;
use crate::support::program::{Kid, Serve, socat_mirror};
use crate::support::server::ClosedPort;

#[test]
fn a_line_for_each_message_and_a_summary() {
    let server = Serve::start(&["-q"]);
    let address = server.address.to_string();
    let (code, out, err) = Kid::echo_net(&["ping", &address, "-n", "3", "-i", "10ms", "--size", "10"]).finish();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    for (number, line) in lines[..3].iter().enumerate() {
        assert!(line.starts_with(&format!("seq {}: ", number + 1)), "{line}");
        for part in [" ms (out ", ", server ", ", back ", "), clock "] {
            assert!(line.contains(part), "{part:?} is missing in {line}");
        }
    }
    assert!(lines[3].starts_with(&format!("{address}: 3 sent, 3 answers: min ")), "{out}");
    assert!(lines[3].contains("clean (1000") && lines[3].ends_with("3 answered, 0 refused, 0 unknown"), "{out}");
    assert!(server.drain().1.contains("3 messages, 30 bytes"));
}

/// The usual end of a ping is Ctrl-C, so it is no failure.
#[test]
fn an_interrupt_ends_it_clean() {
    let server = Serve::start(&["-q"]);
    let ping = Kid::echo_net(&["ping", &server.address.to_string(), "-i", "10ms"]);
    ping.says("seq 2: ");
    ping.signal("INT");
    let (code, out, err) = ping.finish();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("sent, ") && out.contains("clean (1000"), "{out}");
}

#[test]
fn a_server_that_leaves_is_named() {
    let server = Serve::start(&["-q"]);
    let ping = Kid::echo_net(&["ping", &server.address.to_string(), "-i", "10ms"]);
    ping.says("seq 1: ");
    assert_eq!(server.drain().0, Some(0));
    let (code, out, err) = ping.finish();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("the server leaves: 1001 going away, the server is shutting down"), "{out}");
}

/// A server that stops answering is told of at the next message, and the deadline ends the wait.
#[test]
fn a_server_that_stands_still_is_noticed() {
    let server = Serve::start(&["-q"]);
    let address = server.address.to_string();
    let ping = Kid::echo_net(&["ping", &address, "-i", "100ms", "--deadline", "answer=1", "--deadline", "drain=1"]);
    ping.says("seq 1: ");
    server.kid.signal("STOP");
    ping.says("no answer yet");
    let (code, out, err) = ping.finish();
    server.kid.signal("CONT");
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("no answer\n") && err.contains("without an answer"), "{out}{err}");
}

#[test]
fn what_is_no_server_is_one_line() {
    let closed = ClosedPort::new();
    let (code, out, err) = Kid::echo_net(&["ping", &closed.address.to_string()]).finish();
    assert_eq!((code, out.as_str(), err.lines().count()), (Some(3), "", 1), "{err}");
    assert!(err.contains("Connection refused"), "{err}");
    let (code, _, err) = Kid::echo_net(&["ping", "--size", "2M"]).finish();
    assert_eq!(code, Some(2), "{err}");
    if need("socat") {
        let (_mirror, address) = socat_mirror();
        let (code, _, err) = Kid::echo_net(&["ping", &address]).finish();
        assert_eq!(code, Some(4), "{err}");
    }
}

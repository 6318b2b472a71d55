//! Standard streams that fail, are non-blocking, are closed, or have no reader.

use crate::signals::catches;
use crate::support::eventually;
use crate::support::program::{ECHO_NET, Kid, Serve, piped};
use crate::support::raw::{Raw, Said, close_with, echo, reply};
use crate::support::server::{ClosedPort, fake};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

const MODES: [&[&str]; 3] = [&[], &["--plain"], &["--json"]];

fn connect(serve: &Serve, options: &[&str]) -> Command {
    let mut command = Command::new(ECHO_NET);
    piped(command.arg("connect").args(options).arg(serve.address.to_string()));
    command
}

#[test]
fn input_that_fails_is_not_input_that_ends() {
    let serve = Serve::start(&[]);
    for options in MODES {
        let directory = std::fs::File::open("/").expect("a directory can be opened");
        let (code, _, err) = Kid::spawn(connect(&serve, options).stdin(directory)).finish();
        assert_eq!(code, Some(1), "{options:?}: {err}");
        assert!(err.contains("failed: cannot read the input: Is a directory"), "{options:?}: {err}");
    }
}

/// Another process has made the shared file description non-blocking.
#[test]
fn an_input_that_does_not_block_is_waited_for_and_left_as_it_is() {
    let serve = Serve::start(&[]);
    for options in MODES {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("an option can be set");
        let kept = theirs.try_clone().expect("a descriptor");
        let kid = Kid::spawn(connect(&serve, options).stdin(OwnedFd::from(theirs)));
        for message in ["first", "second"] {
            ours.write_all(format!("{message}\n").as_bytes()).expect("it is read");
            kid.says(message);
        }
        assert!(socket2::SockRef::from(&kept).nonblocking().expect("an option can be read"), "{options:?}");
        drop(ours);
        let (code, out, err) = kid.finish();
        assert_eq!(code, Some(0), "{options:?}: {out}{err}");
    }
}

#[test]
fn an_output_that_does_not_block_is_waited_for() {
    const LINES: usize = 2000;
    let serve = Serve::start(&[]);
    for options in MODES {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("an option can be set");
        let mut kid = Kid::spawn(connect(&serve, options).stdout(OwnedFd::from(theirs)));
        let reader = std::thread::spawn(move || {
            let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = ours.read(&mut chunk) {
                got.extend_from_slice(&chunk[..count]);
                // The reader is slower than the program.
                std::thread::sleep(Duration::from_micros(100));
            }
            got
        });
        kid.write(format!("{}\n", "z".repeat(1000)).repeat(LINES).as_bytes());
        kid.end_input();
        let (code, _, err) = kid.finish();
        let got = reader.join().expect("no panic");
        assert_eq!(code, Some(0), "{options:?}: {err}");
        assert_eq!(got.iter().filter(|byte| **byte == b'z').count(), LINES * 1000, "{options:?}");
    }
}

#[test]
fn a_closed_output_is_an_error_and_the_null_device_is_none() {
    let serve = Serve::start(&[]);
    for options in MODES {
        for (to, expected) in [(">&-", 3), ("> /dev/null", 0), ("1<> /dev/null", 0)] {
            let script = format!("echo hello | \"$0\" connect \"$@\" {to}");
            let mut command = Command::new("sh");
            command.args(["-c", &script, ECHO_NET]).args(options).arg(serve.address.to_string());
            let (code, _, err) = Kid::spawn(piped(&mut command)).finish();
            assert_eq!(code, Some(expected), "{options:?} {to}: {err}");
            assert_eq!(err.contains("standard output is closed"), expected == 3, "{err}");
        }
    }
}

/// A server whose log and report go to the same stream. Returns both ends of that, too.
fn server_with_one_output(options: &[&str]) -> (Kid, SocketAddr, UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut command = Command::new(ECHO_NET);
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(options).stdin(Stdio::null());
    command.stdout(OwnedFd::from(theirs.try_clone().expect("a descriptor")));
    command.stderr(OwnedFd::from(theirs.try_clone().expect("a descriptor")));
    let kid = Kid::spawn(&mut command);
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") {
        (&ours).read_exact(&mut byte).expect("a line");
        line.extend_from_slice(&byte);
    }
    let line = String::from_utf8(line).expect("text");
    let address = line.trim().strip_prefix("listening on ").expect("its first line").parse().expect("an address");
    (kid, address, ours, theirs)
}

/// The server ends even if nothing reads its log and report.
#[test]
fn a_server_whose_output_nobody_reads_ends() {
    let (mut kid, address, _unread, mut theirs) = server_with_one_output(&["--verbose"]);
    theirs.set_nonblocking(true).expect("an option can be set");
    while theirs.write(&[b'x'; 4096]).is_ok() {}
    theirs.set_nonblocking(false).expect("an option can be set");
    let mut client = Raw::greeted(address);
    client.asks(1, b"hello");
    kid.signal("TERM");
    drop(client);
    // The report cannot be written.
    assert_eq!(kid.wait().code(), Some(1));
}

/// If log and report go to the same stream, the log comes first, and is complete.
#[test]
fn the_report_follows_the_last_line_of_the_log() {
    for _ in 0..10 {
        let (mut kid, address, mut ours, theirs) = server_with_one_output(&[]);
        drop(theirs);
        let mut clients: Vec<Raw> = (0..5).map(|_| Raw::greeted(address)).collect();
        clients.iter_mut().for_each(|client| client.asks(1, b"hello"));
        kid.signal("INT");
        drop(clients);
        assert_eq!(kid.wait().code(), Some(0));
        let mut said = String::new();
        ours.read_to_string(&mut said).expect("text");
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.last().is_some_and(|last| last.starts_with("served 5 connections")), "{said}");
        assert_eq!(lines.iter().filter(|line| line.contains(" ends: ")).count(), 5, "{said}");
    }
}

#[test]
fn an_answer_that_is_not_what_was_sent_is_told() {
    let (address, server) = fake(|mut raw| {
        raw.greets();
        assert_eq!(raw.bytes(echo(1, b"hello").len()).len(), echo(1, b"hello").len());
        raw.send(&reply(1, b"hellO"));
        assert_eq!(raw.hears(), Said::GoAway { last: 1, code: 1000 });
        raw.send(&close_with(1, 1000, ""));
        assert!(matches!(raw.hears(), Said::Close { last: 1, .. }));
        raw.finish();
        assert_eq!(raw.hears(), Said::Fin);
    });
    let (code, out, err) = {
        let mut kid = Kid::echo_net(&["connect", &address.to_string()]);
        kid.offer(b"hello\n");
        kid.finish()
    };
    server.join().expect("no panic");
    assert!(out.ends_with("] hellO\n"), "{out}");
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("ended clean") && err.ends_with("failed: 1 message answered with other bytes than were sent\n"),
        "{err}"
    );
}

/// A full stream: the end for a program to write to, and the end that nothing reads.
fn full() -> (OwnedFd, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("an option can be set");
    while theirs.write(&[b'x'; 4096]).is_ok() {}
    theirs.set_nonblocking(false).expect("an option can be set");
    (theirs.into(), ours)
}

/// Messages on standard error that nothing reads neither delay the end nor change the exit code.
#[test]
fn errors_that_nobody_reads() {
    let serve = Serve::start(&[]);
    let closed = ClosedPort::new();
    for options in MODES {
        for (address, expected) in [(closed.address, 3), (serve.address, 0)] {
            let (err, _unread) = full();
            let mut command = Command::new(ECHO_NET);
            command.arg("connect").args(options).arg(address.to_string());
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(err);
            let mut kid = Kid::spawn(&mut command);
            kid.offer(b"hello\n");
            assert_eq!(kid.wait().code(), Some(expected), "{options:?} {address}");
        }
    }
    let (err, _unread) = full();
    let mut command = Command::new(ECHO_NET);
    command.args(["serve", "--listen", &serve.address.to_string()]).stdin(Stdio::null()).stderr(err);
    assert_eq!(Kid::spawn(&mut command).wait().code(), Some(3));
}

/// A report that cannot be written is an error.
#[test]
fn a_report_that_cannot_be_written_is_told() {
    let mut command = Command::new(ECHO_NET);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped());
    command.stdout(std::fs::File::options().write(true).open("/dev/full").expect("it is there"));
    let mut kid = Kid::spawn(&mut command);
    eventually("a handler", || catches(kid.id(), 15));
    kid.signal("TERM");
    assert_eq!(kid.wait().code(), Some(1));
    assert_eq!(kid.stderr().lines().last(), Some("echo-net: failed: 2 lines of standard output not written"));
}

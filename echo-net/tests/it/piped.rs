//! `echo-net connect` in a pipe: each input line is a message, each answer a line, and diagnostics go to standard
//! error.

use crate::support::need;
use crate::support::person::Person;
use crate::support::program::{ECHO_NET, Kid, Serve, piped, socat_mirror};
use crate::support::raw::Raw;
use crate::support::server::{fake, swallow};
use crate::support::time::HEADER;
use std::process::Command;

#[track_caller]
fn connect(server: &str, options: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut kid = Kid::echo_net(&[&["connect", server], options].concat());
    kid.offer(input);
    kid.finish()
}

#[test]
fn each_line_is_a_message_and_each_answer_a_line() {
    let serve = Serve::start(&[]);
    let (code, out, err) = connect(&serve.address.to_string(), &[], b"one\n\nthree \x1b[1m\nno newline");
    assert_eq!(code, Some(0), "{err}");
    let messages: Vec<&str> = out.lines().map(|line| &line[HEADER..]).collect();
    assert_eq!(messages, ["one", "", "three \x1b[1m", "no newline"]);
    assert!(out.ends_with('\n') && out.lines().all(|line| line.starts_with('[')), "{out:?}");
    let why = "echo-net: the conversation ended clean (1000 normal), begun by us; 4 answered, 0 refused, 0 unknown";
    let lines: Vec<_> = err.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, why), "{err}");
    assert!(lines[1].starts_with("echo-net: 4 answers: min ") && lines[1].contains(", p99 "), "{err}");
}

#[test]
fn answers_come_while_the_input_stays_open() {
    let serve = Serve::start(&[]);
    for options in [&[][..], &["--plain"]] {
        let mut kid = Kid::echo_net(&[&["connect", &serve.address.to_string()], options].concat());
        kid.write(b"first\n");
        kid.says("] first");
        kid.write(b"second\n");
        kid.says("] second");
        kid.end_input();
        assert_eq!(kid.finish().0, Some(0));
    }
}

#[test]
fn ten_thousand_lines_come_back_in_order() {
    let serve = Serve::start(&[]);
    let input: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
    let (code, out, err) = connect(&serve.address.to_string(), &[], input.as_bytes());
    assert_eq!(code, Some(0), "{err}");
    let back: String = out.lines().map(|line| format!("{}\n", &line[HEADER..])).collect();
    assert!(back == input);
    assert!(err.contains("10000 answered, 0 refused, 0 unknown"), "{err}");
}

#[test]
fn a_line_over_the_limit_is_named_and_what_came_before_is_answered() {
    let serve = Serve::start(&[]);
    let server = serve.address.to_string();
    let (code, out, _) = connect(&server, &["--max-message", "5"], b"12345\n12345\n");
    assert_eq!((code, out.lines().count()), (Some(0), 2), "at the limit");
    let (code, out, err) = connect(&server, &["--max-message", "5"], b"12345\n123456\n12345\n");
    assert_eq!((code, out.lines().count()), (Some(1), 1), "one past it: {err}");
    assert!(err.contains("line 2 of the input is longer than 5 bytes (see --max-message)"), "{err}");
}

/// Clause 5.1: the server drains, and the client notices although its input sends nothing.
#[test]
fn a_server_that_drains_ends_it_clean_while_the_input_stays_open() {
    let serve = Serve::start(&[]);
    let mut kid = Kid::echo_net(&["connect", &serve.address.to_string()]);
    kid.write(b"first\n");
    kid.says("] first");
    let (code, _) = serve.drain();
    assert_eq!(code, Some(0));
    assert_eq!(kid.wait().code(), Some(1), "there may have been more to send");
    assert!(kid.stderr().contains("ended clean (1001 going away)"), "{}", kid.stderr());
    assert!(kid.stderr().ends_with("failed: the input had not ended\n"), "{}", kid.stderr());
}

#[test]
fn nobody_reads_the_answers() {
    let serve = Serve::start(&[]);
    let script = "yes | \"$0\" connect \"$1\" | head -n 1";
    let address = serve.address.to_string();
    let (_, out, err) = Kid::spawn(piped(Command::new("sh").args(["-c", script, ECHO_NET, &address]))).finish();
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(err.contains("cannot write the answers") && !err.contains("panicked"), "{err}");
    serve.kid.logs("ends: clean");
}

/// The plain wire proves nothing, but the client counts the bytes.
#[test]
fn plain_and_every_byte_came_back() {
    let serve = Serve::start(&[]);
    let (code, out, err) = connect(&serve.address.to_string(), &["--plain"], b"one\ntwo\0\nno newline");
    assert_eq!(code, Some(0), "{err}");
    let messages: Vec<&str> = out.lines().map(|line| &line[HEADER..]).collect();
    assert_eq!(messages, ["one", "two\0", "no newline"]);
    assert_eq!(err, "echo-net: the conversation ended unproven; every byte sent came back\n");
}

/// Clause 2.1: the limit is for messages, and a plain client has no messages.
#[test]
fn plain_and_longer_than_the_limit() {
    let serve = Serve::start(&[]);
    let server = serve.address.to_string();
    let (code, out, err) = connect(&server, &["--plain", "--max-message", "100"], &[b'x'; 10_000]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.matches('x').count(), 10_000, "no time has an x");
    assert_eq!(err, "echo-net: the conversation ended unproven; every byte sent came back\n");
}

#[test]
fn on_a_terminal_the_servers_bytes_are_escaped_and_in_a_pipe_they_are_not() {
    let serve = Serve::start(&[]);
    let address = serve.address.to_string();
    for options in [&[][..], &["--plain"]] {
        let (code, out, err) = connect(&address, options, b"red \x1b[31m\n");
        assert_eq!(code, Some(0), "{err}");
        assert!(out.ends_with("] red \x1b[31m\n"), "{out:?}");

        let script = r#"printf 'red \033[31m\n' | "$0" connect "$@""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, ECHO_NET]).args(options).arg(&address);
        let (shown, code) = Person::of(command).leaves();
        assert_eq!(code, 0, "{shown:?}");
        assert!(shown.contains("] red \\u{1b}[31m\r\n") && !shown.contains('\x1b'), "{shown:?}");
    }
}

#[test]
fn plain_through_a_mirror_every_byte_comes_back_too() {
    if !need("socat") {
        return;
    }
    let (_socat, address) = socat_mirror();
    let (code, out, err) = connect(&address, &["--plain"], b"hello\n");
    assert_eq!((code, out.as_str()), (Some(0), "hello\n"), "{err}");
}

#[test]
fn as_json_each_answer_is_an_object_and_the_end_the_last() {
    let serve = Serve::start(&[]);
    let (code, out, err) = connect(&serve.address.to_string(), &["--json"], b"one\n\xff\xfe\n");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["seq"], &lines[0]["text"], &lines[0]["hex"]), (&1.into(), &"one".into(), &().into()));
    assert_eq!((&lines[1]["seq"], &lines[1]["text"], &lines[1]["hex"]), (&2.into(), &().into(), &"fffe".into()));
    for name in ["t1", "t2", "t3", "t4", "delay_ns"] {
        assert!(lines[0][name].is_i64(), "{name}: {out}");
    }
    let last = &lines[2];
    assert_eq!(
        (&last["end"], &last["code"], &last["detail"]),
        (&"clean".into(), &1000.into(), &"clean (1000 normal)".into())
    );
    assert_eq!((&last["answered"], &last["refused"], &last["unknown"]), (&2.into(), &0.into(), &0.into()));
    assert_eq!(last["latency"]["count"], 2);
    assert_eq!(lines.len(), 3);
}

/// Text that consists only of what looks like the server's times: the work stays bounded.
#[test]
fn plain_and_nothing_but_times() {
    let serve = Serve::start(&[]);
    let input = "[Mon Nov 23 08:16:00 2026] ".repeat(8000);
    let (code, out, err) = connect(&serve.address.to_string(), &["--plain"], input.as_bytes());
    assert_eq!(code, Some(0), "{err}");
    assert!(out.len() > input.len());
}

/// Runs the program with a server that does `act` with the one message. Returns exit code and standard error.
#[track_caller]
fn plain_against(act: impl FnOnce(Raw) + Send + 'static) -> (Option<i32>, String) {
    let (address, server) = fake(act);
    let (code, _, err) = connect(&address.to_string(), &["--plain"], b"hello\n");
    server.join().expect("no panic");
    (code, err)
}

#[test]
fn plain_against_a_server_that_changes_a_byte() {
    let (code, err) = plain_against(|mut raw| {
        raw.bytes(6);
        raw.send(b"[Mon Nov 23 08:16:00 2026] hellO\n");
        raw.finish();
        swallow(raw);
    });
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "echo-net: the conversation ended unproven; not every byte sent came back\n\
                     echo-net: failed: not every byte sent came back\n"
    );
}

#[test]
fn plain_against_a_server_that_closes_early() {
    let (code, err) = plain_against(|mut raw| {
        raw.bytes(6);
        raw.send(b"[Mon Nov 23 08:16:00 2026] hel");
        raw.finish();
        swallow(raw);
    });
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "echo-net: the conversation ended unproven; not every byte sent came back\n\
                     echo-net: failed: not every byte sent came back\n"
    );
}

#[test]
fn plain_against_a_server_that_resets() {
    let (code, err) = plain_against(|mut raw| {
        raw.bytes(6);
        socket2::SockRef::from(&raw.stream).set_linger(Some(std::time::Duration::ZERO)).expect("an option can be set");
    });
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "echo-net: the conversation ended reset; not every byte sent came back\n\
                     echo-net: failed: the end was not clean: reset; not every byte sent came back\n"
    );
}

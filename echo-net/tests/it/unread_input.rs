//! Exit code 0 only if the input has ended and every message was answered. Unsent lines are counted.

use crate::support::program::{ECHO_NET, Kid, Serve, piped};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

const MODES: [&[&str]; 3] = [&[], &["--plain"], &["--json"]];

#[test]
fn a_server_that_leaves_before_the_input_has_ended() {
    for options in MODES {
        for signal in ["INT", "KILL"] {
            let serve = Serve::start(&[]);
            let address = serve.address.to_string();
            let mut kid = Kid::echo_net(&[&["connect"], options, &[&address]].concat());
            kid.write(b"first\n");
            kid.says("first");
            serve.kid.signal(signal);
            // Its input stays open.
            assert_eq!(kid.wait().code(), Some(1), "{options:?} {signal}");
            let err = kid.stderr();
            assert!(err.contains("the input had not ended"), "{options:?} {signal}: {err}");
            assert!(err.lines().last().is_some_and(|line| line.starts_with("echo-net: failed: ")), "{err}");
        }
    }
}

/// The reader of the answers stalls, so the client stops reading its input; then the server ends.
#[test]
fn what_was_not_sent_is_counted() {
    const LINES: u64 = 300_000;
    const LINE: &str = "0123456789";
    let file = std::env::temp_dir().join(format!("echo-net-input-{}", std::process::id()));
    std::fs::write(&file, format!("{LINE}\n").repeat(LINES as usize)).expect("a file can be written");
    for options in [&[][..], &["--plain"]] {
        let serve = Serve::start(&[]);
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        let mut command = Command::new(ECHO_NET);
        command.arg("connect").args(options).arg(serve.address.to_string()).stderr(Stdio::piped());
        command.stdin(std::fs::File::open(&file).expect("it is there")).stdout(OwnedFd::from(theirs));
        let mut kid = Kid::spawn(&mut command);
        drop(command);
        let mut first = [0; 100];
        ours.read_exact(&mut first).expect("the first answers");
        serve.kid.signal("INT");
        serve.kid.logs(if options.is_empty() { "ends: clean" } else { "ends: " });
        let mut rest = Vec::new();
        ours.read_to_end(&mut rest).expect("all other answers");
        assert_eq!(kid.wait().code(), Some(1));
        let err = kid.stderr();
        let failed = err.lines().last().expect("a line");
        let unit = if options.is_empty() { " lines of the input not sent" } else { " bytes of the input not sent" };
        let count: u64 = failed.split(unit).next().and_then(|text| text.rsplit(' ').next()?.parse().ok()).expect(&err);
        if options.is_empty() {
            let answered = rest.iter().chain(&first).filter(|byte| **byte == b'\n').count() as u64;
            let refused = failed.split(" message").next().and_then(|text| text.rsplit(' ').next()?.parse::<u64>().ok());
            assert!(err.contains(&format!(" {} refused, ", refused.unwrap_or_default())), "{err}");
            let accounted = answered + count + refused.unwrap_or_default();
            assert_eq!(accounted, LINES, "{err}");
        } else {
            assert!(count > LINES && count < LINES * (LINE.len() as u64 + 1), "{err}");
        }
    }
    std::fs::remove_file(&file).expect("it was written");
}

/// A pipe may never end, so only the input that is there is counted.
#[test]
fn what_was_not_sent_of_an_endless_input_is_counted_so_far() {
    let serve = Serve::start(&[]);
    let script = "yes 0123456789 | \"$0\" connect \"$1\" | (read -r line; echo \"$line\"; exec cat >/dev/null)";
    let mut command = Command::new("sh");
    let kid = Kid::spawn(piped(command.args(["-c", script, ECHO_NET, &serve.address.to_string()])));
    kid.says("0123456789");
    serve.kid.signal("INT");
    let failed = kid.logs("failed: ");
    assert!(failed.contains("the input had not ended; at least ") && failed.contains(" lines of the input not sent"));
}

#[test]
fn all_of_it_was_sent_and_answered() {
    let serve = Serve::start(&[]);
    for options in MODES {
        let address = serve.address.to_string();
        let mut kid = Kid::echo_net(&[&["connect"], options, &[&address]].concat());
        kid.offer("some text\n".repeat(3000).as_bytes());
        let (code, out, err) = kid.finish();
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(out.matches("some text").count(), 3000);
        assert!(!err.contains("failed"), "{err}");
    }
}

/// Neither the line that is too long nor what follows it is sent.
#[test]
fn what_follows_a_line_that_is_too_long_is_counted() {
    let serve = Serve::start(&[]);
    let address = serve.address.to_string();
    for (input, count) in [("one\nmuch too long\nb\nc\n", 3), ("one\nmuch too long", 1), ("one\n12345678\nb", 2)] {
        let mut kid = Kid::echo_net(&["connect", "--max-message", "7", &address]);
        kid.offer(input.as_bytes());
        let (code, out, err) = kid.finish();
        assert_eq!((code, out.lines().count()), (Some(1), 1), "{err}");
        let lines = if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
        let failed = "echo-net: failed: line 2 of the input is longer than 7 bytes (see --max-message)";
        assert_eq!(err.lines().last(), Some(&*format!("{failed}; {lines} of the input not sent")));
    }
}

/// If the input stays open, the end does not wait for it.
#[test]
fn a_line_that_is_too_long_ends_an_input_that_stays_open() {
    let serve = Serve::start(&[]);
    let mut kid = Kid::echo_net(&["connect", "--max-message", "7", &serve.address.to_string()]);
    kid.write(b"one\nmuch too long");
    assert_eq!(kid.wait().code(), Some(1));
    assert!(kid.stderr().ends_with("; at least 1 line of the input not sent\n"), "{}", kid.stderr());
}

//! Text that a person types, pastes and edits: none of it is lost without a message.

use crate::support::person::Person;
use crate::support::program::{ECHO_NET, Serve};
use std::process::Command;

#[test]
fn ctrl_d_on_a_line_that_is_not_empty_does_not_end() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.half_types("important text");
    // Ctrl-D does nothing at the end of a line. At its beginning it deletes the next character, as in shells.
    person.types("\x04\x01\x04\r");
    person.sees("] mportant text (");
    person.types("\x04");
    let (shown, code) = person.leaves();
    assert!(shown.contains("1 answered"), "{shown:?}");
    assert_eq!(code, 0);
}

#[test]
fn what_stands_at_the_prompt_at_ctrl_c_is_told() {
    for options in [&[][..], &["--plain"]] {
        let serve = Serve::start(&[]);
        let mut person = Person::at_prompt(serve.address, options);
        person.half_types("half a lin");
        person.types("\x03");
        let (shown, code) = person.leaves();
        assert!(shown.contains("not sent, interrupted: half a lin\r\n"), "{shown:?}");
        assert!(shown.ends_with("failed: 1 line not sent\r\n"), "{shown:?}");
        assert_eq!(code, 1);
    }
}

#[test]
fn what_stands_at_the_prompt_when_the_server_leaves_is_told() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.half_types("half a lin");
    serve.kid.signal("INT");
    let (shown, code) = person.leaves();
    assert!(shown.contains("the server ends the conversation: 1001 going away"), "{shown:?}");
    assert!(shown.contains("not sent, the conversation is over: half a lin\r\n"), "{shown:?}");
    assert!(shown.ends_with("failed: 1 line not sent\r\n"), "{shown:?}");
    assert_eq!(code, 1);
}

/// Each line of a paste is a message, also an empty one, which does not end the conversation.
#[test]
fn several_lines_at_once() {
    for options in [&[][..], &["--plain"]] {
        let serve = Serve::start(&[]);
        let mut person = Person::at_prompt(serve.address, options);
        person.pastes("a one\nb two\n\nb four\n");
        person.types("\r");
        for line in ["] a one", "] b two", "] b four"] {
            person.sees(line);
        }
        person.types("\x04");
        let (shown, code) = person.leaves();
        assert_eq!(code, 0, "{shown:?}");
        let (_, report) = serve.drain();
        assert!(report.contains("4 messages"), "{report}");
    }
}

/// A terminal without bracketed paste sends keys: an empty line ends the conversation, and the rest is reported.
#[test]
fn several_lines_at_once_as_keys() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("a one\rb two\r\rb four\r");
    let (shown, code) = person.leaves();
    assert!(
        shown.contains("not sent, the conversation is ending: b four\r\n") || shown.contains("is over: b four\r\n"),
        "{shown:?}"
    );
    assert!(shown.contains("2 answered"), "{shown:?}");
    assert_eq!(code, 1);
}

#[test]
fn a_long_line_is_sent_at_enter_and_costs_little() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    let line: String = ('a'..='z').cycle().take(2500).collect();
    person.types(&line);
    person.types("\r");
    // The line is shown twice: as typed, and as the answer.
    let shown = person.sees_until("] abcdefghij");
    assert!(shown.len() < 40 * line.len(), "{} bytes for a line of {}", shown.len(), line.len());
    person.types("\r");
    let (shown, code) = person.leaves();
    assert!(shown.contains("1 answered"), "{shown:?}");
    assert_eq!(code, 0);
}

#[test]
fn a_paste_up_to_the_limit_of_a_message() {
    const LIMIT: usize = 256 * 1024;
    let limit = LIMIT.to_string();
    let serve = Serve::start(&["--max-message", &limit]);
    let mut person = Person::at_prompt(serve.address, &["--max-message", &limit]);
    person.pastes(&"x".repeat(LIMIT));
    person.types("\r");
    person.sees("] xxx");
    person.types("\r");
    let (shown, code) = person.leaves();
    assert!(shown.contains("1 answered"));
    assert_eq!(code, 0);
    let (_, report) = serve.drain();
    assert!(report.contains(&format!("1 messages, {LIMIT} bytes")), "{report}");
}

#[test]
fn wide_characters_are_edited_by_words_and_shown() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("grüße an alle hier\x17\x17\r");
    person.sees("] grüße an  (");
    person.types("日本語 👩\u{200d}👩\u{200d}👧 e\u{301}\r");
    person.sees("] 日本語 👩\u{200d}👩\u{200d}👧 e\u{301} (");
    person.types("\r");
    assert_eq!(person.leaves().1, 0);
}

#[test]
fn a_window_of_any_size() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    for (turn, (columns, rows)) in [(0, 0), (1, 1), (2, 1), (3, 100), (0, 24), (200, 0)].into_iter().enumerate() {
        person.types("half ");
        person.resizes(columns, rows);
        person.types(format!("a line {turn}\r"));
        // With this size, the shown text is split into pieces.
        serve.kid.logs("connection 1 from");
    }
    person.resizes(80, 24);
    person.types("the last\r");
    person.sees("] the last (");
    person.types("\r");
    let (shown, code) = person.leaves();
    assert!(shown.contains("7 answered"), "{shown:?}");
    assert_eq!(code, 0);
}

/// Typed lines are in the history the next time, and Ctrl-R finds them.
#[test]
fn the_history_is_kept() {
    let serve = Serve::start(&[]);
    let folder = std::env::temp_dir().join(format!("echo-net-history-{}", std::process::id()));
    let file = folder.join("kept").join("history");
    let start = || {
        let mut command = Command::new(ECHO_NET);
        command.arg("connect").arg(serve.address.to_string()).env("ECHO_NET_HISTORY", &file);
        let mut person = Person::of(command);
        person.sees("> ");
        person
    };
    let mut person = start();
    for line in ["first things", "second things"] {
        person.types(format!("{line}\r"));
        person.sees(&format!("] {line} ("));
    }
    person.types("\x04");
    assert_eq!(person.leaves().1, 0);

    let mut person = start();
    person.types("\x12irst\r");
    person.sees("] first things (");
    person.types("\x1b[A\x1b[A\r");
    person.sees("] second things (");
    person.types("\x04");
    assert_eq!(person.leaves().1, 0);
    std::fs::remove_dir_all(&folder).expect("it was made");
}

/// The client sends an empty message from time to time, and does not show its answer. So it notices a stopped server.
#[test]
fn a_server_that_is_frozen_is_noticed_by_a_ping() {
    for person in [true, false] {
        let serve = Serve::start(&[]);
        let options =
            ["--ping", "0.2", "--deadline", "answer=1", "--deadline", "drain=0.5", "--deadline", "linger=0.5"];
        let address = serve.address.to_string();
        let check = |shown: &str| {
            assert!(shown.contains("timed out (answer)") || shown.contains("reset"), "{shown:?}");
        };
        serve.kid.signal("CONT");
        if person {
            let person = Person::at_prompt(serve.address, &options);
            serve.kid.logs("connection 1 from");
            serve.kid.signal("STOP");
            let (shown, code) = person.leaves();
            check(&shown);
            assert_eq!(code, 1);
        } else {
            let mut kid = crate::support::program::Kid::echo_net(&[&["connect"], &options[..], &[&address]].concat());
            serve.kid.logs("connection 1 from");
            kid.write(b"hello\n");
            kid.says("] hello");
            serve.kid.signal("STOP");
            assert_eq!(kid.wait().code(), Some(1));
            check(&kid.stderr());
            assert_eq!(kid.stdout().lines().count(), 1);
        }
        serve.kid.signal("CONT");
    }
}

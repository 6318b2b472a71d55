//! The prompt in the middle of a key sequence, and on failure: no typed text is lost, and nothing waits for keys.

use crate::support::eventually;
use crate::support::person::Person;
use crate::support::program::{ECHO_NET, Serve, signal};
use crate::support::server::{fake, swallow};
use std::io::Write;
use std::process::Command;

/// Keys after which the editor waits for another: escape, the beginning of a sequence, a search, a quoted key, a
/// chord, a character to search for, a number, half a character.
const BEGINNINGS: &[&[u8]] = &[
    b"\x1b", b"\x1b[", b"\x1b[1;", b"\x1bO", b"\x12", b"\x12ell", b"\x16", b"\x11", b"\x18", b"\x1d", b"\x1b5", b"\xc3",
];

#[test]
fn a_server_that_leaves_in_the_middle_of_a_key() {
    for keys in BEGINNINGS {
        for plain in [false, true] {
            let serve = Serve::start(&[]);
            let mut person = Person::at_prompt(serve.address, if plain { &["--plain"] } else { &[] });
            person.types("hello\r");
            person.sees("] hello");
            person.half_types("half a lin");
            person.types(keys);
            // The keys have reached the editor, as far as the screen shows it.
            if keys.starts_with(b"\x12") {
                person.sees("(reverse-i-search)");
            }
            serve.kid.signal("INT");
            let (shown, code) = person.leaves();
            let character = if *keys == b"\xc3" { "\u{fffd}" } else { "" };
            let line = format!("not sent, the conversation is over: half a lin{character}\r\n");
            assert_eq!(shown.matches(&line).count(), 1, "{keys:?}: {shown:?}");
            assert_eq!(shown.contains("the server ends the conversation: 1001"), !plain, "{keys:?}: {shown:?}");
            assert!(shown.contains("1 line not sent"), "{keys:?}: {shown:?}");
            assert_eq!(code, 1);
        }
    }
}

/// The text of an unfinished paste is also reported.
#[test]
fn a_server_that_leaves_in_the_middle_of_a_paste() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.half_types("half");
    person.types("\x1b[200~ a paste\nand more");
    serve.kid.signal("INT");
    let (shown, code) = person.leaves();
    for line in ["half a paste", "and more"] {
        assert!(shown.contains(&format!("not sent, the conversation is over: {line}\r\n")), "{shown:?}");
    }
    assert!(shown.ends_with("failed: 2 lines not sent\r\n"), "{shown:?}");
    assert_eq!(code, 1);
}

/// A signal does not wait for the next key either.
#[test]
fn a_signal_in_the_middle_of_a_key() {
    let serve = Serve::start(&[]);
    for keys in BEGINNINGS {
        let mut person = Person::at_prompt(serve.address, &[]);
        person.half_types("half");
        person.types(keys);
        signal(person.id(), "TERM");
        let (shown, code) = person.leaves();
        assert!(shown.contains("not sent, the conversation is over: half"), "{keys:?}: {shown:?}");
        assert_eq!(code, 143, "{shown:?}");
    }
}

/// Bytes that are not UTF-8 are shown and sent as the replacement character.
#[test]
fn bytes_that_are_no_text() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    for (typed, sent) in
        [(&b"a\xffb\r"[..], "a\u{fffd}b"), (b"\x80\xc3\r", "\u{fffd}\u{fffd}"), (b"gr\xc3\xbcn\r", "grün")]
    {
        person.types(typed);
        person.sees(&format!("] {sent} ("));
    }
    person.types("\r");
    let (shown, code) = person.leaves();
    assert!(shown.contains("3 answered"), "{shown:?}");
    assert_eq!(code, 0);
}

/// Ctrl-\ interrupts like Ctrl-C.
#[test]
fn the_other_key_that_interrupts() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.half_types("half");
    person.types("\x1c");
    let (shown, code) = person.leaves();
    assert!(shown.contains("not sent, interrupted: half\r\n"), "{shown:?}");
    assert_eq!(code, 1);
}

/// A line of the history replaced the typed text: both are reported.
#[test]
fn what_a_line_of_the_history_replaced() {
    // Up, Ctrl-P, and a search whose result is edited.
    for keys in ["\x1b[A", "\x10", "\x12hel\x05"] {
        let serve = Serve::start(&[]);
        let mut person = Person::at_prompt(serve.address, &[]);
        person.types("hello\r");
        person.sees("] hello");
        person.half_types("typed");
        person.types(format!("{keys}!"));
        person.sees("!");
        serve.kid.signal("INT");
        let (shown, code) = person.leaves();
        for line in ["typed", "hello!"] {
            assert!(shown.contains(&format!("not sent, the conversation is over: {line}\r\n")), "{keys:?}: {shown:?}");
        }
        assert_eq!(code, 1);
    }
}

/// A line that came back to the prompt is reported as one line.
#[test]
fn what_came_back_from_the_history() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("hello\r");
    person.sees("] hello");
    person.half_types("typed");
    person.types("\x1b[A\x1b[B!");
    person.sees("!");
    serve.kid.signal("INT");
    let (shown, _) = person.leaves();
    assert!(shown.ends_with("failed: 1 line not sent\r\n"), "{shown:?}");
    assert!(shown.contains("over: typed!\r\n"), "{shown:?}");
}

/// More lines than a terminal has rows.
#[test]
fn a_paste_of_very_many_lines() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &["--silent"]);
    let lines: String = (0..3000).map(|line| format!("{line}\n")).collect();
    person.pastes(&lines);
    person.types("\r");
    person.sees("] 2999 (");
    person.types("\x04");
    let (_, code) = person.leaves();
    assert_eq!(code, 0);
    let (_, report) = serve.drain();
    assert!(report.contains("3000 messages"), "{report}");
}

/// The terminal is closed while SIGHUP is ignored, as with `nohup`: the program ends and reports the line.
#[test]
fn a_terminal_that_is_gone() {
    let serve = Serve::start(&[]);
    let err = std::env::temp_dir().join(format!("echo-net-gone-{}", std::process::id()));
    let script = "trap '' HUP; exec 3<&0; \"$0\" connect \"$1\" <&3 2> \"$2\" & wait";
    let mut command = Command::new("bash");
    command.args(["-c", script, ECHO_NET, &serve.address.to_string()]).arg(&err);
    let mut person = Person::of(command);
    person.sees("> ");
    person.half_types("half a lin");
    drop(person);
    serve.kid.logs("ends: clean");
    let mut said = String::new();
    eventually("the last line", || {
        said = std::fs::read_to_string(&err).unwrap_or_default();
        said.contains("failed: ")
    });
    std::fs::remove_file(&err).expect("it was made");
    assert!(said.contains("failed: the terminal was closed; ") && said.ends_with("1 line not sent\n"), "{said}");
}

/// The terminal's buffer is full, and nothing reads from it.
#[test]
fn a_terminal_that_takes_nothing() {
    for signals in [&["TERM"][..], &["TERM", "TERM"], &[]] {
        let (address, server) = fake(|mut raw| {
            // The client may go before it has taken all of it.
            let _ = raw.stream.write_all(&b"a line that nobody reads\n".repeat(40_000));
            swallow(raw)
        });
        let mut person = Person::at_prompt(address, &["--plain"]);
        person.types("half");
        for name in signals {
            signal(person.id(), name);
        }
        if signals.is_empty() {
            person.types("\x03\x03");
        }
        assert_eq!(person.ends(), if signals.is_empty() { 1 } else { 143 });
        assert!(server.join().is_ok());
    }
}

/// A history path that is not a regular file is ignored.
#[test]
fn a_history_that_is_no_file() {
    let serve = Serve::start(&[]);
    let fifo = std::env::temp_dir().join(format!("echo-net-fifo-{}", std::process::id()));
    assert!(Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success()));
    for history in [fifo.as_path(), "/dev/full".as_ref(), "/".as_ref()] {
        let mut command = Command::new(ECHO_NET);
        command.arg("connect").arg(serve.address.to_string()).env("ECHO_NET_HISTORY", history);
        let mut person = Person::of(command);
        person.sees("> ");
        person.types("hello\r");
        person.sees("] hello");
        person.types("\x04");
        assert_eq!(person.leaves().1, 0);
    }
    std::fs::remove_file(&fifo).expect("it was made");
}

/// Complete lines are shown at once, however they are split. Text without a newline is shown after a short time.
#[test]
fn plain_text_that_comes_in_pieces() {
    let pieces =
        [&b"gr\xc3"[..], b"\xbcn", b"e Wie", b"sen\nund ", b"\xe6\x97", b"\xa5\xe6\x9c\xac\n", b"kein Ende \xf0"];
    for prompt in [true, false] {
        let (address, server) = fake(move |mut raw| {
            raw.bytes(2);
            for piece in pieces {
                raw.send(piece);
                // The next piece then is mostly a read of its own. The checks hold for any pieces.
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            raw.finish();
            raw.rest()
        });
        let mut person = if prompt {
            Person::at_prompt(address, &["--plain"])
        } else {
            let mut command = Command::new("bash");
            let script = "printf 'x\\n' | \"$0\" connect --plain \"$1\"";
            command.args(["-c", script, ECHO_NET, &address.to_string()]);
            Person::of(command)
        };
        if prompt {
            person.types("x\r");
        }
        let (shown, _) = person.leaves();
        for text in ["ü", "sen", "日本", "kein Ende", "\\xf0"] {
            assert!(shown.contains(text), "{text}: {shown:?}");
        }
        assert!(!shown.contains("\\xc3") && !shown.contains("\\xe6"), "{shown:?}");
        server.join().expect("no panic");
    }
}

/// In a shell with job control: stopped by Ctrl-Z, and by a signal that the terminal does not see.
#[test]
fn stopped_and_continued() {
    let serve = Serve::start(&[]);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "-i"]).env("PS1", "shell$ ");
    let mut person = Person::of(shell);
    person.sees("shell$ ");
    person.types(format!("{ECHO_NET} connect {}\r", serve.address));
    person.sees("ends the conversation");
    person.sees("> ");
    person.half_types("half");
    for stop in ["\x1a", ""] {
        if stop.is_empty() {
            signal(person.child(), "TSTP");
        } else {
            person.types(stop);
        }
        person.sees("Stopped");
        person.sees("shell$ ");
        person.types("stty -a | grep -o ' icanon'\r");
        person.sees(" icanon\r\n");
        person.types("fg\r");
        // The editor gets the keys again: Ctrl-A goes to the beginning of the line.
        person.sees("half");
        person.types("\x01Z");
        person.sees("> Z");
    }
    person.types("\r");
    person.sees("] ZZhalf (");
    person.types("\x04");
    person.sees("shell$ ");
    person.types("exit\r");
    assert_eq!(person.leaves().1, 0);
}

/// The last keys and the end of the server can come in any order.
#[test]
fn a_server_that_leaves_as_something_is_typed() {
    for round in 0..30 {
        let serve = Serve::start(&[]);
        let mut person = Person::at_prompt(serve.address, &[]);
        person.types(format!("typed {round}"));
        serve.kid.signal("INT");
        let (shown, code) = person.leaves();
        assert!(shown.contains(&format!("not sent, the conversation is over: typed {round}\r\n")), "{shown:?}");
        assert_eq!(code, 1);
    }
}

/// The signal comes inside the sequence that ends a paste, or inside another one.
#[test]
fn a_server_that_leaves_in_the_middle_of_what_ends_a_paste() {
    let serve = Serve::start(&[]);
    for rest in ["\x1b", "\x1b[20", "\x1b[201", "\x1b[0"] {
        let mut person = Person::at_prompt(serve.address, &[]);
        person.types(format!("\x1b[200~pasted{rest}"));
        signal(person.id(), "TERM");
        let (shown, code) = person.leaves();
        assert!(shown.contains("not sent, the conversation is over: pasted"), "{rest:?}: {shown:?}");
        assert!(shown.ends_with("failed: stopped by SIGTERM; 1 line not sent\r\n"), "{rest:?}: {shown:?}");
        assert_eq!(code, 143);
    }
}

/// All waiting answers are shown before the program ends.
#[test]
fn answers_that_wait_at_the_end() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    let lines: String = (0..5000).map(|line| format!("{line}\n")).collect();
    person.pastes(&lines);
    person.types("\r\x04");
    let (shown, code) = person.leaves();
    assert_eq!((shown.matches("] ").count(), code), (5000, 0));
}

/// After a line of the history was sent, the typed text is at the prompt again.
#[test]
fn a_line_of_the_history_goes_before_what_was_typed() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("hello\r");
    person.sees("] hello");
    for (keys, found) in [("\x1b[A", "] hello"), ("\x12hel", "] hello")] {
        person.half_types("draft");
        person.types(keys);
        person.types("\r");
        person.sees(found);
        person.types("\r");
        person.sees("] draft");
    }
    person.types("\x04");
    let (shown, code) = person.leaves();
    assert!(shown.contains("5 answered"), "{shown:?}");
    assert_eq!(code, 0);
}

/// Whether every thread of the process is stopped. A running thread would still answer.
fn stands_still(process: u32) -> bool {
    let process = procfs::process::Process::new(process.try_into().expect("an id")).expect("it is there");
    let mut tasks = process.tasks().expect("the kernel lists threads").flatten();
    tasks.all(|task| task.stat().is_ok_and(|stat| stat.state == 'T'))
}

/// Ctrl-C and a signal together count as two, in any order. The server is frozen.
#[test]
fn a_key_and_a_signal_abort() {
    for options in [&[][..], &["--plain"]] {
        for key_first in [true, false] {
            let serve = Serve::start(&[]);
            let mut person = Person::at_prompt(serve.address, options);
            serve.kid.logs("connection 1 from");
            serve.kid.signal("STOP");
            eventually("a server that stands still", || stands_still(serve.kid.id()));
            let patience = std::time::Instant::now();
            if key_first {
                person.half_types("half");
                person.types("\x03");
                person.sees("not sent, interrupted: half");
                signal(person.id(), "TERM");
            } else {
                signal(person.id(), "TERM");
                person.types("\x03");
            }
            let (shown, code) = person.leaves();
            assert_eq!(code, 143, "{options:?} {key_first}: {shown:?}");
            assert!(patience.elapsed() < std::time::Duration::from_secs(4), "the drain deadline has not come");
            serve.kid.signal("CONT");
        }
    }
}

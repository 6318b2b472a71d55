//! A person at the prompt.

use crate::support::person::Person;
use crate::support::program::Serve;
use crate::support::raw::{Raw, Said};
use crate::support::server::fake;
use crate::support::{PATIENCE, bounded};
use std::sync::mpsc;

/// Options without deadlines, so that only Ctrl-C ends.
const PATIENT: [&str; 8] = [
    "--deadline",
    "drain=never",
    "--deadline",
    "linger=never",
    "--deadline",
    "idle=never",
    "--deadline",
    "shutdown=never",
];

#[test]
fn answers_are_shown_above_the_prompt_and_an_empty_line_ends() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("hello\r");
    person.sees("] hello (");
    person.sees("> ");
    person.types("\r");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended clean (1000 normal)") && shown.contains("1 answered"), "{shown:?}");
    assert_eq!(code, 0);
    serve.kid.logs("connection 1 from").contains("begins");
    serve.kid.logs("ends: clean (1000 normal)");
}

#[test]
fn ctrl_d_ends() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("\x04");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended clean (1000 normal)"), "{shown:?}");
    assert_eq!(code, 0);
}

#[test]
fn ctrl_c_ends_politely_too() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("\x03");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended clean (1000 normal)"), "{shown:?}");
    assert_eq!(code, 0);
}

#[test]
fn a_server_that_is_killed_ends_the_prompt_without_a_key() {
    let mut serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("hello\r");
    person.sees("] hello (");
    person.half_types("half a line, with no en");
    serve.kid.kill();
    let (shown, code) = person.leaves();
    assert!(shown.contains("the conversation ended truncated"), "{shown:?}");
    assert!(shown.contains("not sent, the conversation is over: half a line, with no en\r\n"), "{shown:?}");
    assert_eq!(code, 1);
}

#[test]
fn on_the_plain_wire_what_comes_is_shown_and_a_server_that_goes_ends_it() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &["--plain"]);
    person.types("hello\r");
    person.sees("] hello");
    person.half_types("half a lin");
    serve.kid.signal("INT");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended unproven; every byte sent came back"), "{shown:?}");
    assert!(shown.contains("not sent, the conversation is over: half a lin\r\n"), "{shown:?}");
    assert!(shown.ends_with("failed: 1 line not sent\r\n"), "{shown:?}");
    assert_eq!(code, 1);
}

/// Presses `key` at a server that only does `hears`, then Ctrl-C. Returns what was shown, and the server's connection.
#[track_caller]
fn ends_at_a_server_that_ignores_it(options: &[&str], key: &str, hears: fn(&mut Raw)) -> (String, Raw) {
    let (heard, hearing) = mpsc::channel();
    let (address, server) = fake(move |mut raw| {
        hears(&mut raw);
        heard.send(()).expect("the test waits for it");
        raw
    });
    let mut person = Person::at_prompt(address, &[&PATIENT, options].concat());
    person.types(key);
    hearing.recv_timeout(PATIENCE).expect("the server hears of the end");
    // Joined, not dropped: the connection stays open.
    let raw = bounded("the server's connection", move || server.join().expect("no panic"));
    person.types("\x03");
    let (shown, code) = person.leaves();
    assert_eq!(code, 1, "{shown:?}");
    (shown, raw)
}

#[test]
fn on_the_plain_wire_a_second_ctrl_c_lets_go_of_a_server_that_ignores_fin() {
    for key in ["\x04", "\x03", "\r"] {
        let hears = |raw: &mut Raw| assert_eq!(raw.rest(), b"");
        let (shown, _raw) = ends_at_a_server_that_ignores_it(&["--plain"], key, hears);
        assert!(shown.contains("closed the connection without waiting for the server"), "{shown:?}");
    }
}

/// Clause 9.3: abort.
#[test]
fn a_second_ctrl_c_aborts_at_a_server_that_ignores_goaway() {
    for key in ["\x04", "\x03", "\r"] {
        let hears = |raw: &mut Raw| {
            raw.greets();
            assert_eq!(raw.hears(), Said::GoAway { last: 0, code: 1000 });
        };
        let (shown, mut raw) = ends_at_a_server_that_ignores_it(&[], key, hears);
        assert!(shown.contains("the conversation ended reset, begun by us"), "{shown:?}");
        assert_eq!(raw.hears(), Said::Reset);
    }
}

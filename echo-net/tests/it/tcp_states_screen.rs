//! `echo-net tcp-states` at a terminal: a live picture, keys, signals, sizes.

use crate::support::person::Person;
use crate::support::program::{ECHO_NET, signal};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use vt100::Parser;

/// What a terminal writes when the program leaves the picture.
const LEFT: &str = "\x1b[?1049l";

fn person(arguments: &[&str]) -> (Person, Parser) {
    let mut command = Command::new(ECHO_NET);
    command.arg("tcp-states").args(arguments).env("NO_COLOR", "1");
    let mut person = Person::of(command);
    person.resizes(100, 30);
    (person, Parser::new(30, 100, 0))
}

#[test]
fn an_experiment_goes_on_by_a_key_or_by_itself() {
    let (mut person, mut screen) = person(&["--how", "drop", "--peer", "ignores", "--step"]);
    person.shows(&mut screen, "Both directions are open");
    assert!(screen.screen().contents().contains("PAUSED"), "{}", screen.screen().contents());
    person.types("\r");
    person.shows(&mut screen, "▶ the client closes its socket");
    let picture = screen.screen().contents();
    assert!(picture.contains("FIN-WAIT-2") && picture.contains("CLOSE-WAIT"), "{picture}");
    // The kernel's timer is live: from 60 s it goes down.
    person.shows(&mut screen, "timer: time-wait 5");
    // The next step comes by itself.
    person.types("p");
    person.shows(&mut screen, "▶ the server, which has noticed nothing, sends a message");
    person.types("\r");
    person.shows(&mut screen, "OVER");
    person.types("d");
    person.shows(&mut screen, "RST, sent or received, in any state cs");
    person.types("q");
    let (shown, code) = person.leaves();
    assert_eq!(code, 0);
    assert!(shown.contains(LEFT), "{shown:?}");
}

#[test]
fn a_watch_has_keys_and_survives_every_size() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = TcpStream::connect(address).expect("it listens");
    let (_server, _) = listener.accept().expect("a connection");
    client.shutdown(Shutdown::Write).expect("a FIN");
    let port = format!(":{}", address.port());
    let (mut person, mut screen) = person(&["--watch", &port, "--stuck-after", "1", "--interval", "0.1"]);
    person.shows(&mut screen, "2 stuck");
    person.types("/close\r");
    person.shows(&mut screen, "filter: close");
    assert!(!screen.screen().contents().contains("FIN-WAIT-2  "), "{}", screen.screen().contents());
    for (columns, rows) in [(1, 1), (39, 9), (40, 10), (200, 60)] {
        person.resizes(columns, rows);
    }
    person.resizes(30, 5);
    screen.screen_mut().set_size(5, 30);
    person.shows(&mut screen, "too small: 30x5");
    person.resizes(100, 30);
    screen.screen_mut().set_size(30, 100);
    person.shows(&mut screen, "did not close");
    // A shell has written over the picture while the program was stopped.
    signal(person.id(), "STOP");
    screen.process(b"\x1b[2J\x1b[?1049l");
    signal(person.id(), "CONT");
    person.shows(&mut screen, "did not close");
    // Nobody could continue it here, so it goes on.
    screen.process(b"\x1b[2J");
    person.types("\x1a");
    person.shows(&mut screen, "did not close");
    person.types("q");
    assert_eq!(person.leaves().1, 0);
}

#[test]
fn signals_restore_the_terminal() {
    for (arguments, code) in [(&["--watch"][..], 143), (&["--peer", "slow"], 143), (&["--watch"], 130)] {
        let (mut person, mut screen) = person(arguments);
        person.shows(&mut screen, "q quit");
        match code {
            130 => person.types("\x03"),
            _ => signal(person.id(), "TERM"),
        }
        let (shown, exit) = person.leaves();
        assert_eq!(exit, code, "{arguments:?}");
        assert!(shown.contains(LEFT), "{shown:?}");
    }
}

#[test]
fn lines_at_a_terminal() {
    let (mut person, _) = person(&["--lines", "--explain"]);
    person.sees("ESTABLISHED");
    let (shown, code) = person.leaves();
    assert_eq!(code, 0);
    assert!(shown.contains("TIME-WAIT") && !shown.contains(LEFT), "{shown}");
}

/// A process that ends, and its watch at a terminal.
#[test]
fn a_watched_process_that_ends() {
    let mut sleep = Command::new("sleep").arg("600").spawn().expect("sleep");
    let (mut person, mut screen) = person(&["--watch", &format!("pid:{}", sleep.id()), "--interval", "0.1"]);
    person.shows(&mut screen, "nothing to show");
    sleep.kill().and_then(|()| sleep.wait()).expect("it is a child");
    let (shown, code) = person.leaves();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(&format!("process {} has ended", sleep.id())), "{shown:?}");
}

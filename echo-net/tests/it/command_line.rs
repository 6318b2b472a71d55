//! Wrong command lines, and addresses on which the server cannot listen.

use crate::support::program::{Kid, Serve};
use crate::support::raw::Raw;
use crate::support::time::HEADER;

#[track_caller]
fn fails(arguments: &[&str], exit: i32, needles: &[&str]) {
    let (code, out, err) = Kid::echo_net(arguments).finish();
    assert_eq!((code, out.as_str()), (Some(exit), ""), "{arguments:?}: {err}");
    for needle in needles {
        assert!(err.contains(needle), "{arguments:?}: {needle:?} is not in {err:?}");
    }
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn a_port_in_use_is_named() {
    let first = Serve::start(&[]);
    let address = first.address.to_string();
    fails(&["serve", "--listen", &address], 3, &[&format!("cannot listen on {address}: Address already in use")]);
    fails(&["serve", "--listen", "nonsense"], 3, &["cannot listen on nonsense:2012: "]);
}

#[test]
fn a_wrong_option_is_told_what_was_expected() {
    fails(&["serve", "--max-message", "0"], 2, &["--max-message", "expected a number of bytes from 1 to 16777191"]);
    fails(&["serve", "--max-message", "16777192"], 2, &["expected a number of bytes from 1 to 16777191"]);
    fails(&["serve", "--max-message", "many"], 2, &["expected a number of bytes from 1 to 16777191"]);
    fails(&["serve", "--deadline", "idle"], 2, &["expected NAME=TIME, such as idle=60 or close=500ms"]);
    fails(
        &["serve", "--deadline", "lunch=60"],
        2,
        &["lunch is not a deadline: expected one of connect, detect, answer, idle, write, drain"],
    );
    fails(&["serve", "--deadline", "idle=soon"], 2, &["soon is not a time"]);
    fails(&["serve", "--deadline", "idle=-1"], 2, &["-1: "]);
    fails(&["serve", "--deadline", "idle=NaN"], 2, &["NaN is not a time"]);
    fails(&["serve", "--first-fin", "nobody"], 2, &["nobody", "client, server"]);
    fails(&["serve", "--quiet", "20 parsecs"], 2, &["20 parsecs", "--quiet"]);
    fails(&["connect", "one", "two"], 2, &["two"]);
    fails(&["connect", "--plane"], 2, &["--plane", "--plain"]);
    fails(&["dance"], 2, &["dance"]);
    fails(&[], 2, &["serve", "connect"]);
}

#[test]
fn the_version_names_the_protocol() {
    let (code, out, _) = Kid::echo_net(&["--version"]).finish();
    assert_eq!((code, out), (Some(0), format!("echo-net {} (protocol echo/1)\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn units_stand_behind_numbers() {
    let serve =
        Serve::start(&["--quiet", "5ms", "--max-message", "1k", "--deadline", "idle=1500ms", "--deadline", "fin=1m"]);
    let mut plain = Raw::connect(serve.address);
    plain.send(&[b'x'; 1025]);
    let answered = plain.bytes(2 * HEADER + 1025);
    assert_eq!(answered[HEADER + 1024], b'[', "in pieces of a kibibyte");
    serve.kid.logs("connection 1 from");
}

#[test]
fn the_exit_codes_are_documented() {
    let (code, out, _) = Kid::echo_net(&["--help"]).finish();
    assert_eq!(code, Some(0));
    for line in [
        "Exit codes:",
        "  0  ",
        "  1  ",
        "  2  ",
        "  3  ",
        "  4  ",
        "  129, 130, 143",
        "Signals:",
        "  SIGINT, SIGTERM, SIGHUP",
    ] {
        assert!(out.lines().any(|shown| shown.starts_with(line)), "{line:?} is not in {out}");
    }
}

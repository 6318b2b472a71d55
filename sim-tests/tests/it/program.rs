//! `echo-sim`, as somebody who types it sees it.

use sim_tests::catalogue;
use std::process::{Command, Output};

fn echo_sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_echo-sim")).args(arguments).output().expect("echo-sim starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn it_checks_the_whole_catalogue() {
    let output = echo_sim(&["check", "--backend", "pair"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let rows = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(rows, catalogue::all().len());
    assert!(text.contains(&format!("{rows} sequences on 1 backends: the contract holds")));
}

#[test]
fn the_line_that_shows_how_to_replay_works() {
    let text = stdout(&echo_sim(&["check", "--backend", "pair"]));
    let line = text.lines().find_map(|line| line.split_once("echo-sim replay ")).expect("a line on how to replay");
    let replay = echo_sim(&["replay", line.1]);
    assert_eq!(replay.status.code(), Some(0));
    assert!(stdout(&replay).contains("server: clean"), "{}", stdout(&replay));
}

#[test]
fn every_id_of_the_list_replays_on_either_backend() {
    let text = stdout(&echo_sim(&["list"]));
    let ids: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(ids, catalogue::all().iter().map(|sequence| sequence.id.as_str()).collect::<Vec<_>>());
    for backend in ["pair", "turmoil"] {
        let output = echo_sim(&["replay", ids[0], "--backend", backend]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[test]
fn an_unknown_id_is_named_with_its_neighbours() {
    let output = echo_sim(&["replay", "framed/client:close@idle/server:none/claer"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    assert!(text.starts_with("echo-sim: no network \"claer\""), "{text}");
    assert!(text.contains("  framed/client:close@idle/server:none/clear\n"), "{text}");
}

#[test]
fn what_a_wire_cannot_say_is_refused() {
    let output = echo_sim(&["replay", "plain/client:close@draining/server:none/clear"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the plain wire has no point draining"), "{}", stderr(&output));
}

/// The peer of two correct ends is taken away in a way that only the contract's words can name.
#[test]
fn a_replay_names_the_outcome_of_each_end() {
    let output = echo_sim(&["replay", "framed/client:close@idle/server:none/ack-held", "--no-times"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("client: clean (1000 normal)"), "{text}");
    assert!(text.contains("server: timed out (close)"), "{text}");
}

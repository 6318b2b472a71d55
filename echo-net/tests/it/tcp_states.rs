//! `echo-net tcp-states`: the states that two ends have while they close, as the kernel shows them.

use crate::support::program::ECHO_NET;
use serde_json::Value;
use std::process::{Command, Output};

/// Runs an experiment.
fn run(arguments: &[&str]) -> Output {
    Command::new(ECHO_NET).arg("tcp-states").args(arguments).output().expect("the program starts")
}

/// Runs an experiment, and returns the moments of its JSON.
#[track_caller]
fn moments(arguments: &[&str]) -> Vec<Value> {
    let output = run(&[arguments, &["--json"]].concat());
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&document["schema"], &document["version"]), (&"echo-net/tcp-states".into(), &1.into()));
    document["moments"].as_array().expect("moments").clone()
}

/// Returns the states of client and server at each moment.
fn states(moments: &[Value]) -> Vec<[String; 2]> {
    let name = |end: &Value| end["state"].as_str().expect("a state").to_owned();
    moments.iter().map(|moment| [name(&moment["client"]), name(&moment["server"])]).collect()
}

#[track_caller]
fn assert_states(arguments: &[&str], expected: &[[&str; 2]]) -> Vec<Value> {
    let moments = moments(arguments);
    assert_eq!(states(&moments), expected, "{arguments:?}");
    moments
}

#[test]
fn the_three_tables_of_the_article() {
    // Established; the server ends first, and the client ignores it.
    let moments = assert_states(
        &["--first", "server", "--peer", "ignores"],
        &[["ESTABLISHED", "ESTABLISHED"], ["CLOSE-WAIT", "FIN-WAIT-2"], ["CLOSE-WAIT", "FIN-WAIT-2"]],
    );
    let last = &moments[2];
    assert_eq!(last["client"]["recv_queue"], 1, "the FIN is not read");
    assert_eq!(last["server"]["timer"], Value::Null, "nothing ends this");
    for end in ["client", "server"] {
        assert_eq!(last[end]["owners"][0]["program"], "echo-net", "{end}");
    }
    // The client ends first.
    let moments = assert_states(
        &["--first", "client"],
        &[["ESTABLISHED", "ESTABLISHED"], ["FIN-WAIT-2", "CLOSE-WAIT"], ["TIME-WAIT", "CLOSED"]],
    );
    let last = &moments[2];
    assert_eq!((&last["client"]["timer"], &last["client"]["owners"]), (&"time-wait".into(), &Value::Array(Vec::new())));
    assert!(last["client"]["timer_ms"].as_u64().is_some_and(|left| (50_000..=61_000).contains(&left)), "{last}");
    assert_eq!(last["server"]["passed"], Value::from(vec!["LAST-ACK"]));
}

#[test]
fn an_orphan_gives_up_after_a_minute_and_answers_with_rst_before() {
    let moments = assert_states(
        &["--first", "server", "--how", "drop", "--peer", "ignores"],
        &[["ESTABLISHED", "ESTABLISHED"], ["CLOSE-WAIT", "FIN-WAIT-2"], ["CLOSED", "CLOSED"]],
    );
    assert_eq!(moments[1]["server"]["owners"], Value::Array(Vec::new()));
    assert_eq!(moments[1]["server"]["timer"], "time-wait");
}

#[test]
fn fin_wait_1_is_a_fin_behind_data() {
    let moments = assert_states(
        &["--peer", "slow"],
        &[
            ["ESTABLISHED", "ESTABLISHED"],
            ["ESTABLISHED", "ESTABLISHED"],
            ["FIN-WAIT-1", "ESTABLISHED"],
            ["FIN-WAIT-2", "CLOSE-WAIT"],
            ["TIME-WAIT", "CLOSED"],
        ],
    );
    assert!(moments[2]["client"]["send_queue"].as_u64() > Some(10_000), "{}", moments[2]);
}

#[test]
fn closing_is_two_fins_that_cross() {
    assert_states(
        &["--first", "both", "--peer", "slow"],
        &[
            ["ESTABLISHED", "ESTABLISHED"],
            ["ESTABLISHED", "ESTABLISHED"],
            ["FIN-WAIT-1", "FIN-WAIT-1"],
            ["CLOSING", "FIN-WAIT-2"],
            ["TIME-WAIT", "TIME-WAIT"],
        ],
    );
}

#[test]
fn last_ack_is_the_last_fin_behind_data() {
    let moments = assert_states(
        &["--how", "half", "--peer", "slow"],
        &[
            ["ESTABLISHED", "ESTABLISHED"],
            ["FIN-WAIT-2", "CLOSE-WAIT"],
            ["FIN-WAIT-2", "LAST-ACK"],
            ["TIME-WAIT", "CLOSED"],
        ],
    );
    assert_eq!(moments[2]["server"]["owners"], Value::Array(Vec::new()), "the program has closed it");
}

#[test]
fn every_plan_ends_as_tcp_does_on_both_families() {
    let mut plans = 0;
    for first in ["client", "server", "both"] {
        for how in ["close", "drop", "abort", "half"] {
            for peer in ["closes", "ignores", "slow"] {
                let family: &[&str] = if plans % 2 == 0 { &[] } else { &["--ipv6"] };
                let arguments = [&["--first", first, "--how", how, "--peer", peer], family].concat();
                if (first, how) == ("both", "half") {
                    let output = run(&arguments);
                    assert_eq!(output.status.code(), Some(2));
                    assert!(String::from_utf8_lossy(&output.stderr).contains("--how close"));
                    continue;
                }
                plans += 1;
                let moments = moments(&arguments);
                assert!(
                    moments.iter().all(|moment| moment["explanation"].as_str().is_some_and(|text| text.len() > 40))
                );
                let last = states(&moments).pop().expect("a moment");
                let is_over = last.iter().all(|state| matches!(state.as_str(), "CLOSED" | "TIME-WAIT"));
                // A peer that ignores FIN keeps both sockets, unless it was told by RST, or has sent FIN itself.
                let stays = peer == "ignores" && matches!(how, "close" | "half") && first != "both";
                assert_eq!(is_over, !stays, "{arguments:?}: {last:?}");
                if how == "abort" {
                    assert_eq!(last, ["CLOSED", "CLOSED"], "{arguments:?}: RST leaves no TIME-WAIT");
                }
            }
        }
    }
    assert_eq!(plans, 33);
}

#[test]
fn lines_and_the_diagram_with_a_pipe() {
    let output = run(&["--explain", "--first", "both", "--peer", "slow"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\x1b'), "a pipe gets no colours: {text}");
    assert!(text.contains("client: ESTABLISHED → FIN-WAIT-1 → CLOSING → TIME-WAIT\n"), "{text}");
    assert!(text.contains("FIN-WAIT-1 cs ") && text.contains("CLOSING c ") && text.contains("FIN-WAIT-2 s "), "{text}");
    let lines = text.lines().filter(|line| line.contains("ESTABLISHED") && line.contains("held by"));
    assert_eq!(lines.count(), 0, "the table's head and its rows are lines of their own");
}

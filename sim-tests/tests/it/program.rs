//! The program `echo-sim`, as a user runs it.

use sim_tests::catalogue;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(crate) fn echo_sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_echo-sim")).args(arguments).output().expect("echo-sim starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Writes a file that only this test uses. Returns its path.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the target directory can be written to");
    path.to_str().expect("UTF-8").to_owned()
}

/// Expects an error: this exit code, no standard output, and one line of standard error.
#[track_caller]
pub(crate) fn refused(arguments: &[&str], code: i32, line: &str) {
    let output = echo_sim(arguments);
    let text = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(code), ""), "{text}");
    assert!(text.starts_with(&format!("echo-sim: {line}")), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

/// The ids that `list` prints.
pub(crate) fn listed(arguments: &[&str]) -> Vec<String> {
    let output = echo_sim(&[&["list"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ids = stdout(&output);
    ids.lines().filter(|line| !line.starts_with([' ', '#'])).map(str::to_owned).collect()
}

// ---- check and list ----

#[test]
fn check_sums_up_and_says_how_to_see_one() {
    let text = stdout(&echo_sim(&["check", "framed/client:close@idle/server:none/", "--shard", "1/2"]));
    assert!(text.starts_with("A part of the catalogue, on\npair, turmoil and packet."), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("echo-sim replay ")).expect("a line on how to replay");
    let replay = echo_sim(&["replay", line]);
    assert_eq!(replay.status.code(), Some(0));
    assert!(stdout(&replay).contains("server: clean"), "{}", stdout(&replay));
}

#[test]
fn without_a_command_it_checks_row_by_row_if_asked() {
    let id = "framed/client:close@idle/server:none/coalesced";
    let output = echo_sim(&["--verbose", id]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(&format!("\nok      clean        clean        {id}\n")), "{text}");
    assert!(text.contains("1 sequences in 3 runs on pair, turmoil and packet: the contract holds."), "{text}");
}

/// The shards together are the catalogue, and no two of them overlap.
#[test]
fn shards_are_everything_exactly_once() {
    let shards: Vec<_> = ["1/3", "2/3", "3/3"].map(|shard| listed(&["--shard", shard])).concat();
    let whole: BTreeSet<_> = catalogue::all().iter().map(|sequence| sequence.id.clone()).collect();
    assert_eq!(shards.len(), whole.len());
    assert_eq!(shards.into_iter().collect::<BTreeSet<_>>(), whole);
}

#[test]
fn a_list_is_filtered_by_every_part() {
    let ids = listed(&["server:close@idle", "/clear"]);
    let expected = catalogue::filter(&["server:close@idle", "/clear"]).map(|sequence| sequence.id.as_str());
    assert_eq!(ids, expected.collect::<Vec<_>>());
    assert!(ids.len() > 10, "{ids:?}");
}

#[test]
fn results_come_as_json_and_as_junit() {
    let junit = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check.xml");
    let id = "framed/client:close@idle/server:none/coalesced";
    let output = echo_sim(&["check", id, "--json", "--junit", junit.to_str().expect("UTF-8")]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&value["schema"], &value["version"]), (&"echo-sim/check".into(), &1.into()));
    assert_eq!(
        value["endings"],
        serde_json::json!([{"client": "clean", "server": "clean", "runs": 3, "sequences": 1}])
    );
    assert_eq!(value["broken"], serde_json::json!([]));
    let text = std::fs::read_to_string(junit).expect("it was written");
    assert!(text.contains(r#"<testsuites name="echo-sim" tests="3" skipped="0" failures="0" errors="0">"#), "{text}");
    for backend in ["turmoil", "packet"] {
        let case = format!(
            r#"<testcase name="{id} --backend {backend}" classname="framed client:close@idle server:none" time="#
        );
        assert!(text.contains(&case), "{text}");
    }
}

/// Every JSON object names its kind, and SCHEMA.md lists each of its fields.
#[test]
fn the_schema_is_documented() {
    let schema = include_str!("../../SCHEMA.md");
    let id = "framed/client:close@idle/server:none/clear";
    for arguments in [
        &["check", id, "--json", "--verbose"][..],
        &["list", id, "--json"],
        &["random", "--seeds", "0..3", "--backend", "pair", "--json"],
        &["explore", "in peace", "--json"],
        &["coverage", "--quick", "--json"],
        &["replay", id, "--json"],
    ] {
        let value: serde_json::Value = serde_json::from_slice(&echo_sim(arguments).stdout).expect("JSON");
        let name = value["schema"].as_str().expect("a schema");
        assert!(schema.contains(&format!("## {name}\n")), "SCHEMA.md has no section {name}");
        for field in value.as_object().expect("an object").keys() {
            assert!(schema.contains(&format!("`{field}`")), "SCHEMA.md says nothing of {field} in {name}");
        }
    }
}

/// A scenario that a backend cannot express is in the report, and is not a success.
#[test]
fn what_is_left_out_is_told_with_its_reason() {
    let junit = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("left-out.xml");
    let id = "framed/client:close@idle/server:none/relay-closes-both";
    let output = echo_sim(&["check", id, "--junit", junit.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = std::fs::read_to_string(junit).expect("it was written");
    assert!(
        text.contains("skipped=\"1\"") && text.contains("<skipped message=\"the network relay-closes-both: "),
        "{text}"
    );
}

#[test]
fn where_nothing_was_run_nothing_holds() {
    let reason = "sequences was run: the network relay-closes-both: the backend packet has no third host";
    let output = echo_sim(&["check", "--backend", "packet", "relay-closes-both"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains(reason), "{}", stderr(&output));
}

/// Networks that only packets have are found by name, and run on the packet backend.
#[test]
fn networks_of_packets_are_listed_found_and_run() {
    let id = "framed/client:close@idle,half-close@draining/server:none/fin-lost";
    assert!(
        listed(&["fin-lost", "framed/client:close@idle,half-close@draining/server:none/"]).contains(&id.to_owned())
    );
    assert!(stdout(&echo_sim(&["list", id])).contains("# fin-lost "));
    let text = stdout(&echo_sim(&["check", id]));
    assert!(text.contains("1 sequences in 1 runs on packet: the contract holds.\n"), "{text}");
    assert!(stdout(&echo_sim(&["replay", id])).starts_with(&format!("{id} on packet\n")));
    refused(&["check", id, "--backend", "pair"], 2, "none of 1 sequences was run: the network fin-lost: ");
}

#[test]
fn a_command_that_is_mistyped_is_named() {
    refused(&["coverge"], 2, "no id contains coverge; an example of an id is ");
    assert!(stderr(&echo_sim(&["coverge"])).contains("(or did you mean the command coverage?)"));
}

/// The rows of a table add up to the runs, and no line is wider than a terminal.
#[test]
fn tables_are_right_and_fit() {
    let text = stdout(&echo_sim(&["check", "/clear"]));
    let rows = text.lines().skip_while(|line| !line.ends_with(" runs")).skip(1).take_while(|line| !line.is_empty());
    let sum: u64 =
        rows.map(|row| row.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a count")).sum();
    assert!(text.contains(&format!(" in {sum} runs on ")), "{text}");
    let packets = stdout(&echo_sim(&["replay", "framed/client:close@idle/server:none/clear", "--backend", "packet"]));
    for line in text.lines().chain(packets.lines()) {
        assert!(line.chars().count() <= 80 || line.starts_with("echo-sim replay"), "{line:?}");
    }
}

#[test]
fn coverage_says_what_was_run() {
    let text = stdout(&echo_sim(&["coverage", "--quick"]));
    assert!(text.contains(" close sequences with each fate of one packet: "), "{text}");
    assert!(!text.contains("of two"), "{text}");
}

/// Billions of seeds need no memory before the first run. A signal makes it print what was found so far.
#[test]
fn seeds_without_end_run_until_they_are_stopped() {
    for seeds in ["0..", "5..1000000000000"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_echo-sim"));
        command.args(["random", "--seeds", seeds, "--backend", "pair"]).stdout(Stdio::piped());
        let child = command.spawn().expect("it starts");
        let caught = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim).map(str::to_owned);
            mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok()).is_some_and(|mask| mask >> 1 & 1 == 1)
        };
        let began = std::time::Instant::now();
        while !caught() {
            assert!(began.elapsed().as_secs() < 60, "no handler for SIGINT");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let killed = Command::new("sh").args(["-c", "kill -s INT \"$0\"", &child.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let output = child.wait_with_output().expect("it ends");
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(130), "{text}");
        assert!(text.contains(&format!(" of the seeds {seeds} on pair: ")), "{text}");
        assert!(text.contains("stopped by a signal after "), "{text}");
    }
}

#[test]
fn completions_and_manual_pages() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("generated");
    let output = echo_sim(&["generate", directory.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for name in ["echo-sim.bash", "echo-sim.fish", "_echo-sim", "echo-sim-random.1"] {
        let text = std::fs::read_to_string(directory.join(name)).expect(name);
        assert!(text.contains("seeds"), "{name}");
    }
}

// ---- replay ----

/// Both ends are correct. Only the contract's terms name how the server ends.
#[test]
fn a_replay_names_the_outcome_of_each_end() {
    let output = echo_sim(&["replay", "framed/client:close@idle/server:none/client-close-held", "--no-times"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("client: clean (1000 normal)"), "{text}");
    assert!(text.contains("server: timed out (close)"), "{text}");
}

#[test]
fn an_id_a_file_and_a_seed_replay_the_same() {
    let as_file = stdout(&echo_sim(&["replay", "--seed", "17", "--text"]));
    let path = file("seed-17.scenario", &as_file);
    let replayed = |arguments: &[&str]| stdout(&echo_sim(&[&["replay"], arguments].concat()));
    let by_seed = replayed(&["--seed", "17"]);
    let id = by_seed.lines().next().and_then(|line| line.strip_suffix(" on pair")).expect("an id").to_owned();
    assert_eq!(replayed(&[&path]), by_seed);
    assert_eq!(replayed(&[&id]), by_seed);
}

/// A scenario that does not end is stopped by its budget, and reported as not over.
#[test]
fn what_never_ends_is_no_hang() {
    for backend in ["pair", "turmoil"] {
        let id = "framed/client:none/server:none/clear";
        let output = echo_sim(&["replay", id, "--budget", "100", "--backend", backend]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.ends_with("not over after 100 ms (--budget): not checked\n") && !text.contains("BROKEN"),
            "{text}"
        );
    }
}

#[test]
fn a_race_is_replayed_by_its_seed() {
    let id = "framed/client:abort@answer-in-flight/server:none/rst-race";
    let ladders = |arguments: &[&str]| {
        let text = stdout(&echo_sim(&[&["replay", id], arguments].concat()));
        text.lines().filter(|line| line.ends_with(" on pair")).map(str::to_owned).collect::<Vec<_>>()
    };
    let both = ladders(&[]);
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(ladders(&["--seed", "1"]), both[1..]);
    refused(&["replay", id, "--seed", "2"], 2, &format!("no run 2 of {id}: expected a number below 2"));
}

// ---- bad input ----

#[test]
fn an_unknown_id_is_named_with_its_neighbours() {
    let id = "framed/client:close@idle/server:none/claer";
    refused(&["replay", id], 2, "no network \"claer\"; there are clear, slow");
    let text = stderr(&echo_sim(&["replay", id]));
    assert!(text.contains("; the nearest ids are framed/client:close@idle/server:none/clear "), "{text}");
}

const FILE: &str = "echo-sim scenario 1\nwire plain\nclient close@idle\nserver none\nnetwork clear\nend\n";

/// A byte order mark, which some editors write, is skipped.
#[test]
fn a_file_with_a_byte_order_mark_is_read() {
    let path = file("mark.scenario", &format!("\u{feff}{FILE}"));
    let output = echo_sim(&["replay", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_bad_file_is_named_with_its_line() {
    let bad = |name: &str, text: &str, line: &str| {
        let path = file(name, text);
        refused(&["replay", &path], 2, &format!("{path}: {line}"));
    };
    bad("field.scenario", &FILE.replace("wire", "weather"), "line 2: no field \"weather\"; there are wire, client");
    bad("cut.scenario", &FILE[..FILE.len() - 6], "line 5: no network \"clea\"; there are clear, slow");
    bad("short.scenario", FILE.trim_end_matches("end\n"), "line 5: expected the line \"end\", got the end of the file");
    bad("draining.scenario", &FILE.replace("idle", "draining"), "line 6: the plain wire has no point draining");
    bad("old.scenario", include_str!("../version-0.scenario"), "line 1: version 0 is unsupported: this program reads");
    refused(&["replay", "no-such.scenario"], 3, "no-such.scenario: No such file");
}

#[test]
fn bad_values_are_refused_in_one_line() {
    refused(&["replay", "plain/client:close@draining/server:none/clear", "--text"], 2, "the plain wire has no point");
    for shard in ["0/4", "5/4"] {
        let right = format!("no shard \"{shard}\": of 4 there are 1/4 to 4/4");
        refused(&["check", "--shard", shard], 2, &format!("invalid value '{shard}' for '--shard <K/N>': {right}"));
    }
    for shard in ["x", "1", "1/0", "-1/4", "1/4/4"] {
        let value = format!("--shard={shard}");
        let right = format!("a shard is K/N, such as 1/4 and 4/4, not \"{shard}\"");
        refused(&["list", &value], 2, &format!("invalid value '{shard}' for '--shard <K/N>': {right}"));
    }
    refused(
        &["random", "--seeds", "5..5"],
        2,
        "invalid value '5..5' for '--seeds <A..B>': expected seeds A..B with A below",
    );
    refused(&["check", "--backend", "moon"], 2, "invalid value 'moon' for '--backend <BACKEND>': no backend \"moon\"");
    refused(&["explore", "tea"], 2, "no setup contains \"tea\"; there are: ");
}

#[test]
fn a_filter_that_nothing_passes_is_a_mistake() {
    refused(&["check", "server:closed"], 2, "no id contains server:closed; an example of an id is ");
}

#[test]
fn what_cannot_be_written_or_read_is_told() {
    let id = "framed/client:close@idle/server:none/clear";
    refused(&["check", id, "--save", "/no/such/directory"], 3, "/no/such/directory: No such file");
    refused(&["diff", "/no/old", "/no/new"], 3, "/no/old: No such file");
}

/// The reader of standard output may stop reading, as `head` does.
#[test]
fn a_reader_that_goes_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_echo-sim"))
        .args(["list", "framed/client:close"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("echo-sim starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

//! The harness's own input: every number has a range that its refusal names, and no text is too long to be refused in a
//! line.

use sim_tests::file::Saved;
use sim_tests::{MOST_SHOWN, Scenario, Shard};

const PLANS: &str = "framed/client:close@idle/server:none";

fn refused(rest: &str) -> String {
    format!("{PLANS}/{rest}").parse::<Scenario>().expect_err(rest).to_string()
}

#[test]
fn every_number_has_a_range() {
    let greatest = u64::MAX;
    let beyond = "99999999999999999999999";
    for (rest, range) in [
        ("latency-1", "from 2 to 100000, not 1"),
        ("latency-100001", "from 2 to 100000, not 100001"),
        (&format!("latency-{beyond}"), &format!("from 2 to 100000, not {greatest}")),
        ("reads-1048577", "from 0 to 1048576, not 1048577"),
        ("writes-1048577", "from 0 to 1048576, not 1048577"),
        ("window-18446744073709551615", "from 0 to 1048576, not 18446744073709551615"),
        ("batch-100001", "from 0 to 100000, not 100001"),
        ("reboots-100001", "from 0 to 100000, not 100001"),
        ("relay-cuts-off-after-100001", "from 0 to 100000, not 100001"),
        ("hold-first-fin-100000000", "from 0 to 100000, not 100000000"),
        ("cut-idle-100001", "from 0 to 100000, not 100001"),
        ("packet-7-late-100001", "from 0 to 100000, not 100001"),
        ("packet-1000001-lose", "from 0 to 1000000, not 1000001"),
        ("loss-91-seed-1", "from 1 to 90, not 91"),
        ("loss-999-seed-1", "from 1 to 90, not 255"),
        ("clear/talk-1048577", "from 0 to 1048576, not 1048577"),
        (&format!("clear/talk{}", "-0".repeat(1001)), "from 1 to 1000, not 1001"),
        (&format!("clear/talk{}", "-1048576".repeat(17)), "from 0 to 16777216, not 17825792"),
        (
            "latency-4+reads-1/talk-50001",
            "with reads-1, all requests together must have at most 50000 bytes, not 50001",
        ),
        ("clear/limit-1048577", "from 1 byte to 1 MiB, not 1048577"),
        ("clear/deadline-drain-100001", "from 1 to 100000 ms, not 100001"),
        (
            &["latency-4"; 1].iter().copied().chain(["cut-idle-1"; 17]).collect::<Vec<_>>().join("+"),
            "from 0 to 16, not 17",
        ),
    ] {
        let text = refused(rest);
        assert!(text.contains(range), "{text:?} names {range:?}");
    }
    let steps = vec!["close@idle"; 17].join(",");
    let text =
        format!("framed/client:{steps}/server:none/clear").parse::<Scenario>().expect_err("17 steps").to_string();
    assert!(text.contains("from 0 to 16, not 17"), "{text}");
    let text = "1/10001".parse::<Shard>().expect_err("too many shards").to_string();
    assert_eq!(text, "at most 10000 shards, not 10001: such as 1/4");
}

/// Both sides of a limit: what is just within a range is a scenario.
#[test]
fn the_limits_themselves_are_scenarios() {
    for rest in [
        "latency-100000",
        "latency-4+reads-1048576+window-1048576+batch-100000",
        "latency-4+hold-first-fin-100000+packet-1000000-late-100000+loss-90-seed-1",
        "latency-4+reads-1/talk-50000",
    ] {
        assert!(format!("{PLANS}/{rest}").parse::<Scenario>().is_ok(), "{rest}");
    }
    assert!("10000/10000".parse::<Shard>().is_ok());
}

#[test]
fn long_and_raw_text_is_refused_in_a_line() {
    let long = "y".repeat(10_000_000);
    let refusals = [
        format!("{PLANS}/{}", "x".repeat(30_000)).parse::<Scenario>().expect_err("an id too long"),
        "x".repeat(8000).parse::<Scenario>().expect_err("no id"),
        long.parse::<Saved>().expect_err("no file"),
        "echo-sim scenario \u{1b}[2J\u{7}".parse::<Saved>().expect_err("no version"),
        format!("echo-sim scenario 1\nwire {}\nend\n", "\u{1}".repeat(2000)).parse::<Saved>().expect_err("no wire"),
    ];
    for refusal in refusals {
        let text = refusal.to_string();
        assert!(text.chars().count() <= MOST_SHOWN + 60, "{} characters", text.chars().count());
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

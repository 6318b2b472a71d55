//! The time before an answer: the same bytes as from C's `ctime` in the server's time zone (clause 2.3).

use crate::support::alone::alone;
use crate::support::program::{ECHO_NET, Serve};
use crate::support::raw::Raw;
use crate::support::time::{Ctime, HEADER, header_at, seconds};
use crate::support::{need, need_that};
use std::process::Command;

const KOLKATA: &str = "Asia/Kolkata";
const NEW_YORK: &str = "America/New_York";

/// 2026-03-08T07:00:00Z, when New York's clocks go from 02:00 to 03:00.
const SPRING: i64 = 1_772_953_200;
/// 2026-11-01T06:00:00Z, when New York's clocks go from 02:00 back to 01:00.
const AUTUMN: i64 = 1_793_512_800;

#[test]
fn across_both_changes_of_summer_time_in_new_york() {
    let test = "ctime::across_both_changes_of_summer_time_in_new_york";
    if has_zones() && alone(test, &[("TZ", NEW_YORK)]) {
        assert_eq!(header_at(SPRING - 1), "[Sun Mar  8 01:59:59 2026] ");
        assert_eq!(header_at(SPRING), "[Sun Mar  8 03:00:00 2026] ");
        assert_eq!(header_at(AUTUMN - 1), "[Sun Nov  1 01:59:59 2026] ");
        assert_eq!(header_at(AUTUMN), "[Sun Nov  1 01:00:00 2026] ");
        same_as_c();
    }
}

#[test]
fn half_an_hour_off_in_kolkata() {
    if has_zones() && alone("ctime::half_an_hour_off_in_kolkata", &[("TZ", KOLKATA)]) {
        assert_eq!(header_at(0), "[Thu Jan  1 05:30:00 1970] ");
        same_as_c();
    }
}

/// Zones with leap seconds, and zones with impossible offsets: the result is the same as C's.
#[test]
fn zones_that_others_refuse() {
    let test = "ctime::zones_that_others_refuse";
    let inside = std::env::var("ECHO_NET_TEST_ZONE").ok();
    for zone in ["XXX25", "AAA-24:59:59", "XXX24:59:59", "nonsense", "", ":America/New_York", "EST5EDT,M3.2.0,M11.1.0"]
    {
        let is_meant = inside.as_deref().is_none_or(|inside| inside == zone);
        if is_meant && alone(test, &[("TZ", zone), ("ECHO_NET_TEST_ZONE", zone)]) {
            same_as_c();
        }
    }
}

#[test]
fn leap_seconds_in_new_york() {
    let test = "ctime::leap_seconds_in_new_york";
    let file = std::path::Path::new("/usr/share/zoneinfo/right/America/New_York");
    if need_that(file.exists(), "zones with leap seconds (package tzdata or tzdata-legacy)")
        && alone(test, &[("TZ", "right/America/New_York")])
    {
        same_as_c();
        // Until then there were 27 leap seconds, so the clocks change 27 seconds later.
        assert_eq!(header_at(SPRING), "[Sun Mar  8 01:59:33 2026] ");
    }
}

/// Days of one and of two digits, every month, each second around a change of summer time, and times long ago.
fn same_as_c() {
    if !need("cc") {
        return;
    }
    let changes =
        [SPRING, AUTUMN].into_iter().flat_map(|change| (-3700..3700).step_by(50).map(move |off| change + off));
    let months = (0..30).map(|month| SPRING + month * 2_629_746);
    let days = (0..12).map(|day| AUTUMN + day * 86_400);
    let all: Vec<i64> = changes.chain(months).chain(days).chain([SPRING - 1, AUTUMN - 1, 0, -1, 951_782_400]).collect();
    for (second, c) in all.iter().zip(Ctime::compile().of(&all, None)) {
        assert_eq!(header_at(*second), format!("[{c}] "), "at {second}");
    }
}

#[test]
fn a_server_tells_the_time_of_its_own_zone() {
    if !has_zones() || !need("cc") {
        return;
    }
    let ctime = Ctime::compile();
    for zone in [KOLKATA, NEW_YORK] {
        let serve = Serve::of(Command::new(ECHO_NET).args(["serve", "--listen", "127.0.0.1:0"]).env("TZ", zone));
        let begin = seconds();
        let mut client = Raw::connect(serve.address);
        client.send(b"hello\n");
        let answer = client.bytes(HEADER + 6);
        // A second can pass between the server's time and the test's.
        let seconds: Vec<i64> = (begin..=seconds()).collect();
        let allowed: Vec<String> = ctime.of(&seconds, Some(zone)).iter().map(|c| format!("[{c}] hello\n")).collect();
        let answer = String::from_utf8(answer).expect("text");
        assert!(allowed.contains(&answer), "in {zone} {answer:?} is none of {allowed:?}");
    }
}

#[test]
fn with_utc_a_server_tells_universal_time() {
    if !has_zones() || !need("cc") {
        return;
    }
    let mut command = Command::new(ECHO_NET);
    let serve = Serve::of(command.args(["serve", "--listen", "127.0.0.1:0", "--utc"]).env("TZ", KOLKATA));
    let begin = seconds();
    let mut client = Raw::connect(serve.address);
    client.send(b"hello\n");
    let answer = String::from_utf8(client.bytes(HEADER + 6)).expect("text");
    let seconds: Vec<i64> = (begin..=seconds()).collect();
    let allowed: Vec<String> =
        Ctime::compile().of(&seconds, Some("UTC0")).iter().map(|c| format!("[{c}] hello\n")).collect();
    assert!(allowed.contains(&answer), "{answer:?} is none of {allowed:?}");
}

fn has_zones() -> bool {
    [KOLKATA, NEW_YORK].iter().all(|zone| {
        let file = std::path::Path::new("/usr/share/zoneinfo").join(zone);
        need_that(file.exists(), &format!("{} (package tzdata)", file.display()))
    })
}

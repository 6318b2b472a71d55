//! The result as text.

use super::plan::{Pace, Plan};
use super::results::{Results, Times};
use crate::exit::counted;
use echo_net::Report;
use std::fmt::Write;

/// The percentiles that are shown.
pub(super) const PERCENTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("p99.999", 0.99999)];

/// Returns the result as lines.
pub(super) fn text(plan: &Plan, results: &Results, seconds: f64, served: Option<&Report>) -> String {
    let mut out = String::new();
    // A String takes all.
    let _ = write(&mut out, plan, results, seconds, served);
    out
}

fn write(out: &mut String, plan: &Plan, results: &Results, seconds: f64, served: Option<&Report>) -> std::fmt::Result {
    writeln!(out, "{}", heading(plan))?;
    let per_second = results.count as f64 / seconds.max(f64::MIN_POSITIVE);
    let what = if plan.pace == Pace::Short { "conversations" } else { "messages" };
    write!(out, "{what} {} in {seconds:.1} s: {per_second:.0}/s", results.count)?;
    match plan.pace {
        Pace::Short => writeln!(out)?,
        Pace::Closed { .. } | Pace::Open { .. } => {
            writeln!(out, ", {:.1} MB/s each way", per_second * plan.payload.len() as f64 / 1e6)?;
        }
    }
    writeln!(out)?;
    write_times(out, plan, results)?;
    write_histogram(out, &results.latency)?;
    let ends: Vec<_> = results.ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    let ends = if ends.is_empty() { "none".to_owned() } else { ends.join(", ") };
    writeln!(out, "conversations: {ends}")?;
    match served {
        Some(report) => writeln!(out, "server: {report}"),
        None => Ok(()),
    }
}

fn heading(plan: &Plan) -> String {
    let server = if plan.is_own { "a server of its own" } else { &plan.name };
    let wire = plan.wire();
    let (connections, bytes) = (plan.connections, plan.payload.len());
    let load = match plan.pace {
        Pace::Closed { unanswered } => {
            format!("{}, {unanswered} unanswered each", counted(connections, "connection"))
        }
        Pace::Open { rate } => format!("{}, {rate} requests/s", counted(connections, "connection")),
        Pace::Short => format!("short conversations, {connections} at once"),
    };
    let threads = counted(plan.threads, "thread");
    format!("{server}, {wire} wire: {load}, {bytes} B, {threads}")
}

fn write_times(out: &mut String, plan: &Plan, results: &Results) -> std::fmt::Result {
    let latency = match plan.pace {
        Pace::Closed { .. } => "round trip",
        Pace::Open { .. } => "from schedule",
        Pace::Short => "whole",
    };
    let rows = [
        (latency, &results.latency),
        ("round trip", &results.round_trip),
        ("  out", &results.out),
        ("  server", &results.server),
        ("  back", &results.back),
    ];
    write!(out, "{:14}", "microseconds")?;
    for name in ["min", "mean"].into_iter().chain(PERCENTILES.map(|(name, _)| name)).chain(["max"]) {
        write!(out, "{name:>9}")?;
    }
    writeln!(out)?;
    for (name, times) in rows.into_iter().filter(|(_, times)| !times.histogram().is_empty()) {
        let times = times.histogram();
        write!(out, "{name:14}{}{}", micros(times.min() as f64), micros(times.mean()))?;
        for (_, share) in PERCENTILES {
            write!(out, "{}", micros(times.value_at_quantile(share) as f64))?;
        }
        writeln!(out, "{}", micros(times.max() as f64))?;
    }
    if let Some(offset) = results.offset() {
        let micros = offset as f64 / 1000.0;
        writeln!(out, "the server's clock is {micros:+.1} us from this one, if both ways take equally long")?;
    }
    writeln!(out)
}

/// Returns nanoseconds as microseconds, nine characters wide.
fn micros(nanos: f64) -> String {
    let micros = nanos / 1000.0;
    let places = if micros < 1000.0 { 1 } else { 0 };
    format!("{micros:>9.places$}")
}

/// Writes a bar for each range of times: 1, 2, 5, 10 and so on.
fn write_histogram(out: &mut String, times: &Times) -> std::fmt::Result {
    const WIDTH: f64 = 50.0;
    let times = times.histogram();
    if times.is_empty() {
        return Ok(());
    }
    let ends = (0..13).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let mut counts: Vec<_> = ends.map(|to| (to, 0)).collect();
    for value in times.iter_recorded() {
        let row = counts.partition_point(|(to, _)| *to < value.value_iterated_to());
        if let Some((_, count)) = counts.get_mut(row) {
            *count += value.count_since_last_iteration();
        }
    }
    let first = counts.iter().position(|(_, count)| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|(_, count)| *count > 0).unwrap_or(0);
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    for (to, count) in &counts[first..=last] {
        let bar = "#".repeat((*count as f64 / most as f64 * WIDTH).ceil() as usize);
        let share = 100.0 * *count as f64 / times.len() as f64;
        writeln!(out, "up to{} us {share:>8.3} % {bar}", micros(*to as f64))?;
    }
    writeln!(out)
}

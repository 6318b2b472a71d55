//! `echo-sim coverage`: every fault of one packet and of two, and how often each TCP state change happened.

use crate::output::{self, Answer, Trouble};
use serde_json::{Value, json};
use sim_tests::packet_sweep::{self, Sweep};
use std::fmt::Write as _;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only faults of one packet, not of two
    #[arg(long)]
    quick: bool,
    /// Print every breach
    #[arg(long)]
    verbose: bool,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
}

/// The largest number of breaches that are shown without `--verbose`.
const SHOWN: usize = 20;

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let core = packet_sweep::core();
    let bar = output::progress_of(None);
    let mut sweep = packet_sweep::sweep(&core, !options.quick, &|runs| bar.inc(runs));
    let faulty = sweep.runs;
    sweep.merge(packet_sweep::networks(&|runs| bar.inc(runs)));
    bar.finish_and_clear();
    Ok(answer(&sweep, core.len(), faulty, options))
}

fn answer(sweep: &Sweep, scenarios: usize, faulty: u64, options: &Options) -> Answer {
    if options.json {
        return json(sweep, scenarios, faulty, options.quick);
    }
    let most = if options.verbose { usize::MAX } else { SHOWN };
    let mut text = String::from("Each TCP state change, and how often it happened:\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", sweep.table);
    for (id, what) in sweep.broken.iter().take(most) {
        let _ = writeln!(text, "BROKEN: {what}\n    replay: echo-sim replay {id} --backend packet");
    }
    let missing = sweep.table.missing();
    for edge in &missing {
        let _ = writeln!(text, "NEVER TAKEN: {edge}");
    }
    let others = sweep.runs - faulty;
    let packets = if options.quick { "one packet" } else { "one packet and of two packets" };
    let _ = writeln!(text, "{scenarios} close sequences with each fate of {packets}: {faulty} runs.");
    let _ = writeln!(text, "The networks that only the packet backend has: {others} runs.");
    let verdict = match sweep.broken.len() {
        0 => "The contract and RFC 9293 hold in all of them.".to_owned(),
        count => format!("{count} BROKEN."),
    };
    let _ = writeln!(text, "{verdict}");
    Answer::new(text, sweep.broken.is_empty() && missing.is_empty())
}

fn json(sweep: &Sweep, scenarios: usize, faulty: u64, quick: bool) -> Answer {
    let missing: Vec<String> = sweep.table.missing().iter().map(ToString::to_string).collect();
    let broken: Vec<Value> = sweep
        .broken
        .iter()
        .map(|(id, what)| json!({"replay": format!("{id} --backend packet"), "what": what}))
        .collect();
    let good = broken.is_empty() && missing.is_empty();
    let edges: Vec<Value> =
        sweep.table.counts().map(|(edge, count)| json!({"edge": edge.to_string(), "taken": count})).collect();
    let value = json!({
        "schema": "echo-sim/coverage",
        "version": 1,
        "scenarios": scenarios,
        "packets": if quick { 1 } else { 2 },
        "runs": sweep.runs,
        "runs_with_fates": faulty,
        "edges": edges,
        "never_taken": missing,
        "broken": broken,
    });
    Answer::new(format!("{value:#}\n"), good)
}

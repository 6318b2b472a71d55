//! `echo-sim explore`: visits every state of a conversation.

use crate::output::{self, Answer, Trouble};
use serde_json::{Value, json};
use sim_tests::explorer::{self, Exploration, Limits, Setup, Summary};
use sim_tests::internal::parallel_map;
use std::fmt::Write as _;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only setups whose name contains this (default: all of the list)
    setup: Option<String>,
    /// Use the long list: up to three requests and two faults; takes about a minute and a GiB in a release build
    #[arg(long)]
    full: bool,
    /// List every pair of state and event that cannot be reached, below its reason
    #[arg(long)]
    verbose: bool,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let all = if options.full { explorer::full() } else { explorer::quick() };
    let setups: Vec<Setup> = match &options.setup {
        None => all.clone(),
        Some(part) => all.iter().copied().filter(|setup| setup.name.contains(part.as_str())).collect(),
    };
    if setups.is_empty() {
        let names: Vec<_> = all.iter().map(|setup| setup.name).collect();
        let part = options.setup.as_deref().unwrap_or_default();
        return Err(Trouble::Usage(format!("no setup contains {part:?}; there are: {}", names.join("; "))));
    }
    let bar = output::progress(setups.len());
    let reports = parallel_map(setups.len(), |index| {
        let report = explorer::run(&setups[index], Limits::default(), &mut |_| ());
        bar.inc(1);
        report
    });
    bar.finish_and_clear();
    // The coverage of the table is only meaningful for the whole list.
    let summary = options.setup.is_none().then(|| Summary::of(&reports));
    let good = reports.iter().all(Exploration::holds) && summary.as_ref().is_none_or(Summary::is_good);
    let text = if options.json { json(&reports, summary.as_ref()) } else { text(&reports, summary.as_ref(), options) };
    Ok(Answer::new(text, good))
}

fn text(reports: &[Exploration], summary: Option<&Summary>, options: &Options) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for report in reports {
        let _ = writeln!(text, "{report}");
        if report.counterexample.is_some() {
            let full = if options.full { " --full" } else { "" };
            let _ = writeln!(text, "    repeat: echo-sim explore{full} {:?}", report.setup.name);
        }
    }
    if let Some(summary) = summary {
        let _ = writeln!(text, "\n{summary}");
        let coverage = summary.coverage.iter().filter(|_| options.verbose);
        for (subject, coverage) in coverage {
            let _ = write!(text, "\n{}\n{}", subject.name(), coverage.listing());
        }
    }
    text
}

fn json(reports: &[Exploration], summary: Option<&Summary>) -> String {
    let report = |report: &Exploration| {
        let found = report.counterexample.as_ref();
        json!({
            "setup": report.setup.name,
            "states": report.states,
            "transitions": report.transitions,
            "ends": report.ends,
            "longest": report.longest,
            "complete": report.complete,
            "broken": found.map(|found| found.breach.to_string()),
            "ladder": found.map(|found| &found.ladder),
        })
    };
    let coverage = |summary: &Summary| -> Vec<Value> {
        let one = |(subject, coverage): &(explorer::Subject, explorer::Coverage)| {
            json!({
                "subject": subject.name(),
                "pairs": coverage.pairs,
                "reached": coverage.reached,
                "unreachable": coverage.unreachable.values().map(Vec::len).sum::<usize>(),
                "missing": coverage.missing.len(),
                "wrong": coverage.wrong.len(),
            })
        };
        summary.coverage.iter().map(one).collect()
    };
    let unseen = |summary: &Summary| summary.unseen.iter().map(ToString::to_string).collect::<Vec<_>>();
    let value = json!({
        "schema": "echo-sim/explore",
        "version": 1,
        "setups": reports.iter().map(report).collect::<Vec<_>>(),
        "coverage": summary.map(coverage),
        "unseen": summary.map(unseen),
    });
    format!("{value:#}\n")
}

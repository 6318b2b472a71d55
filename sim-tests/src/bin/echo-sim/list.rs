//! `echo-sim list`: the catalogue and its statistics.

use crate::output::{Answer, Trouble};
use crate::select::{Chosen, Part};
use serde_json::{Value, json};
use sim_tests::Network;
use sim_tests::catalogue::{self, Statistics};
use sim_tests::oracle::Expectation;
use std::fmt::Write as _;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    part: Part,
    /// Print the catalogue's statistics instead: the product, what each rule excludes, what remains, and the number of
    /// different canonical traces
    #[arg(long, conflicts_with_all = ["filters", "shard", "redundant"])]
    count: bool,
    /// List only the sequences with the canonical trace of an earlier one, each with that one
    #[arg(long)]
    redundant: bool,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let text = if options.count {
        let counts = catalogue::statistics();
        if options.json { format!("{:#}\n", counts_as_json(&counts)) } else { counts.to_string() }
    } else {
        let mut chosen = options.part.chosen()?;
        if options.redundant {
            chosen.retain(|chosen| matches!(chosen, Chosen::Product(sequence) if sequence.same_trace_as().is_some()));
        }
        if options.json { json(&chosen, options.redundant) } else { plain(&chosen, options.redundant) }
    };
    Ok(Answer::new(text, true))
}

/// Returns the list: one id a line, followed by its allowed endings and their clauses.
fn plain(chosen: &[Chosen], redundant: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for one in chosen {
        let _ = writeln!(text, "{}", one.id());
        let Some(sequence) = one.of_product() else { continue };
        let same_trace = redundant.then(|| sequence.same_trace_as()).flatten();
        if let Some(first) = same_trace {
            let _ = writeln!(text, "    same trace as {}", first.id);
            continue;
        }
        for member in &sequence.expectation.allowed {
            let clauses: Vec<_> = member.clauses.iter().copied().collect();
            let _ = writeln!(text, "    {member} [{}]", clauses.join(", "));
        }
    }
    let _ = writeln!(text, "# {} sequences. Networks:", chosen.len());
    for (name, about) in Network::NAMED {
        let _ = writeln!(text, "# {name:<18} {about}");
    }
    let _ = writeln!(text, "# Networks of the packet backend, with their own sequences (for example, list fin-lost):");
    for (name, about) in Network::PACKETS {
        let _ = writeln!(text, "# {name:<18} {about}");
    }
    text
}

fn json(chosen: &[Chosen], redundant: bool) -> String {
    let one = |one: &Chosen| {
        let Some(sequence) = one.of_product() else { return json!({"id": one.id(), "members": []}) };
        let mut value = json!({"id": sequence.id, "members": members(&sequence.expectation)});
        if let Some(first) = redundant.then(|| sequence.same_trace_as()).flatten() {
            value["as"] = json!(first.id);
        }
        value
    };
    let all: Vec<Value> = chosen.iter().map(one).collect();
    format!("{:#}\n", json!({"schema": "echo-sim/list", "version": 1, "sequences": all}))
}

fn members(expectation: &Expectation) -> Vec<Value> {
    let member = |member: &sim_tests::oracle::AllowedEnding| {
        json!({
            "client": member.client.to_string(),
            "server": member.server.to_string(),
            "clauses": member.clauses,
        })
    };
    expectation.allowed.iter().map(member).collect()
}

fn counts_as_json(counts: &Statistics) -> Value {
    let excluded =
        counts.excluded.iter().map(|(rule, count)| json!({"rule": rule.name, "reason": rule.reason, "count": count}));
    json!({
        "schema": "echo-sim/counts",
        "version": 1,
        "product": counts.product,
        "excluded": excluded.collect::<Vec<_>>(),
        "extra": counts.extra,
        "remaining": counts.remaining,
        "distinct": counts.distinct,
        "redundant": counts.redundant,
        "pairs": counts.pairs.map(|(covered, all)| json!({"covered": covered, "all": all})),
    })
}

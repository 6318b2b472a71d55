//! `echo-sim hash`: one hash for all runs, to compare processes and builds.

use crate::output::{self, Answer, Trouble};
use crate::select::{Part, Seeds, backends, runs};
use sim_tests::internal::{fnv, parallel_map};
use sim_tests::{Backend, Scenario, ScenarioError, random};
use std::fmt::Write as _;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    part: Part,
    /// Also the random scenarios of these seeds
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Run on this backend only: pair, turmoil or packet
    #[arg(long, value_parser = crate::select::simulator)]
    backend: Option<Backend>,
    /// Print the hash of each run, so that two outputs can be compared line by line
    #[arg(long)]
    lines: bool,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let jobs = jobs(options)?;
    let backends = backends(options.backend);
    let bar = output::progress(jobs.len() * backends.len());
    let mut text = String::new();
    for backend in backends {
        let one = |index: usize| {
            let (scenario, name) = &jobs[index];
            bar.inc(1);
            // A scenario that the backend does not support has no trace there.
            backend.expresses(scenario).ok()?;
            let hash = backend.run(scenario).map(|record| record.hash());
            Some(hash.map(|hash| format!("{} {hash:016x} {name}\n", backend.id())))
        };
        let lines: Vec<String> =
            parallel_map(jobs.len(), one).into_iter().flatten().collect::<Result<_, ScenarioError>>()?;
        if options.lines {
            text.extend(lines);
        } else {
            // Writing to a string cannot fail.
            let hash = fnv(lines.concat().as_bytes());
            let _ = writeln!(text, "{} {hash:016x} {} runs", backend.id(), lines.len());
        }
    }
    bar.finish_and_clear();
    Ok(Answer::new(text, true))
}

/// Returns the scenarios to run, each with the arguments that replay it.
fn jobs(options: &Options) -> Result<Vec<(Scenario, String)>, Trouble> {
    let mut jobs: Vec<_> = options.part.sequences()?.into_iter().flat_map(runs).collect();
    for seed in options.seeds.iter().flat_map(|seeds| seeds.of(options.part.shard())) {
        jobs.push((random::drawn(seed)?, format!("--seed {seed}")));
    }
    Ok(jobs)
}

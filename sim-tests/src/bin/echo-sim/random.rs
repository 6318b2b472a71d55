//! `echo-sim random`: runs random scenarios, and shrinks those that break a rule.

use crate::output::{self, Answer, Case, CaseResult, Trouble};
use crate::select::{Seeds, backends};
use crate::stop::Stop;
use serde_json::{Value, json};
use sim_tests::explorer::Subject;
use sim_tests::file::Saved;
use sim_tests::pairs::Pairs;
use sim_tests::random::{Found, SearchReport, drawn};
use sim_tests::{Backend, Shard, ladder};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The seeds, from A up to, but not including, B: each gives one scenario. A.. continues until Ctrl-C, which prints
    /// what was found so far
    #[arg(long, value_name = "A..B")]
    seeds: Seeds,
    /// Run on this backend only: pair, turmoil or packet
    #[arg(long, value_parser = crate::select::simulator)]
    backend: Option<Backend>,
    /// Only part K of N
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
    /// Write the results to FILE, in JUnit format
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A search on one backend, and its duration.
struct Done {
    backend: Backend,
    /// The seeds whose scenarios were run; kept only if each is reported.
    seeds: Vec<u64>,
    /// The number of scenarios that this backend does not support.
    left_out: usize,
    report: SearchReport,
    took: Duration,
}

/// The number of seeds in a batch. A batch runs on all processors, on one backend after the other.
const BATCH: usize = 512;
/// The largest number of results in a report that lists each.
const MOST_LISTED: u64 = 1_000_000;

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    if options.junit.is_some() && options.seeds.count().is_none_or(|count| count > MOST_LISTED) {
        return Err(Trouble::Usage(format!(
            "--junit lists each seed: expected at most {MOST_LISTED} seeds, got {}",
            options.seeds
        )));
    }
    let stop = Stop::listen()?;
    let mut all: Vec<Done> = backends(options.backend).into_iter().map(Done::nothing).collect();
    let bar = output::progress_of(options.seeds.count());
    let mut seeds = options.seeds.of(options.shard);
    let mut tried = 0u64;
    loop {
        let batch: Vec<u64> = seeds.by_ref().take(BATCH).collect();
        if batch.is_empty() || stop.is_wanted() {
            break;
        }
        tried += batch.len() as u64;
        for done in &mut all {
            done.go_on(&batch, options.junit.is_some());
        }
        // A shard takes its part of the seeds up to this one.
        bar.set_position(batch.last().map_or(0, |last| options.seeds.position(*last)));
    }
    bar.finish_and_clear();
    if all.iter().all(|done| done.report.scenarios == 0) && !stop.is_wanted() {
        return Err(Trouble::Usage(format!(
            "no selected backend can run any of the seeds {}: expected more seeds",
            options.seeds
        )));
    }
    if let Some(path) = &options.junit {
        output::write(path, &output::junit(all.iter().map(suite).collect())?)?;
    }
    let mut text = match options.json {
        true => json(&all, options, stop.is_wanted()),
        false => all.iter().map(|done| done.text(options)).collect(),
    };
    if stop.is_wanted() && !options.json {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "stopped by a signal after {tried} seeds");
    }
    let good = all.iter().all(|done| done.report.broken.is_empty());
    Ok(Answer { text, good, stopped: stop.is_wanted() })
}

impl Done {
    fn nothing(backend: Backend) -> Self {
        Self { backend, seeds: Vec::new(), left_out: 0, report: SearchReport::default(), took: Duration::ZERO }
    }

    fn go_on(&mut self, seeds: &[u64], keep: bool) {
        let backend = self.backend;
        // A seed that gives no scenario stays in the list, and the search reports it.
        let can = |seed: &u64| drawn(*seed).map_or(true, |scenario| backend.expresses(&scenario).is_ok());
        let (able, unable): (Vec<u64>, Vec<u64>) = seeds.iter().partition(|seed| can(seed));
        let began = Instant::now();
        self.report.go_on(&|scenario| backend.run(scenario), &able, &|| ());
        self.took += began.elapsed();
        self.left_out += unable.len();
        if keep {
            self.seeds.extend(able);
        }
    }
}

impl Done {
    fn per_second(&self, count: f64) -> f64 {
        count / self.took.as_secs_f64().max(1e-9)
    }

    fn scenarios_per_second(&self) -> f64 {
        self.per_second(self.report.scenarios as f64)
    }

    fn simulated_per_second(&self) -> f64 {
        self.per_second(self.report.simulated as f64 / 1000.0)
    }

    fn text(&self, options: &Options) -> String {
        let SearchReport { scenarios, broken, found, .. } = &self.report;
        // Writing to a string cannot fail.
        let mut text = found.iter().map(|found| shown(found, self.backend)).collect::<String>();
        if broken.len() > found.len() {
            let rest: Vec<_> = broken.iter().skip(found.len()).take(20).map(ToString::to_string).collect();
            let _ = writeln!(text, "{} seeds fail; others are {}", broken.len(), rest.join(", "));
        }
        let verdict = match broken.len() {
            0 if *scenarios == 0 => "nothing was run".to_owned(),
            0 => "the contract holds in all of them".to_owned(),
            bad => format!("{bad} BROKEN"),
        };
        let (rate, simulated) = (self.scenarios_per_second(), self.simulated_per_second());
        let _ = writeln!(text, "{scenarios} of the seeds {} on {}: {verdict}.", options.seeds, self.backend.id());
        if self.left_out > 0 {
            let _ = writeln!(text, "    {} other seeds need a network that this backend does not have", self.left_out);
        }
        let took = self.took.as_secs_f64();
        let _ = writeln!(text, "    {took:.1} s; {rate:.0} scenarios/s, each run twice; {simulated:.0} simulated s/s");
        text + &self.report.pairs.to_string()
    }
}

/// Describes a failure: the breach, the scenario as a file, its ladder, and the commands that replay it.
fn shown(found: &Found, backend: Backend) -> String {
    let Found { seed, drawn, scenario, flaw, record } = found;
    let saved = Saved { scenario: scenario.clone(), backend: Some(backend), seed: Some(*seed) };
    let ladder = record.as_ref().map(|record| ladder::ladder(record, true)).unwrap_or_default();
    let backend = backend.id();
    format!(
        "BROKEN: {flaw}\n\
         # The simplest scenario that fails in this way; drawn from seed {seed} as\n# {drawn}\n{saved}\n{ladder}\
         replay: echo-sim replay {scenario} --backend {backend}\n\
         original: echo-sim replay --seed {seed} --backend {backend}\n\n",
    )
}

fn suite(done: &Done) -> output::Suite {
    let SearchReport { broken, found, .. } = &done.report;
    let faults = |seed: &u64| match found.iter().find(|found| found.seed == *seed) {
        Some(found) => vec![found.flaw.to_string(), shown(found, done.backend)],
        None if broken.contains(seed) => vec![format!("broken: echo-sim replay --seed {seed}")],
        None => Vec::new(),
    };
    let case = |seed: &u64| Case {
        class: "random".to_owned(),
        name: format!("seed {seed}"),
        // The scenarios run in parallel, so each has its share of the time.
        took: done.took / u32::try_from(done.seeds.len()).unwrap_or(u32::MAX).max(1),
        result: CaseResult::Run(faults(seed)),
    };
    (done.backend.id().to_owned(), done.seeds.iter().map(case).collect())
}

fn pairs(pairs: &Pairs) -> Value {
    let one = |subject: Subject| {
        let coverage = pairs.coverage(subject);
        json!({"subject": subject.name(), "reachable": coverage.reachable(), "reached": coverage.reached})
    };
    Subject::ALL.into_iter().map(one).collect()
}

fn json(all: &[Done], options: &Options, stopped: bool) -> String {
    let found = |found: &Found| {
        json!({
            "seed": found.seed,
            "drawn": found.drawn.to_string(),
            "id": found.scenario.to_string(),
            "flaw": found.flaw.to_string(),
        })
    };
    let one = |done: &Done| {
        json!({
            "backend": done.backend.id(),
            "scenarios": done.report.scenarios,
            "left_out": done.left_out,
            "simulated_ms": done.report.simulated,
            "took_ms": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
            "broken": done.report.broken,
            "pairs": pairs(&done.report.pairs),
            "found": done.report.found.iter().map(found).collect::<Vec<Value>>(),
        })
    };
    let runs: Vec<Value> = all.iter().map(one).collect();
    let seeds = options.seeds.to_string();
    format!(
        "{:#}\n",
        json!({"schema": "echo-sim/random", "version": 1, "seeds": seeds, "stopped": stopped, "runs": runs})
    )
}

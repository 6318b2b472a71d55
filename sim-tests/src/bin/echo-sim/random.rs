//! `echo-sim random`: random scenarios, and the simplest that break a promise.

use crate::output::{self, Answer, Trouble};
use crate::select::{Seeds, backends};
use serde_json::{Value, json};
use sim_tests::explore::Subject;
use sim_tests::file::Saved;
use sim_tests::pairs::Pairs;
use sim_tests::random::{Found, Hunt, drawn, hunt};
use sim_tests::{Backend, Shard, report};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The seeds, from A up to, not including, B: each is one scenario
    #[arg(long, value_name = "A..B")]
    seeds: Seeds,
    /// Run on this backend only: pair, turmoil or packet
    #[arg(long)]
    backend: Option<Backend>,
    /// Only the K-th of N parts
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
    /// Write the results to FILE, in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A hunt on one backend, and how long it took.
struct Done {
    backend: Backend,
    /// The seeds whose scenarios were run.
    seeds: Vec<u64>,
    /// How many scenarios need a network that this backend does not have.
    left_out: usize,
    hunt: Hunt,
    took: Duration,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let seeds = options.seeds.of(options.shard);
    let one = |backend: Backend| {
        // A seed of which nothing can be drawn stays: the hunt reports it.
        let can = |seed: &u64| drawn(*seed).map_or(true, |scenario| backend.expresses(&scenario).is_ok());
        let (able, unable): (Vec<u64>, Vec<u64>) = seeds.iter().partition(|seed| can(seed));
        let bar = output::progress(able.len());
        let began = Instant::now();
        let hunt = hunt(&|scenario| backend.run(scenario), &able, &|| bar.inc(1));
        bar.finish_and_clear();
        Done { backend, left_out: unable.len(), seeds: able, hunt, took: began.elapsed() }
    };
    let all: Vec<Done> = backends(options.backend).into_iter().map(one).collect();
    if all.iter().all(|done| done.seeds.is_empty()) {
        return Err(Trouble::Usage(format!(
            "none of the seeds {} can be run there; more seeds expected",
            options.seeds
        )));
    }
    if let Some(path) = &options.junit {
        output::write(path, &output::junit(all.iter().map(suite).collect())?)?;
    }
    let text = if options.json { json(&all, options) } else { all.iter().map(|done| done.text(options)).collect() };
    Ok(Answer { text, good: all.iter().all(|done| done.hunt.broken.is_empty()) })
}

impl Done {
    fn per_second(&self, count: f64) -> f64 {
        count / self.took.as_secs_f64().max(1e-9)
    }

    fn scenarios_per_second(&self) -> f64 {
        self.per_second(self.hunt.scenarios as f64)
    }

    fn simulated_per_second(&self) -> f64 {
        self.per_second(self.hunt.simulated as f64 / 1000.0)
    }

    fn text(&self, options: &Options) -> String {
        let Hunt { scenarios, broken, found, .. } = &self.hunt;
        // Writing to a string cannot fail.
        let mut text = found.iter().map(|found| shown(found, self.backend)).collect::<String>();
        if broken.len() > found.len() {
            let rest: Vec<_> = broken.iter().skip(found.len()).take(20).map(ToString::to_string).collect();
            let _ = writeln!(text, "{} seeds in all; others are {}", broken.len(), rest.join(", "));
        }
        let verdict = match broken.len() {
            0 if *scenarios == 0 => "nothing was run".to_owned(),
            0 => "the contract holds in all of them".to_owned(),
            bad => format!("{bad} BROKEN"),
        };
        let (rate, simulated) = (self.scenarios_per_second(), self.simulated_per_second());
        let _ = writeln!(text, "{scenarios} of the seeds {} on {}: {verdict}.", options.seeds, self.backend.id());
        if self.left_out > 0 {
            let _ = writeln!(text, "    {} others need a network that it does not have", self.left_out);
        }
        let took = self.took.as_secs_f64();
        let _ = writeln!(text, "    {took:.1} s; {rate:.0} scenarios/s, each run twice; {simulated:.0} simulated s/s");
        text + &self.hunt.pairs.to_string()
    }
}

/// A broken promise: what, the scenario as a file, its ladder, and how to see it again.
fn shown(found: &Found, backend: Backend) -> String {
    let Found { seed, drawn, scenario, flaw, record } = found;
    let saved = Saved { scenario: scenario.clone(), backend: Some(backend), seed: Some(*seed) };
    let ladder = record.as_ref().map(|record| report::ladder(record, true)).unwrap_or_default();
    let backend = backend.id();
    format!(
        "BROKEN: {flaw}\n\
         # The simplest scenario that shows it; drawn from seed {seed} as\n# {drawn}\n{saved}\n{ladder}\
         replay: echo-sim replay {scenario} --backend {backend}\n\
         as it was drawn: echo-sim replay --seed {seed} --backend {backend}\n\n",
    )
}

fn suite(done: &Done) -> output::Suite {
    let Hunt { broken, found, .. } = &done.hunt;
    let faults = |seed: &u64| match found.iter().find(|found| found.seed == *seed) {
        Some(found) => vec![found.flaw.to_string(), shown(found, done.backend)],
        None if broken.contains(seed) => vec![format!("broken: echo-sim replay --seed {seed}")],
        None => Vec::new(),
    };
    (done.backend.id().to_owned(), done.seeds.iter().map(|seed| (format!("seed {seed}"), faults(seed))).collect())
}

fn pairs(pairs: &Pairs) -> Value {
    let one = |subject: Subject| {
        let coverage = pairs.coverage(subject);
        json!({"subject": subject.name(), "reachable": coverage.reachable(), "reached": coverage.reached})
    };
    Subject::ALL.into_iter().map(one).collect()
}

fn json(all: &[Done], options: &Options) -> String {
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
            "scenarios": done.hunt.scenarios,
            "left_out": done.left_out,
            "simulated_ms": done.hunt.simulated,
            "took_ms": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
            "broken": done.hunt.broken,
            "pairs": pairs(&done.hunt.pairs),
            "found": done.hunt.found.iter().map(found).collect::<Vec<Value>>(),
        })
    };
    let runs: Vec<Value> = all.iter().map(one).collect();
    let seeds = options.seeds.to_string();
    format!("{:#}\n", json!({"schema": "echo-sim/random", "version": 1, "seeds": seeds, "runs": runs}))
}

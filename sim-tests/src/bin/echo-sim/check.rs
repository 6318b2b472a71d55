//! `echo-sim check`: runs the catalogue on all backends, and summarizes the results.

use crate::output::{self, Answer, Case, CaseResult, Trouble};
use crate::select::{Chosen, Part, backends};
use echo_core::Role;
use serde_json::{Value, json};
use sim_tests::baseline::Baseline;
use sim_tests::internal::parallel_map;
use sim_tests::{Backend, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    part: Part,
    /// Run on this backend only: pair, turmoil or packet
    #[arg(long, value_parser = crate::select::simulator)]
    backend: Option<Backend>,
    /// Print a row for each sequence
    #[arg(long)]
    verbose: bool,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
    /// Write the results to FILE, in JUnit format
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the result of each run to FILE, for `echo-sim diff`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// A sequence and its results.
struct Row {
    /// Its id.
    id: &'static str,
    /// Wire, client plan and server plan, as the class name for JUnit.
    class: String,
    runs: Vec<Run>,
    left_out: Vec<LeftOut>,
}

/// A run of the sequence.
struct Run {
    backend: Backend,
    /// The arguments that replay it.
    replay: String,
    client: &'static str,
    server: &'static str,
    faults: Vec<String>,
    took: Duration,
    /// Kept only if it will be saved.
    record: Option<Record>,
}

/// A run that the backend does not support.
struct LeftOut {
    backend: Backend,
    replay: String,
    reason: String,
}

/// The largest number of broken runs that are shown without `--verbose`.
const SHOWN: usize = 20;

const LEGEND: &str = "\
Outcomes, as each side reports its own end:
  clean      both sides sent CLOSE, which proves that every answer arrived
  unproven   the plain wire has no CLOSE; both FINs were seen
  truncated  FIN came before CLOSE
  failed     one side sent CLOSE with an error code
  reset      RST
  timed out  a deadline passed
  violation  the peer broke the protocol
  killed     its plan stopped it, so it reports nothing
";

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let chosen = options.part.chosen()?;
    let backends = backends(options.backend);
    let bar = output::progress(chosen.len());
    let rows = parallel_map(chosen.len(), |index| {
        let row = Row::new(chosen[index], &backends, options.save.is_some());
        bar.inc(1);
        row
    });
    bar.finish_and_clear();
    if rows.iter().all(|row| row.runs.is_empty())
        && let Some(left_out) = rows.iter().find_map(|row| row.left_out.first())
    {
        let count = rows.len();
        return Err(Trouble::Usage(format!("none of {count} sequences was run: {}", left_out.reason)));
    }
    if let Some(path) = &options.save {
        output::write(path, baseline(&rows).to_string())?;
    }
    if let Some(path) = &options.junit {
        output::write(path, output::junit(suites(&rows, &backends))?)?;
    }
    // Only the backends that ran something.
    let ran = |backend: &&Backend| rows.iter().flat_map(|row| &row.runs).any(|run| run.backend == **backend);
    let backends: Vec<Backend> = backends.iter().filter(ran).copied().collect();
    let text = if options.json { json(&rows, &backends, options) } else { text(&rows, &backends, options) };
    Ok(Answer::new(text, rows.iter().all(Row::is_good)))
}

impl Row {
    fn new(chosen: Chosen, backends: &[Backend], keep: bool) -> Self {
        let (mut all, mut left_out) = (Vec::new(), Vec::new());
        for (scenario, replay) in chosen.runs() {
            for &backend in backends {
                let replay = format!("{replay} --backend {}", backend.id());
                if let Err(refusal) = backend.expresses(&scenario) {
                    left_out.push(LeftOut { backend, replay, reason: refusal.to_string() });
                    continue;
                }
                let began = Instant::now();
                let ran = backend.run(&scenario);
                let took = began.elapsed();
                all.push(match ran {
                    Ok(record) => Run::new(chosen, replay, record, took, keep),
                    Err(refusal) => Run::refused(backend, replay, format!("cannot be run: {refusal}"), took),
                });
            }
        }
        let id = chosen.id();
        let class = id.rsplit_once('/').map_or(id, |(class, _)| class).replace('/', " ");
        Self { id, class, runs: all, left_out }
    }

    fn is_good(&self) -> bool {
        self.runs.iter().all(|run| run.faults.is_empty())
    }

    /// Returns the value of `name` for the runs: one if they agree, otherwise each.
    fn outcomes(&self, name: fn(&Run) -> &'static str) -> String {
        let names: BTreeSet<_> = self.runs.iter().map(name).collect();
        names.into_iter().collect::<Vec<_>>().join(" / ")
    }
}

impl Run {
    fn new(chosen: Chosen, replay: String, record: Record, took: Duration, keep: bool) -> Self {
        Self {
            backend: record.backend,
            replay,
            client: record.ending(Role::Client).name(),
            server: record.ending(Role::Server).name(),
            faults: chosen.judge(&record).iter().map(ToString::to_string).collect(),
            took,
            record: Some(record).filter(|_| keep),
        }
    }

    fn refused(backend: Backend, replay: String, fault: String, took: Duration) -> Self {
        Self { backend, replay, client: "open", server: "open", faults: vec![fault], took, record: None }
    }
}

fn baseline(rows: &[Row]) -> Baseline {
    let mut baseline = Baseline::default();
    for run in rows.iter().flat_map(|row| &row.runs) {
        if let Some(record) = &run.record {
            baseline.add(run.replay.clone(), record);
        }
    }
    baseline
}

fn suites(rows: &[Row], backends: &[Backend]) -> Vec<output::Suite> {
    let suite = |backend: &Backend| {
        let mut cases = Vec::new();
        for row in rows {
            let class = || row.class.clone();
            cases.extend(row.runs.iter().filter(|run| run.backend == *backend).map(|run| Case {
                class: class(),
                name: run.replay.clone(),
                took: run.took,
                result: CaseResult::Run(run.faults.clone()),
            }));
            cases.extend(row.left_out.iter().filter(|run| run.backend == *backend).map(|run| Case {
                class: class(),
                name: run.replay.clone(),
                took: Duration::ZERO,
                result: CaseResult::Skipped(run.reason.clone()),
            }));
        }
        (backend.id().to_owned(), cases)
    };
    backends.iter().map(suite).collect()
}

/// A pair of endings, and how often it occurred.
struct Endings {
    client: &'static str,
    server: &'static str,
    runs: usize,
    /// The number of sequences. One whose runs end in several ways counts in each.
    sequences: usize,
}

/// Returns the pairs of endings, the most frequent first.
fn endings(rows: &[Row]) -> Vec<Endings> {
    let mut seen: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for row in rows {
        let pairs: BTreeSet<_> = row.runs.iter().map(|run| (run.client, run.server)).collect();
        pairs.into_iter().for_each(|pair| seen.entry(pair).or_default().1 += 1);
        row.runs.iter().for_each(|run| seen.entry((run.client, run.server)).or_default().0 += 1);
    }
    let ending = |((client, server), (runs, sequences))| Endings { client, server, runs, sequences };
    let mut seen: Vec<_> = seen.into_iter().map(ending).collect();
    seen.sort_by_key(|ending| std::cmp::Reverse(ending.runs));
    seen
}

fn names(backends: &[Backend]) -> String {
    let names: Vec<_> = backends.iter().map(|backend| backend.id()).collect();
    match &names[..] {
        [more @ .., last] if !more.is_empty() => format!("{} and {last}", more.join(", ")),
        _ => names.concat(),
    }
}

fn text(rows: &[Row], backends: &[Backend], options: &Options) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let part = if options.part.is_whole() { "Every close sequence" } else { "A part" };
    let _ = writeln!(text, "{part} of the catalogue, on\n{}. Times are virtual.\n", names(backends));
    if options.verbose {
        let _ = writeln!(text, "{:<7} {:<12} {:<12} close sequence", "verdict", "client", "server");
        for row in rows {
            let verdict = if row.is_good() { "ok" } else { "BROKEN" };
            let (client, server) = (row.outcomes(|run| run.client), row.outcomes(|run| run.server));
            let _ = writeln!(text, "{verdict:<7} {client:<12} {server:<12} {}", row.id);
        }
    } else {
        let _ = writeln!(text, "{:<12} {:<12} {:>9}", "client", "server", "runs");
        for Endings { client, server, runs, .. } in endings(rows) {
            let _ = writeln!(text, "{client:<12} {server:<12} {runs:>9}");
        }
    }
    let _ = writeln!(text, "\n{LEGEND}");
    text.push_str(&broken(rows, if options.verbose { usize::MAX } else { SHOWN }));
    let bad = rows.iter().filter(|row| !row.is_good()).count();
    let verdict = if bad == 0 { "the contract holds.".to_owned() } else { format!("{bad} BROKEN.") };
    let count = rows.iter().map(|row| row.runs.len()).sum::<usize>();
    let left_out = rows.iter().map(|row| row.left_out.len()).sum::<usize>();
    if left_out > 0 {
        let _ = writeln!(text, "{left_out} runs are left out: they need a network that a backend does not have.");
    }
    let _ = writeln!(text, "{} sequences in {count} runs on {}: {verdict}", rows.len(), names(backends));
    text.push_str("A row for each sequence: echo-sim check --verbose. One sequence, step by step:\n");
    text.push_str("echo-sim replay framed/client:none/server:close@answer-in-flight/clear\n");
    text
}

/// Describes the first broken runs, with the commands that replay them.
fn broken(rows: &[Row], most: usize) -> String {
    let mut text = String::new();
    let broken: Vec<_> = rows.iter().flat_map(|row| &row.runs).filter(|run| !run.faults.is_empty()).collect();
    for run in broken.iter().take(most) {
        let _ = writeln!(text, "BROKEN: {}", run.replay);
        for fault in &run.faults {
            let _ = writeln!(text, "    {fault}");
        }
        let _ = writeln!(text, "    replay: echo-sim replay {}", run.replay);
    }
    if broken.len() > most {
        let _ = writeln!(text, "… and {} more runs (--verbose)", broken.len() - most);
    }
    text
}

fn json(rows: &[Row], backends: &[Backend], options: &Options) -> String {
    let runs = || rows.iter().flat_map(|row| &row.runs);
    let broken: Vec<Value> = runs().filter(|run| !run.faults.is_empty()).map(run_as_json).collect();
    let pair = |Endings { client, server, runs, sequences }| json!({"client": client, "server": server, "runs": runs, "sequences": sequences});
    let mut value = json!({
        "schema": "echo-sim/check",
        "version": 1,
        "backends": backends.iter().map(|backend| backend.id()).collect::<Vec<_>>(),
        "sequences": rows.len(),
        "runs": runs().count(),
        "left_out": rows.iter().map(|row| row.left_out.len()).sum::<usize>(),
        "endings": endings(rows).into_iter().map(pair).collect::<Vec<_>>(),
        "broken": broken,
    });
    if options.verbose {
        let row = |row: &Row| {
            let runs: Vec<Value> = row.runs.iter().map(run_as_json).collect();
            json!({"id": row.id, "runs": runs})
        };
        value["rows"] = rows.iter().map(row).collect();
    }
    format!("{value:#}\n")
}

fn run_as_json(run: &Run) -> Value {
    json!({
        "replay": run.replay,
        "backend": run.backend.id(),
        "client": run.client,
        "server": run.server,
        "faults": run.faults,
    })
}

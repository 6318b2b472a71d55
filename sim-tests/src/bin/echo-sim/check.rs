//! `echo-sim check`: the catalogue on all backends, summed up.

use crate::output::{self, Answer, Trouble};
use crate::select::{Part, backends, runs};
use echo_core::Role;
use serde_json::{Value, json};
use sim_tests::catalogue::Sequence;
use sim_tests::ledger::Ledger;
use sim_tests::{Backend, Record, crew};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    part: Part,
    /// Run on this backend only: pair (two cores) or turmoil (the real client and server)
    #[arg(long)]
    backend: Option<Backend>,
    /// Print a row for each sequence
    #[arg(long)]
    verbose: bool,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
    /// Write the results to FILE, in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write what came of each run to FILE, for `echo-sim diff`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// A sequence, and what came of it.
struct Row {
    sequence: &'static Sequence,
    runs: Vec<Run>,
    /// Runs that a backend cannot express.
    left_out: usize,
}

/// One run of it.
struct Run {
    backend: Backend,
    /// The arguments that replay it.
    replay: String,
    client: &'static str,
    server: &'static str,
    faults: Vec<String>,
    /// Only if it is to be saved.
    record: Option<Record>,
}

/// So many broken promises are shown at most where not every row is asked for.
const SHOWN: usize = 20;

const LEGEND: &str = "\
Outcomes, as each end reports them itself:
  clean      both last words were exchanged: every answer arrived, and that is proven
  unproven   the plain wire has no last word; both FINs were seen
  truncated  FIN came before the last word       failed     the peer said why it could not go on
  reset      RST                                 timed out  a deadline passed
  violation  the peer broke the protocol         gone       its plan took it away: it reports nothing
";

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let sequences = options.part.sequences()?;
    let backends = backends(options.backend);
    let bar = output::progress(sequences.len());
    let rows = crew::each(sequences.len(), |index| {
        let row = Row::new(sequences[index], &backends, options.save.is_some());
        bar.inc(1);
        row
    });
    bar.finish_and_clear();
    if let Some(path) = &options.save {
        output::write(path, ledger(&rows).to_string())?;
    }
    if let Some(path) = &options.junit {
        output::write(path, output::junit(suites(&rows, &backends))?)?;
    }
    let text = if options.json { json(&rows, &backends, options) } else { text(&rows, &backends, options) };
    Ok(Answer { text, good: rows.iter().all(Row::is_good) })
}

impl Row {
    fn new(sequence: &'static Sequence, backends: &[Backend], keep: bool) -> Self {
        let (mut all, mut left_out) = (Vec::new(), 0);
        for (scenario, replay) in runs(sequence) {
            for backend in backends {
                if backend.expresses(&scenario).is_err() {
                    left_out += 1;
                    continue;
                }
                let replay = format!("{replay} --backend {}", backend.id());
                all.push(match backend.run(&scenario) {
                    Ok(record) => Run::new(sequence, replay, record, keep),
                    Err(refusal) => Run::refused(*backend, replay, format!("cannot be run: {refusal}")),
                });
            }
        }
        Self { sequence, runs: all, left_out }
    }

    fn is_good(&self) -> bool {
        self.runs.iter().all(|run| run.faults.is_empty())
    }

    /// What `name` gives of the runs: one if they agree, otherwise each.
    fn outcomes(&self, name: fn(&Run) -> &'static str) -> String {
        let names: BTreeSet<_> = self.runs.iter().map(name).collect();
        names.into_iter().collect::<Vec<_>>().join(" / ")
    }
}

impl Run {
    fn new(sequence: &Sequence, replay: String, record: Record, keep: bool) -> Self {
        Self {
            backend: record.backend,
            replay,
            client: record.ending(Role::Client).name(),
            server: record.ending(Role::Server).name(),
            faults: sequence.judge(&record).iter().map(ToString::to_string).collect(),
            record: Some(record).filter(|_| keep),
        }
    }

    fn refused(backend: Backend, replay: String, fault: String) -> Self {
        Self { backend, replay, client: "open", server: "open", faults: vec![fault], record: None }
    }
}

fn ledger(rows: &[Row]) -> Ledger {
    let mut ledger = Ledger::default();
    for run in rows.iter().flat_map(|row| &row.runs) {
        if let Some(record) = &run.record {
            ledger.enter(run.replay.clone(), record);
        }
    }
    ledger
}

fn suites(rows: &[Row], backends: &[Backend]) -> Vec<output::Suite> {
    let suite = |backend: &Backend| {
        let runs = rows.iter().flat_map(|row| &row.runs).filter(|run| run.backend == *backend);
        let cases = runs.map(|run| (run.replay.clone(), run.faults.clone())).collect();
        (backend.id().to_owned(), cases)
    };
    backends.iter().map(suite).collect()
}

/// The pairs of endings, and in how many sequences each was seen; the most frequent first.
fn endings(rows: &[Row]) -> Vec<((&'static str, &'static str), usize)> {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for row in rows {
        let pairs: BTreeSet<_> = row.runs.iter().map(|run| (run.client, run.server)).collect();
        pairs.into_iter().for_each(|pair| *seen.entry(pair).or_default() += 1);
    }
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
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
    let _ = writeln!(text, "{part} of the catalogue, on {}. Times are virtual.\n", names(backends));
    if options.verbose {
        let _ = writeln!(text, "{:<7} {:<12} {:<12} close sequence", "verdict", "client", "server");
        for row in rows {
            let verdict = if row.is_good() { "ok" } else { "BROKEN" };
            let (client, server) = (row.outcomes(|run| run.client), row.outcomes(|run| run.server));
            let _ = writeln!(text, "{verdict:<7} {client:<12} {server:<12} {}", row.sequence.id);
        }
    } else {
        let _ = writeln!(text, "{:<12} {:<12} sequences", "client", "server");
        for ((client, server), count) in endings(rows) {
            let _ = writeln!(text, "{client:<12} {server:<12} {count:>9}");
        }
    }
    let _ = writeln!(text, "\n{LEGEND}");
    text.push_str(&broken(rows, if options.verbose { usize::MAX } else { SHOWN }));
    let bad = rows.iter().filter(|row| !row.is_good()).count();
    let verdict = if bad == 0 { "the contract holds in all of them.".to_owned() } else { format!("{bad} BROKEN.") };
    let count = rows.iter().map(|row| row.runs.len()).sum::<usize>();
    let left_out = rows.iter().map(|row| row.left_out).sum::<usize>();
    if left_out > 0 {
        let _ = writeln!(text, "{left_out} runs are left out: packet has no relay, and no RST overtakes there.");
    }
    let _ = writeln!(text, "{} sequences in {count} runs on {}: {verdict}", rows.len(), names(backends));
    text.push_str("Row by row: echo-sim check --verbose. One, step by step:\n");
    text.push_str("echo-sim replay framed/client:none/server:close@answer-in-flight/clear\n");
    text
}

/// The first of the broken runs, and how to see them.
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
    let pair = |((client, server), count)| json!({"client": client, "server": server, "sequences": count});
    let mut value = json!({
        "schema": "echo-sim/check",
        "version": 1,
        "backends": backends.iter().map(|backend| backend.id()).collect::<Vec<_>>(),
        "sequences": rows.len(),
        "runs": runs().count(),
        "left_out": rows.iter().map(|row| row.left_out).sum::<usize>(),
        "endings": endings(rows).into_iter().map(pair).collect::<Vec<_>>(),
        "broken": broken,
    });
    if options.verbose {
        let row = |row: &Row| {
            let runs: Vec<Value> = row.runs.iter().map(run_as_json).collect();
            json!({"id": row.sequence.id, "runs": runs})
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

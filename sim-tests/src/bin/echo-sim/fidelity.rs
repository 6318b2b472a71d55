//! `echo-sim fidelity`: the same sequences on all networks and on Linux, and where they differ.

use crate::linux_worker;
use crate::output::{self, Answer, Trouble};
use serde_json::{Value, json};
use sim_tests::fidelity::{Comparison, Differences, Kind, Mismatch, PROGRAMS, TABLE};
use sim_tests::{Backend, Network, Record, Scenario, catalogue, check, check_tcp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only sequences whose id contains each of these, such as server:close or /cut-idle
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// How often Linux runs each sequence; one that contradicts the table then runs 20 times more
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    tries: u16,
    /// The table of known differences (default: sim-tests/FIDELITY.md, as it was when this program was built)
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Print the program that shows what a simulator's own stack does, as one file for a report upstream; see
    /// FIDELITY.md for their names
    #[arg(long, value_name = "NAME", conflicts_with_all = ["filters", "tries", "table", "verbose", "json"])]
    program: Option<String>,
    /// Print all differences, also those that the table has
    #[arg(long)]
    verbose: bool,
    /// Print JSON (see SCHEMA.md)
    #[arg(long)]
    json: bool,
}

/// How many times more a sequence runs that contradicts the table. What happens in few of its runs can have been the
/// most frequent of the first ones.
const MORE: usize = 20;

/// What was found.
struct Found {
    comparisons: Vec<Comparison>,
    differences: Differences,
    runs: usize,
    /// Whether all sequences were compared, and the simulators' own stacks.
    is_whole: bool,
    /// Runs of Linux that break the contract, or RFC 9293.
    broken: Vec<String>,
    mismatches: Vec<Mismatch>,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    if let Some(name) = &options.program {
        return program(name);
    }
    let table = match &options.table {
        Some(path) => output::read(path)?,
        None => TABLE.to_owned(),
    };
    let table = Differences::read(&table)?;
    let scenarios = scenarios(&options.filters)?;
    let found = find(&scenarios, options, table)?;
    let good = found.broken.is_empty() && found.mismatches.is_empty();
    let text = if options.json { format!("{:#}\n", as_json(&found)) } else { text(&found, options.verbose) };
    Ok(Answer::new(text, good))
}

fn program(name: &str) -> Result<Answer, Trouble> {
    let program = PROGRAMS.iter().find(|program| program.name == name).ok_or_else(|| {
        let names: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        Trouble::Usage(format!("no program {name:?}; there are {}", names.join(", ")))
    })?;
    Ok(Answer::new(program.source(), true))
}

/// Returns the sequences that Linux can express, in which at most one side acts. Of those with a handler, the short one on
/// the clear network: a handler concerns no kernel.
fn scenarios(filters: &[String]) -> Result<Vec<Scenario>, Trouble> {
    let product = catalogue::all().iter().map(|sequence| (&sequence.id, &sequence.scenario));
    let packets = catalogue::packets().iter().map(|sequence| (&sequence.id, &sequence.scenario));
    let chosen: Vec<Scenario> = product
        .chain(packets)
        .filter(|(id, _)| filters.iter().all(|filter| id.contains(filter)))
        .filter(|(_, scenario)| scenario.client.steps.len() + scenario.server.steps.len() <= 1)
        .filter(|(_, Scenario { overrides, network, .. })| match overrides.handler {
            Some(millis) => millis == 30 && *network == Network::clear(4),
            None => true,
        })
        .filter(|(_, scenario)| Backend::Linux.expresses(scenario).is_ok())
        .map(|(_, scenario)| scenario.clone())
        .collect();
    match chosen.is_empty() {
        true => Err(Trouble::Usage(format!(
            "no sequence that Linux can express and in which at most one side acts has an id with {}",
            filters.join(" and ")
        ))),
        false => Ok(chosen),
    }
}

fn find(scenarios: &[Scenario], options: &Options, table: Differences) -> Result<Found, Trouble> {
    let tries = usize::from(options.tries);
    let mut records = run_each(scenarios, tries)?;
    let linux: Vec<&[Record]> = records.chunks(tries).collect();
    let mut comparisons =
        Comparison::all(scenarios, &linux, || ()).map_err(|error| Trouble::Failed(error.to_string()))?;
    records.extend(run_more(&mut comparisons, &table)?);
    let mut differences = Differences::found(&comparisons);
    let is_whole = options.filters.is_empty();
    if is_whole {
        add_stacks(&mut differences)?;
    }
    // Of a part, only what it can show is compared.
    let ids: BTreeSet<String> = scenarios.iter().map(ToString::to_string).collect();
    let is_shown = |kind: Kind, line: &str| match kind {
        Kind::Endings => line.split_once(": ").is_some_and(|(_, id)| ids.contains(id)),
        Kind::States | Kind::Sometimes | Kind::Stacks => false,
    };
    let mut mismatches = Differences::mismatches(&table, &differences);
    if !is_whole {
        mismatches.retain(|one| match one {
            Mismatch::NoLonger(kind, line) => is_shown(*kind, line),
            Mismatch::NotInTable(..) => true,
        });
    }
    let broken = records.iter().flat_map(broken).collect();
    Ok(Found { comparisons, differences, runs: records.len(), is_whole, broken, mismatches })
}

/// Runs each sequence `tries` times on Linux. Returns the records in the order of `scenarios`.
fn run_each(scenarios: &[Scenario], tries: usize) -> Result<Vec<Record>, Trouble> {
    let jobs: Vec<Scenario> = scenarios.iter().flat_map(|one| std::iter::repeat_n(one.clone(), tries)).collect();
    let bar = output::progress_of(Some(jobs.len() as u64));
    let records = linux_worker::records(&jobs, || bar.inc(1))?;
    bar.finish_and_clear();
    Ok(records)
}

/// Runs the sequences that contradict `table` again, and adds the records to their comparisons.
fn run_more(comparisons: &mut [Comparison], table: &Differences) -> Result<Vec<Record>, Trouble> {
    let mut doubtful: Vec<&mut Comparison> = comparisons.iter_mut().filter(|one| table.contradicts(one)).collect();
    if doubtful.is_empty() {
        // Without a worker, and so without a namespace, that has nothing to do.
        return Ok(Vec::new());
    }
    let scenarios: Vec<Scenario> = doubtful.iter().map(|one| one.scenario.clone()).collect();
    let records = run_each(&scenarios, MORE)?;
    doubtful.iter_mut().zip(records.chunks(MORE)).for_each(|(one, records)| one.add(records));
    Ok(records)
}

/// Adds the differences of the simulators' own stacks.
fn add_stacks(differences: &mut Differences) -> Result<(), Trouble> {
    for (program, linux) in PROGRAMS.iter().zip(linux_worker::stacks(&PROGRAMS)?) {
        let simulator = program.on_simulator();
        if simulator != linux {
            let name = format!("{} {}", program.simulator, program.name);
            differences.add(Kind::Stacks, format!("{name}: {simulator} | linux: {linux}"));
        }
    }
    Ok(())
}

/// Returns the rules that a record of Linux breaks.
fn broken(record: &Record) -> Vec<String> {
    let contract = check(record).into_iter().map(|breach| breach.to_string());
    let tcp = check_tcp(record).into_iter().map(|breach| breach.to_string());
    contract.chain(tcp).map(|what| format!("{}: {what}", record.scenario)).collect()
}

fn text(found: &Found, verbose: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if verbose {
        for kind in [Kind::Endings, Kind::States, Kind::Stacks] {
            let lines: String = found.differences.lines(kind).map(|line| format!("{line}\n")).collect();
            let _ = writeln!(text, "```{}\n{lines}```\n", kind.id());
        }
    }
    if verbose {
        text.push_str(&examples(&found.comparisons));
    }
    for comparison in &found.comparisons {
        if let Some(varying) = comparison.varying() {
            let endings: Vec<String> = varying.iter().map(|(ending, count)| format!("{count}: {ending}")).collect();
            let _ = writeln!(text, "varies on linux: {}\n    {}", comparison.scenario, endings.join("\n    "));
        }
    }
    for broken in &found.broken {
        let _ = writeln!(text, "BROKEN: {broken}");
    }
    for mismatch in &found.mismatches {
        let _ = writeln!(text, "DIFFERS: {mismatch}");
    }
    let count = |kind| found.differences.lines(kind).count();
    let (sequences, runs) = (found.comparisons.len(), found.runs);
    let (endings, states) = (count(Kind::Endings), count(Kind::States));
    let _ = writeln!(
        text,
        "{sequences} sequences on Linux, {runs} runs: {endings} end in another way on a simulator, and {states} state \
         paths differ."
    );
    let _ = match found.is_whole {
        true => writeln!(text, "{} behaviours of the simulators' own stacks differ.", count(Kind::Stacks)),
        false => writeln!(
            text,
            "This is a part: the simulators' own stacks, and state paths that no longer happen, are not checked."
        ),
    };
    let _ = match (found.broken.len(), found.mismatches.len()) {
        (0, 0) => writeln!(text, "The contract and RFC 9293 hold in all runs, and the table explains each difference."),
        (broken, mismatches) => writeln!(text, "{broken} BROKEN, {mismatches} DIFFER from the table."),
    };
    text
}

/// Returns for each difference of state paths the number of sequences that have it, and one of them.
fn examples(comparisons: &[Comparison]) -> String {
    let mut examples: BTreeMap<[String; 2], (usize, String)> = BTreeMap::new();
    for comparison in comparisons {
        for pair in comparison.different_states() {
            examples.entry(pair).or_insert_with(|| (0, comparison.scenario.to_string())).0 += 1;
        }
    }
    let line = |([packet, linux], (count, id)): (&[String; 2], &(usize, String))| {
        format!("{count} times: packet {packet} | linux {linux}\n    such as {id}\n")
    };
    examples.iter().map(line).collect()
}

fn as_json(found: &Found) -> Value {
    let lines = |kind| found.differences.lines(kind).collect::<Vec<_>>();
    let varying = found.comparisons.iter().filter_map(|comparison| {
        let endings = comparison.varying()?;
        Some(json!({"id": comparison.scenario.to_string(), "endings": endings}))
    });
    json!({
        "schema": "echo-sim/fidelity",
        "version": 1,
        "sequences": found.comparisons.len(),
        "runs": found.runs,
        "whole": found.is_whole,
        "endings": lines(Kind::Endings),
        "states": lines(Kind::States),
        "stacks": lines(Kind::Stacks),
        "varying": varying.collect::<Vec<_>>(),
        "broken": found.broken,
        "mismatches": found.mismatches.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

//! `echo-sim replay`: one scenario, step by step.

use crate::output::{self, Answer, Trouble};
use sim_tests::file::Saved;
use sim_tests::{Backend, Refusal, Scenario, catalogue, pcapng, random, report, setting, tcp};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The id, as `echo-sim list` prints it or any other that is built in the same way; or a scenario file
    #[arg(value_name = "ID|FILE", required_unless_present = "seed")]
    what: Option<String>,
    /// Without ID or FILE: the random scenario of this seed. With one: where a race may go either way, which run
    /// (0 or 1; otherwise all are shown)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// On this backend: pair, turmoil or packet (default: the file's, or else pair)
    #[arg(long)]
    backend: Option<Backend>,
    /// Leave the times out
    #[arg(long)]
    no_times: bool,
    /// Print the scenario as a file, and do not run it
    #[arg(long)]
    text: bool,
    /// Stop after so much virtual time (default: the sum of all deadlines)
    #[arg(long, value_name = "MS")]
    budget: Option<u64>,
    /// Write every packet to FILE in pcapng, lost ones too, each with its fate and both TCP states as a comment; with
    /// the backend packet only
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let saved = what(options)?;
    if options.text {
        return Ok(Answer { text: saved.to_string(), good: true });
    }
    let backend = options.backend.or(saved.backend).unwrap_or(Backend::Pair);
    let mut runs = saved.scenario.runs();
    if let (Some(seed), Some(_)) = (options.seed, &options.what) {
        let chosen = usize::try_from(seed).ok().filter(|seed| *seed < runs.len());
        let none = || Trouble::Usage(format!("no run {seed} of {}: there are {}", saved.scenario, runs.len()));
        runs = vec![runs[chosen.ok_or_else(none)?].clone()];
    }
    if options.pcap.is_some() && backend != Backend::Packet {
        return Err(Trouble::Usage(format!("--pcap needs --backend packet: {} has no packets", backend.id())));
    }
    let mut answer = Answer { text: String::new(), good: true };
    for scenario in runs.iter().filter(|scenario| runs.len() == 1 || backend.expresses(scenario).is_ok()) {
        show(scenario, backend, options, &mut answer)?;
    }
    Ok(answer)
}

/// What is to be replayed.
fn what(options: &Options) -> Result<Saved, Trouble> {
    let Some(what) = &options.what else {
        let seed = options.seed.unwrap_or_default();
        return Ok(Saved { scenario: random::drawn(seed)?, backend: options.backend, seed: Some(seed) });
    };
    let path = Path::new(what);
    if path.exists() || path.extension().is_some_and(|extension| extension == "scenario") {
        let text = output::read(path)?;
        return text.parse().map_err(|refusal: Refusal| Trouble::Usage(format!("{what}: {refusal}")));
    }
    what.parse().map(|scenario: Scenario| Saved::from(scenario)).map_err(|refusal| {
        let near = catalogue::nearest(what, 3).join(" ");
        Trouble::Usage(format!("{refusal}; the nearest ids are {near}"))
    })
}

fn show(scenario: &Scenario, backend: Backend, options: &Options, answer: &mut Answer) -> Result<(), Trouble> {
    let budget = options.budget.unwrap_or_else(|| setting::budget(scenario));
    let record = backend.run_within(scenario, budget)?;
    answer.text.push_str(&report::ladder(&record, !options.no_times));
    if !record.packets.is_empty() {
        answer.text.push('\n');
        answer.text.push_str(&tcp::ladder(&record, !options.no_times));
    }
    if let Some(path) = &options.pcap {
        let mut capture = Vec::new();
        pcapng::write(&record, &mut capture)
            .map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))?;
        output::write(path, &capture)?;
    }
    let faults = catalogue::judge(&record);
    let breaches = tcp::check(&record);
    answer.good &= faults.is_empty() && breaches.is_empty();
    for breach in &breaches {
        let _ = writeln!(answer.text, "BROKEN: {breach}");
    }
    for fault in &faults {
        // Writing to a string cannot fail.
        let _ = writeln!(answer.text, "BROKEN: {fault}");
    }
    Ok(())
}

//! `echo-sim replay`: runs one scenario and shows each step.

use crate::output::{self, Answer, Trouble};
use echo_core::Role;
use serde_json::{Value, json};
use sim_tests::file::Saved;

use sim_tests::{
    Backend, LogEntry, Record, Scenario, ScenarioError, catalogue, check_tcp, defaults, ladder, packet_ladder, pcapng,
    random,
};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// An id, as `echo-sim list` prints it, or any other of the same form; or a scenario file
    #[arg(value_name = "ID|FILE", required_unless_present = "seed")]
    what: Option<String>,
    /// Without ID or FILE: the random scenario of this seed. With one: the number of the run where a race may go either
    /// way (0 or 1; otherwise all are shown)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run on this backend: pair, turmoil, packet, or linux, the kernel of this machine (default: the file's, or else
    /// pair, or packet if the network needs packets)
    #[arg(long)]
    backend: Option<Backend>,
    /// Print JSON (see SCHEMA.md)
    #[arg(long, conflicts_with_all = ["text", "no_times"])]
    json: bool,
    /// Omit the times
    #[arg(long)]
    no_times: bool,
    /// Print the scenario as a file, without running it
    #[arg(long)]
    text: bool,
    /// Stop after this virtual time (default: the sum of all deadlines)
    #[arg(long, value_name = "MS")]
    budget: Option<u64>,
    /// Write every packet to FILE in pcapng, lost ones too, each with its fate and both TCP states as a comment; only
    /// with the backend packet or linux
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let saved = what(options)?;
    if options.text {
        return Ok(Answer::new(saved.to_string(), true));
    }
    // A network that needs packets runs on the packet backend.
    let usual = if saved.scenario.network.has_packets() { Backend::Packet } else { Backend::Pair };
    let backend = options.backend.or(saved.backend).unwrap_or(usual);
    let mut runs = saved.scenario.runs();
    if let (Some(seed), Some(_)) = (options.seed, &options.what) {
        let chosen = usize::try_from(seed).ok().filter(|seed| *seed < runs.len());
        let none =
            || Trouble::Usage(format!("no run {seed} of {}: expected a number below {}", saved.scenario, runs.len()));
        runs = vec![runs[chosen.ok_or_else(none)?].clone()];
    }
    if options.pcap.is_some() && !matches!(backend, Backend::Packet | Backend::Linux) {
        return Err(Trouble::Usage(format!("--pcap needs --backend packet or linux: {} has no packets", backend.id())));
    }
    if runs.iter().all(|run| backend.expresses(run).is_err()) {
        backend.expresses(&runs[0])?;
    }
    let mut shown = Shown { text: String::new(), json: Vec::new(), good: true };
    for scenario in runs.iter().filter(|scenario| runs.len() == 1 || backend.expresses(scenario).is_ok()) {
        shown.show(scenario, backend, options)?;
    }
    let text = match options.json {
        true => format!("{:#}\n", json!({"schema": "echo-sim/replay", "version": 1, "runs": shown.json})),
        false => shown.text,
    };
    Ok(Answer::new(text, shown.good))
}

/// Returns the scenario to replay.
fn what(options: &Options) -> Result<Saved, Trouble> {
    let Some(what) = &options.what else {
        let seed = options.seed.unwrap_or_default();
        return Ok(Saved { scenario: random::drawn(seed)?, backend: options.backend, seed: Some(seed) });
    };
    let path = Path::new(what);
    if path.exists() || path.extension().is_some_and(|extension| extension == "scenario") {
        let text = output::read(path)?;
        return text.parse().map_err(|refusal: ScenarioError| Trouble::Usage(format!("{what}: {refusal}")));
    }
    what.parse().map(|scenario: Scenario| Saved::from(scenario)).map_err(|refusal| {
        let near = catalogue::nearest(what, 3).join(" ");
        Trouble::Usage(format!("{refusal}; the nearest ids are {near}"))
    })
}

/// The output of the runs so far.
struct Shown {
    text: String,
    json: Vec<Value>,
    good: bool,
}

impl Shown {
    fn show(&mut self, scenario: &Scenario, backend: Backend, options: &Options) -> Result<(), Trouble> {
        let budget = options.budget.unwrap_or_else(|| defaults::budget(scenario));
        let record = match backend {
            Backend::Linux => on_linux(scenario, options)?,
            Backend::Pair | Backend::Turmoil | Backend::Packet => backend.run_within(scenario, budget)?,
        };
        if let Some(path) = &options.pcap {
            let mut capture = Vec::new();
            pcapng::write(&record, &mut capture)
                .map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))?;
            output::write(path, &capture)?;
        }
        // A budget of the user's is not part of the contract, so a run that it cuts off is not checked.
        let cut = options.budget.filter(|_| record.over_at.is_none());
        let broken = if cut.is_some() { Vec::new() } else { broken(&record) };
        self.good &= broken.is_empty() && cut.is_none();
        if options.json {
            self.json.push(as_json(&record, &broken));
            return Ok(());
        }
        self.text.push_str(&ladder::ladder(&record, !options.no_times));
        if !record.packets.is_empty() {
            self.text.push('\n');
            self.text.push_str(&packet_ladder::ladder(&record, !options.no_times));
        }
        // Writing to a string cannot fail.
        if let Some(budget) = cut {
            let _ = writeln!(self.text, "not over after {budget} ms (--budget): not checked");
        }
        for broken in &broken {
            let _ = writeln!(self.text, "BROKEN: {broken}");
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn on_linux(scenario: &Scenario, options: &Options) -> Result<Record, Trouble> {
    if options.budget.is_some() {
        return Err(Trouble::Usage("--budget needs a simulator: on the backend linux time is real".into()));
    }
    Backend::Linux.expresses(scenario)?;
    let mut records = crate::linux_worker::records(std::slice::from_ref(scenario), || ())?;
    records.pop().ok_or_else(|| Trouble::Failed("the worker gave no record".into()))
}

#[cfg(not(target_os = "linux"))]
fn on_linux(scenario: &Scenario, _: &Options) -> Result<Record, Trouble> {
    Ok(Backend::Linux.run(scenario)?)
}

/// Returns the rules that are broken.
fn broken(record: &Record) -> Vec<String> {
    let breaches = check_tcp(record);
    let faults = catalogue::check_run(record);
    breaches.iter().map(ToString::to_string).chain(faults.iter().map(ToString::to_string)).collect()
}

fn as_json(record: &Record, broken: &[String]) -> Value {
    let entry = |entry: &LogEntry| {
        let side = if entry.side == Role::Client { "client" } else { "server" };
        json!({"at_ms": entry.at, "side": side, "what": entry.what.to_string()})
    };
    json!({
        "id": record.scenario.to_string(),
        "backend": record.backend.id(),
        "over_at_ms": record.over_at,
        "client": record.ending(Role::Client).name(),
        "server": record.ending(Role::Server).name(),
        "entries": record.entries.iter().map(entry).collect::<Vec<_>>(),
        "broken": broken,
    })
}

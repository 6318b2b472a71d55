//! `echo-sim`: runs every close sequence of the catalogue, and replays one with its ladder.

use clap::{Parser, Subcommand, ValueEnum};
use sim_tests::{Backend, Network, Scenario, catalogue, report};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Runs every close sequence of the catalogue on two cores and on a simulated network, and holds each run against
/// the close contract.
///
/// Exit status: 0 all is well, 1 a promise is broken, 2 wrong usage.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    check: Check,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole catalogue and print a table (the default)
    Check(Check),
    /// List the ids of the catalogue, with the outcomes each may have
    List,
    /// Run one sequence and print its ladder: who sent and got what, and when
    Replay(Replay),
    /// Print the hash of all traces, which is the same in every process and every build
    Hash,
}

#[derive(clap::Args)]
struct Check {
    /// Run on this backend only
    #[arg(long)]
    backend: Option<Engine>,
}

#[derive(clap::Args)]
struct Replay {
    /// The id, as `echo-sim list` prints it, or any other that is built in the same way
    id: String,
    /// On this backend
    #[arg(long, default_value = "pair")]
    backend: Engine,
    /// Leave the times out
    #[arg(long)]
    no_times: bool,
}

/// What a scenario can be run on.
#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// Two cores without any I/O
    Pair,
    /// The real client and server on turmoil's network
    Turmoil,
}

impl Engine {
    fn backend(self) -> Backend {
        match self {
            Self::Pair => Backend::Pair,
            Self::Turmoil => Backend::Turmoil,
        }
    }
}

/// What is printed, and whether all is well.
struct Answer {
    text: String,
    code: u8,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let answer = match options.command.unwrap_or(Command::Check(options.check)) {
        Command::Check(check) => check_all(&check),
        Command::List => Answer { text: list(), code: 0 },
        Command::Replay(options) => replay(&options),
        Command::Hash => hash(),
    };
    // A reader that has gone, as `head` does, is no reason to fail.
    let _ = io::stdout().write_all(answer.text.as_bytes());
    ExitCode::from(answer.code)
}

fn check_all(options: &Check) -> Answer {
    let one = options.backend.map(Engine::backend);
    let backends = Backend::ALL.into_iter().filter(|backend| one.is_none_or(|one| one == *backend));
    let backends: Vec<_> = backends.collect();
    let rows: Vec<_> = catalogue::all().iter().map(|one| report::Row::run(&one.id, &backends)).collect();
    let broken = rows.iter().filter(|row| !row.faults().is_empty()).count();
    let names: Vec<_> = backends.iter().map(|backend| backend.id()).collect();
    let text = format!(
        "Every close sequence of the catalogue, on: {}. Times are virtual.\n\n{}\n{}\n{} sequences on {} backends: {}\n{}\n",
        names.join(", "),
        report::table(&rows),
        LEGEND,
        rows.len(),
        backends.len(),
        if broken == 0 { "the contract holds in all of them.".to_owned() } else { format!("{broken} BROKEN.") },
        "See one, step by step: echo-sim replay framed/client:none/server:close@answer-in-flight/clear",
    );
    Answer { text, code: u8::from(broken > 0) }
}

const LEGEND: &str = "\
An id reads wire/client:WHAT@WHEN/server:WHAT@WHEN/network. Outcomes, as each end reports them itself:
  clean      both last words were exchanged: every answer arrived, and that is proven
  unproven   the plain wire has no last word; both FINs were seen
  truncated  FIN came before the last word       failed     the peer said why it could not go on
  reset      RST                                 timed out  a deadline passed
  gone       this end was taken away by the plan, and reports nothing
";

fn list() -> String {
    let mut text = String::new();
    for sequence in catalogue::all() {
        let _ = writeln!(text, "{}", sequence.id);
    }
    let _ = writeln!(text, "# Networks");
    for (name, about) in Network::NAMED {
        let _ = writeln!(text, "# {name:<15} {about}");
    }
    text
}

fn replay(options: &Replay) -> Answer {
    let backend = options.backend.backend();
    let run = options.id.parse().and_then(|scenario: Scenario| backend.run(&scenario));
    let record = match run {
        Ok(record) => record,
        Err(refusal) => {
            let near = catalogue::nearest(&options.id, 3).join("\n  ");
            // If standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "echo-sim: {refusal}\nnearest:\n  {near}");
            return Answer { text: String::new(), code: 2 };
        }
    };
    let mut text = report::ladder(&record, !options.no_times);
    let faults = catalogue::judge(&record);
    for found in &faults {
        let _ = writeln!(text, "BROKEN: {}", found);
    }
    Answer { text, code: u8::from(!faults.is_empty()) }
}

fn hash() -> Answer {
    let mut text = String::new();
    for backend in Backend::ALL {
        match catalogue::hash(backend) {
            Ok(hash) => {
                let _ = writeln!(text, "{} {hash:016x}", backend.id());
            }
            Err(refusal) => return Answer { text: format!("echo-sim: {refusal}\n"), code: 1 },
        }
    }
    Answer { text, code: 0 }
}

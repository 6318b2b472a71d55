//! Measures what each kind of misbehaviour costs the server and its other clients.
//!
//!     cargo run --release -p echo-net --example attackers -- [KIND ...] [--seconds S] [--connections N]
//!
//! Each kind gets a new server in its own process, a hundred well-behaved clients in this process, and attackers in a
//! third. Each kind is one row of a Markdown table. The first row is a server without attackers.

mod attacker;
mod clients;
mod measure;
mod probe;
mod process;
mod server;

use echo_net::misbehave::Kind;
use std::process::ExitCode;
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some(server::COMMAND) => server::run(),
        Some(attacker::COMMAND) => attacker::run(&arguments[1..]),
        _ => measure_all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("attackers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What to measure.
struct Selection {
    kinds: Vec<Kind>,
    seconds: Duration,
    connections: Option<usize>,
}

impl Selection {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut selection = Self { kinds: Vec::new(), seconds: Duration::from_secs(3), connections: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--seconds" => selection.seconds = Duration::try_from_secs_f64(value()?.parse()?)?,
                "--connections" => selection.connections = Some(value()?.parse()?),
                kind => selection.kinds.push(kind.parse()?),
            }
        }
        Ok(selection)
    }
}

#[tokio::main]
async fn measure_all(arguments: &[String]) -> Result<(), Failure> {
    let selection = Selection::parse(arguments)?;
    let cores = std::thread::available_parallelism()?;
    println!(
        "{cores} cores; {} clients, {} requests/s of {} B each\n",
        clients::COUNT,
        clients::RATE,
        clients::PAYLOAD
    );
    println!("{}", measure::HEADING);
    println!("{}", measure::measure(None, selection.seconds, None).await?);
    let kinds = if selection.kinds.is_empty() { Kind::ALL } else { &selection.kinds };
    for kind in kinds {
        println!("{}", measure::measure(Some(*kind), selection.seconds, selection.connections).await?);
    }
    Ok(())
}

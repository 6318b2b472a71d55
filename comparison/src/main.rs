//! The echo server beside other servers: one load generator, the same machine, in rounds of random order.
//!
//! ```text
//! cargo run --release -p comparison
//! ```
//!
//! Each server runs alone on the first core, the load generator on the last one. Ratios are taken within a round, and
//! their medians are printed, as Markdown.

mod figure;
mod library;
mod load;
mod peers;
mod process;
mod short;
mod table;
mod wire;

use clap::{Parser, Subcommand};
use figure::{FIGURES, Figure, Kind};
use peers::Peer;
use process::{Programs, Server};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use table::{Measured, Table};
use wire::Wire;

/// Compares the echo server with other servers. Takes about 20 minutes.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    /// Rounds. Each measures every server once, in random order.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Milliseconds of each measurement, after a warm-up of a quarter of it.
    #[arg(long, default_value_t = 500)]
    millis: u64,
    /// Only these figures: small-8, small-1, small-64, small-1000, ping-pong-1, ping-pong-32, bulk, idle, idle-10000, short,
    /// client, plain.
    #[arg(long)]
    figure: Vec<String>,
    /// Only these servers, beside ours.
    #[arg(long)]
    server: Vec<Peer>,
    /// Another build of this program, of an earlier version: its echo server is measured, too.
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Runs one server.
    #[command(hide = true)]
    Peer { peer: Peer },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        Some(Task::Peer { peer }) => peers::serve(peer),
        None => compare(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("comparison: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> io::Result<()> {
    if let Some(unknown) = args.figure.iter().find(|name| FIGURES.iter().all(|figure| figure.name != **name)) {
        let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
        return Err(io::Error::other(format!("no figure {unknown:?}; there are {}", names.join(", "))));
    }
    raise_descriptors()?;
    let programs = Programs { floor: process::compile_floor()?, before: args.before.clone() };
    let mut random = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64) | 1;
    let wanted = |figure: &&Figure| args.figure.is_empty() || args.figure.iter().any(|name| name == figure.name);
    let result = FIGURES.iter().filter(wanted).try_for_each(|figure| {
        let peers = peers_of(figure, args);
        let mut table = Table::new(figure, &peers);
        for round in 0..args.rounds {
            eprint!("\r{}: round {} of {} ", figure.name, round + 1, args.rounds);
            for number in shuffled(peers.len(), &mut random) {
                let (peer, wire) = peers[number];
                let measured = measure(figure.kind, peer, wire, &programs, Duration::from_millis(args.millis));
                table.add(number, measured.map_err(|error| explain(peer, figure, &error))?);
            }
        }
        eprintln!();
        println!("{table}");
        Ok(())
    });
    // It is in the folder for temporary files.
    let _ = std::fs::remove_file(programs.floor);
    result
}

/// Returns the servers of a figure that are wanted.
fn peers_of(figure: &Figure, args: &Args) -> Vec<(Peer, Wire)> {
    let mut peers = figure.peers.to_vec();
    let ours = peers[0].0;
    peers.retain(|(peer, _)| args.server.is_empty() || *peer == ours || args.server.contains(peer));
    if let (Some((Peer::Echo, wire)), Some(_)) = (peers.first().copied(), &args.before) {
        peers.insert(1, (Peer::Before, wire));
    }
    peers
}

fn explain(peer: Peer, figure: &Figure, error: &io::Error) -> io::Error {
    io::Error::other(format!("{} in {}: {error}", peer.name(), figure.name))
}

fn measure(kind: Kind, peer: Peer, wire: Wire, programs: &Programs, time: Duration) -> io::Result<Measured> {
    let server = Server::start(peer, programs)?;
    let mut before = Ok(Duration::ZERO);
    let warm_up = time / 4;
    let sample = match kind {
        Kind::Client(load) if peer == Peer::Library => {
            library::run(server.port, load, warm_up, time, || before = server.cpu())?
        }
        Kind::Throughput(load) | Kind::PingPong(load) | Kind::Client(load) | Kind::Bulk(load) => {
            let mut clients = load::connect(server.port, wire, load)?;
            load::run(&mut clients, load, warm_up, time, || before = server.cpu())?
        }
        Kind::Short => short::run(server.port, wire, warm_up, time, || before = server.cpu())?,
        Kind::Idle { connections } => {
            let alone = server.memory()?;
            let load = load::Load { connections, outstanding: 1, size: 64 };
            let clients = load::connect(server.port, wire, load)?;
            let each = server.memory()?.saturating_sub(alone) / connections as u64;
            // What a server does once for each connection soon after the last message is over then.
            std::thread::sleep(Duration::from_millis(1500));
            before = server.cpu();
            std::thread::sleep(time);
            let busy = server.cpu()?.saturating_sub(before?);
            drop(clients);
            return Ok(Measured { value: each as f64, cpu: 100.0 * busy.as_secs_f64() / time.as_secs_f64() });
        }
    };
    let cpu = server.cpu()?.saturating_sub(before?);
    let per_second = sample.messages as f64 / sample.time.as_secs_f64();
    let value = match kind {
        Kind::Bulk(load) => per_second * load.size as f64,
        Kind::PingPong(_) => sample.median.map_or(f64::NAN, |median| median.as_secs_f64() * 1e6),
        Kind::Throughput(_) | Kind::Client(_) | Kind::Short | Kind::Idle { .. } => per_second,
    };
    Ok(Measured { value, cpu: cpu.as_nanos() as f64 / sample.messages.max(1) as f64 })
}

/// Returns the numbers below `count` in random order.
fn shuffled(count: usize, random: &mut u64) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    for at in (1..count).rev() {
        // xorshift, Marsaglia 2003.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        order.swap(at, (*random % (at as u64 + 1)) as usize);
    }
    order
}

/// Servers inherit this limit.
fn raise_descriptors() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}

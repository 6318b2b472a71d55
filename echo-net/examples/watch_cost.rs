//! Measures what `echo-net tcp-states --watch` costs on a machine with 10,000 sockets, beside `ss` once a second.
//!
//!     cargo build --release -p echo-net
//!     cargo run --release -p echo-net --example watch_cost -- [SECONDS]
//!
//! This process holds both ends of 5,000 connections on loopback: all open, then all half closed, which is the worst
//! case, because each socket is then looked at closely. Each row is one program with these sockets, in an order that
//! alternates, and its CPU time in percent of one core.

use procfs::process::Process;
use socket2::SockRef;
use std::io::Read as _;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

const CONNECTIONS: usize = 5_000;
/// The first look finds the owners of all sockets. It is no part of the cost that goes on.
const WARM_UP: Duration = Duration::from_secs(3);
/// `ss` with states, timers, processes and TCP's figures: what the watch reads, too.
const PEER: &str = "while :; do ss -tanopi > /dev/null; sleep 1; done";

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watch_cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(15), |text| text.parse())?;
    let connections = connections()?;
    let program = std::env::current_exe()?.with_file_name("../echo-net");
    if !program.is_file() {
        return Err("build the program first: cargo build --release -p echo-net".into());
    }
    let watch = |form: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["tcp-states", "--watch"]).args(form);
        command
    };
    let mut peer = Command::new("sh");
    peer.args(["-c", PEER]);
    let mut programs = [("ss", peer), ("watch, lines", watch(&[])), ("watch, JSON", watch(&["--json"]))];
    println!("| sockets | program | % of one core | most memory |\n|---|---|---|---|");
    for (sockets, is_half) in [("open", false), ("half closed", true)] {
        if is_half {
            for (client, _) in &connections {
                client.shutdown(Shutdown::Write)?;
            }
        }
        for (name, command) in &mut programs {
            let (share, memory) = cost(command, Duration::from_secs(seconds))?;
            let memory = memory.map_or("-".to_owned(), |kib| format!("{:.1} MB", kib as f64 / 1000.0));
            println!("| {}, {sockets} | {name} | {:.1} | {memory} |", 2 * CONNECTIONS, 100.0 * share);
        }
    }
    Ok(())
}

/// Both ends of each connection.
fn connections() -> Result<Vec<(TcpStream, TcpStream)>, Failure> {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: files.maximum, ..files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        // What is left at the end is reset, so that no port stays in use.
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        connections.push((client, server));
    }
    Ok(connections)
}

/// Returns the share of one core that a program and its children use, and the most memory, in KiB.
fn cost(command: &mut Command, length: Duration) -> Result<(f64, Option<u64>), Failure> {
    let mut running = Running(command.stdout(Stdio::piped()).spawn()?);
    let mut output = running.0.stdout.take().ok_or("no output")?;
    std::thread::spawn(move || while output.read(&mut [0; 65_536]).is_ok_and(|count| count > 0) {});
    let process = Process::new(running.0.id().cast_signed())?;
    std::thread::sleep(WARM_UP);
    let (start, before) = (Instant::now(), used(&process)?);
    std::thread::sleep(length);
    let share = (used(&process)? - before) / start.elapsed().as_secs_f64();
    // A shell says nothing about the programs that it runs.
    let memory = if command.get_program() == "sh" { None } else { process.status()?.vmhwm };
    Ok((share, memory))
}

/// Returns the CPU time of a process and its children that have ended, in seconds.
fn used(process: &Process) -> Result<f64, Failure> {
    let stat = process.stat()?;
    let children = u64::try_from(stat.cutime + stat.cstime)?;
    Ok((stat.utime + stat.stime + children) as f64 / procfs::ticks_per_second() as f64)
}

/// A program that is killed in the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

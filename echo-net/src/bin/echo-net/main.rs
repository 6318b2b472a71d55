//! `echo-net`: the echo server and client as commands.

mod activation;
mod address;
mod answer;
mod bench;
mod connect;
mod draft;
mod editor;
mod exit;
mod generate;
mod history;
mod inherited;
mod input;
mod keyboard;
mod latency;
mod limits;
mod log;
mod metrics;
mod misbehave;
#[cfg(target_os = "linux")]
mod notify;
mod options;
mod output;
mod ping;
mod piped;
mod plain;
mod prompt;
mod proxy;
mod raw;
mod serve;
mod signals;
mod standard;
mod tally;
#[cfg(target_os = "linux")]
mod tcp_states;
mod terminal;
mod tls;
mod units;
mod utf8;

use clap::{CommandFactory, Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// The versions of the program and the protocol.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (protocol echo/1)");

/// An echo server and client that know when a conversation is over.
#[derive(Debug, Parser)]
#[command(name = "echo-net", version = VERSION, after_help = exit::HELP, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer every message with its time, on both wires (framed echo/1 and plain lines).
    Serve(serve::Arguments),
    /// Talk to a server: at a prompt, or line by line from a pipe.
    Connect(connect::Arguments),
    /// Measure a server: messages per second, latency and delay each way, or short conversations with their close.
    Bench(bench::Arguments),
    /// Send a message once a second, and show its delay each way.
    Ping(ping::Arguments),
    /// Run hostile and broken clients against your own server, and check how each connection ends.
    Misbehave(misbehave::Arguments),
    /// Show how the two ends of a TCP connection close, state by state, as the kernel shows it.
    #[cfg(target_os = "linux")]
    TcpStates(tcp_states::Arguments),
    /// Write completions for bash, fish and zsh, and manual pages, to a directory
    #[command(hide = true)]
    Generate(generate::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // First: it changes the environment, which other threads could read.
    let given = match &arguments.command {
        Command::Serve(_) => activation::take_listeners(),
        _ => Ok(Vec::new()),
    };
    let given = match given {
        Ok(given) => given,
        Err(error) => return exit::fail(Exit::System, &error),
    };
    if let Err(error) = limits::raise().and_then(|()| limits::check_threads()) {
        return exit::fail(Exit::System, &error);
    }
    let runtime = match &arguments.command {
        Command::Serve(_) | Command::Misbehave(_) => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_current_thread().enable_all().build(),
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return exit::fail(Exit::System, &format!("cannot start: {error}")),
    };
    let exit = match arguments.command {
        // As a task: connections wake one cheaply, and the future of `block_on` by a system call.
        Command::Serve(arguments) => match runtime.block_on(runtime.spawn(serve::run(arguments, given))) {
            Ok(exit) => exit,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        Command::Connect(arguments) => runtime.block_on(connect::run(arguments)),
        Command::Bench(arguments) => runtime.block_on(bench::run(arguments)),
        Command::Ping(arguments) => runtime.block_on(ping::run(arguments)),
        Command::Misbehave(arguments) => runtime.block_on(misbehave::run(arguments)),
        Command::Generate(arguments) => generate::run(&arguments, Arguments::command()),
        #[cfg(target_os = "linux")]
        Command::TcpStates(arguments) => runtime.block_on(tcp_states::run(arguments)),
    };
    // A thread that reads standard input cannot be stopped; it ends with the process.
    runtime.shutdown_background();
    exit
}

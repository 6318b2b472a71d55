//! `echo-net ping`: one message after the other, each with its delay in both directions.

use crate::address;
use crate::connect::cannot_connect;
use crate::exit::{Exit, counted, fail, killed, say};
use crate::latency::Latency;
use crate::options::{ConnectionOptions, ServerOptions};
use crate::signals::Signals;
use crate::standard::StandardStream;
use crate::tls::connect_client;
use crate::units;
use clap::Args;
use echo_net::echo_core::{CloseReason, Outcome};
use echo_net::{Answer, Client, ClientConfig, Pending, RequestError, printable};
use std::collections::VecDeque;
use std::future::pending;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The command line of `ping`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerOptions,

    /// Time between two messages. They are sent whether answers come or not
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = units::some_of_a_day)]
    interval: Duration,

    /// Stop after this many messages
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = units::count)]
    count: Option<usize>,

    /// Length of each message in bytes, or with a unit such as 64k
    #[arg(short, long, value_name = "SIZE", default_value = "64", value_parser = units::any_size)]
    size: usize,

    #[command(flatten)]
    connection: ConnectionOptions,
}

/// Sends messages until a signal, `--count` or the server's end. Prints a line for each, and a summary.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::System, &format!("cannot wait for signals: {error}")),
    };
    let server = match arguments.server.parse() {
        Ok(server) => server,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let tls = match arguments.server.tls.load(&server.0) {
        Ok(tls) => tls,
        Err((exit, error)) => return fail(exit, &error),
    };
    let mut config = ClientConfig::default();
    config.connection = arguments.connection.config();
    let (size, limit) = (arguments.size, config.connection.limit);
    if size > limit {
        return fail(Exit::Usage, &format!("--size {size} is over --max-message, which is {limit}"));
    }
    let shown = address::shown(&server);
    let connected = tokio::select! { biased;
        signal = signals.reached(1) => return killed(signal),
        connected = connect_client((&*server.0, server.1), tls, config) => connected,
    };
    let client = match connected {
        Ok(client) => client,
        Err(error) => return cannot_connect(&shown, &error, "it has no stamps to measure with"),
    };
    let mut ping = Ping::new(client, arguments.interval, arguments.count, size);
    let outcome = match ping.run(&signals).await {
        Ok(outcome) => outcome,
        Err(error) => return fail(Exit::System, &format!("cannot write to standard output: {error}")),
    };
    ping.conclude(&shown, &outcome, &signals)
}

struct Ping {
    client: Client,
    ticks: Interval,
    left: Option<usize>,
    payload: Vec<u8>,
    sent: u64,
    waiting: VecDeque<(u64, Pending)>,
    /// The request whose lateness was reported last.
    late: u64,
    latency: Latency,
    without: u64,
    changed: u64,
}

impl Ping {
    fn new(client: Client, every: Duration, count: Option<usize>, size: usize) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            ticks,
            left: count,
            payload: vec![b'x'; size],
            sent: 0,
            waiting: VecDeque::new(),
            late: 0,
            latency: Latency::default(),
            without: 0,
            changed: 0,
        }
    }

    /// Runs the conversation. A second signal aborts it.
    ///
    /// # Errors
    /// Standard output takes no more.
    async fn run(&mut self, signals: &Signals) -> io::Result<Outcome> {
        while self.left != Some(0) || !self.waiting.is_empty() {
            tokio::select! { biased;
                _ = signals.reached(1) => break,
                answer = first(&mut self.waiting) => self.note(answer)?,
                _ = self.ticks.tick(), if self.left != Some(0) => {
                    self.say_late()?;
                    // A server that reads nothing makes this wait.
                    let is_sent = tokio::select! { biased;
                        _ = signals.reached(1) => false,
                        is_sent = self.send() => is_sent,
                    };
                    if !is_sent {
                        break;
                    }
                }
                reason = self.client.leaving() => {
                    self.say(&format!("the server leaves: {}", described(&reason)))?;
                    break;
                }
            }
        }
        let outcome = tokio::select! { biased;
            _ = signals.reached(2) => {
                self.client.abort();
                self.client.ended().await
            }
            outcome = self.client.close() => outcome,
        };
        while !self.waiting.is_empty() {
            let answer = first(&mut self.waiting).await;
            self.note(answer)?;
        }
        Ok(outcome)
    }

    /// Returns whether the conversation takes it.
    async fn send(&mut self) -> bool {
        let Ok(pending) = self.client.submit(self.payload.clone()).await else { return false };
        self.sent += 1;
        self.left = self.left.map(|left| left - 1);
        self.waiting.push_back((self.sent, pending));
        true
    }

    fn note(&mut self, (seq, answer): (u64, Result<Answer, RequestError>)) -> io::Result<()> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(_) => {
                self.without += 1;
                return self.say(&format!("seq {seq}: no answer"));
            }
        };
        self.latency.add(answer.stamps.delay());
        let stamps = &answer.stamps;
        let between = |from: i64, to: i64| to.saturating_sub(from) as f64 / 1e6;
        let (out, server, back) =
            (between(stamps.t1.0, stamps.t2.0), between(stamps.t2.0, stamps.t3.0), between(stamps.t3.0, stamps.t4.0));
        let (whole, offset) = (between(stamps.t1.0, stamps.t4.0), stamps.offset() as f64 / 1e6);
        let is_same = answer.payload == self.payload;
        self.changed += u64::from(!is_same);
        let changed = if is_same { "" } else { ", OTHER BYTES than were sent" };
        self.say(&format!(
            "seq {seq}: {whole:.3} ms (out {out:.3}, server {server:.3}, back {back:.3}), clock {offset:+.3} ms{changed}"
        ))
    }

    /// Tells once that a request has waited for an interval.
    fn say_late(&mut self) -> io::Result<()> {
        match self.waiting.front() {
            Some((seq, _)) if *seq > self.late => {
                self.late = *seq;
                self.say(&format!("seq {}: no answer yet", self.late))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn say(&self, line: &str) -> io::Result<()> {
        StandardStream::stdout().write_all(format!("{line}\n").as_bytes())
    }

    /// Prints the summary, and returns the exit code.
    fn conclude(&self, server: &str, outcome: &Outcome, signals: &Signals) -> ExitCode {
        let summary = if self.latency.is_empty() { "no answers".to_owned() } else { self.latency.to_string() };
        if let Err(error) = self.say(&format!("{server}: {} sent, {summary}; {outcome}", self.sent)) {
            return fail(Exit::System, &format!("cannot write to standard output: {error}"));
        }
        let mut problems = Vec::new();
        if !outcome.end.is_clean() {
            problems.push(format!("the end was not clean: {}", outcome.end));
        }
        if self.without > 0 {
            problems.push(format!("{} messages without an answer", self.without));
        }
        if self.changed > 0 {
            problems.push(format!("{} messages answered with other bytes than were sent", self.changed));
        }
        if self.sent == 0 {
            problems.push("nothing was sent".to_owned());
        } else if let Some(left) = self.left.filter(|left| *left > 0 && signals.first().is_none()) {
            problems.push(format!("the server left {} before the last one", counted(left, "message")));
        }
        if problems.is_empty() {
            return Exit::Clean.into();
        }
        say(&format!("failed: {}", problems.join("; ")));
        Exit::NotClean.into()
    }
}

/// Waits for the first answer, and removes its request.
async fn first(waiting: &mut VecDeque<(u64, Pending)>) -> (u64, Result<Answer, RequestError>) {
    let Some((seq, answer)) = waiting.front_mut() else { return pending().await };
    let first = (*seq, answer.await);
    waiting.pop_front();
    first
}

fn described(reason: &Option<CloseReason>) -> String {
    match reason {
        Some(reason) if reason.text.is_empty() => reason.code.to_string(),
        Some(reason) => format!("{}, {}", reason.code, printable(reason.text.as_bytes())),
        None => "the conversation has ended".to_owned(),
    }
}

//! Exit codes: documented, and the same for all commands.

use crate::signals::{Signal, Signals};
use crate::standard::StandardStream;
use echo_net::echo_core::{End, Outcome};
use std::process::ExitCode;

/// The text about exit codes and signals in `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  connect: the end was clean, all input was sent, and every message was answered;
     connect --plain: all input was sent, and every byte came back before FIN;
     serve: one signal stopped it, and every connection ended within the deadlines;
     misbehave: every connection got what its kind must get;
     bench, ping: every message was answered with the same bytes, and every end was clean;
     tcp-states: nothing is stuck, or the experiment went as TCP does
  1  anything else: the end was not clean, a message has no answer, the input or output failed;
     serve: a second signal stopped it, or its report could not be written;
     misbehave: the server did something else;
     tcp-states: with --watch --once something is stuck. The last line on standard error gives the reason
  2  the command line is wrong; misbehave: the server is not on loopback;
     tcp-states: there is no such port or process
  3  it could not start: refused, unknown host, no answer in time, no terminal, too few open files,
     a TLS handshake that failed, such as for a certificate that is not accepted, or a file for TLS
     that cannot be used; serve: it cannot listen on an address, or was given a
     socket that is no TCP listener; misbehave: no connection was made;
     tcp-states: the kernel or a process does not show its sockets, or the output cannot be written;
     bench: no connection was made, or a file cannot be written
  4  the server is not an echo/1 server: a mirror, a plain-only server, a silent server, or one that
     speaks TLS without --tls, or no TLS with --tls
  129, 130, 143  connect, bench, tcp-states: SIGHUP, SIGINT or SIGTERM ended the conversation, the
     measurement or the picture

Signals:
  SIGINT, SIGTERM, SIGHUP  end the conversations by the contract: the answers arrive, then both ends close;
                           a second signal aborts. A signal that was ignored at the start stays ignored";

/// The exit codes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exit {
    Clean = 0,
    NotClean = 1,
    Usage = 2,
    System = 3,
    WrongServer = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Prints a line to standard error. A failed write is ignored.
pub(crate) fn say(line: &str) {
    StandardStream::stderr().write_in_time(format!("echo-net: {line}\n").as_bytes());
}

/// Prints one line about a failure, and returns its exit code.
pub(crate) fn fail(exit: Exit, line: &str) -> ExitCode {
    say(line);
    exit.into()
}

/// The result of a conversation, with its problems.
pub(crate) struct Conclusion<'a> {
    outcome: Option<&'a Outcome>,
    problems: Vec<String>,
    stopped_by: Option<Signal>,
}

impl<'a> Conclusion<'a> {
    /// Creates a conclusion. Without an outcome the program did not wait for the end.
    pub(crate) fn new(outcome: impl Into<Option<&'a Outcome>>, signals: &Signals) -> Self {
        Self { outcome: outcome.into(), problems: Vec::new(), stopped_by: signals.first() }
    }

    /// Adds problems.
    pub(crate) fn problems(mut self, problems: impl IntoIterator<Item = String>) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Returns all problems. The framed wire proves that nothing was lost; the plain wire only shows that both FINs
    /// arrived.
    fn all_problems(&self) -> Vec<String> {
        let end = match self.outcome.map(|outcome| &outcome.end) {
            None => Some("the program did not wait for the end".to_owned()),
            Some(End::Clean(_) | End::Unproven) => None,
            Some(end) => Some(format!("the end was not clean: {end}")),
        };
        let stopped = self.stopped_by.map(|signal| format!("stopped by {signal}"));
        stopped.into_iter().chain(end).chain(self.problems.iter().cloned()).collect()
    }

    /// Prints all problems in one line, and returns the exit code.
    pub(crate) fn tell(self) -> ExitCode {
        let problems = self.all_problems();
        if !problems.is_empty() {
            say(&format!("failed: {}", problems.join("; ")));
        }
        match self.stopped_by {
            Some(signal) => killed(signal),
            None if problems.is_empty() => Exit::Clean.into(),
            None => Exit::NotClean.into(),
        }
    }
}

/// Returns `1 line`, `2 lines` and the like.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

/// Returns the exit code of a program ended by a signal, as shells do.
pub(crate) fn killed(signal: Signal) -> ExitCode {
    u8::try_from(128 + signal.number()).map_or(Exit::NotClean.into(), ExitCode::from)
}

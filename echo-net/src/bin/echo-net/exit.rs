//! Exit codes: documented, and the same for every command.

use echo_net::echo_core::{End, Outcome};
use std::io::Write;
use std::process::ExitCode;

/// What `--help` says of them.
pub(crate) const HELP: &str = "\
Exit codes:
  0  connect: the end was clean, and every message was answered;
     connect --plain: every byte sent came back, and then FIN;
     serve: stopped by one signal, and every connection has ended, within the deadlines;
     misbehave: every connection got what its kind must get
  1  anything else: the end was not clean, a message has no answer, the input or output failed;
     serve: stopped by a second signal;
     misbehave: the server did something else
  2  the command line is wrong; misbehave: the server is not on loopback
  3  it could not begin: refused, unknown host, no answer in time, no terminal;
     serve: the address cannot be listened on; misbehave: not one connection was made
  4  what answered is no echo/1 server: a mirror, a plain-only server, one that stays silent";

/// The codes.
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

/// A line for a person; that nobody reads it is no reason to stop.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "echo-net: {line}");
}

/// Says in one line what went wrong.
pub(crate) fn fail(exit: Exit, line: &str) -> ExitCode {
    say(line);
    exit.into()
}

/// How the conversation ended, for a person, and the exit code.
pub(crate) fn conclude(outcome: &Outcome) -> ExitCode {
    say(&format!("the conversation ended {outcome}"));
    match outcome.end {
        End::Clean(_) if outcome.account.refused == 0 && outcome.account.unknown == 0 => Exit::Clean.into(),
        End::Clean(_)
        | End::Unproven
        | End::Failed { .. }
        | End::Truncated
        | End::Reset
        | End::TimedOut(_)
        | End::Violation(_) => Exit::NotClean.into(),
    }
}

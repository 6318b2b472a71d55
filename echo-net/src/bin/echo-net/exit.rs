//! Exit codes: documented, and the same for every command.

use echo_net::echo_core::{End, Outcome};
use std::process::ExitCode;

/// What `--help` says of them.
pub(crate) const HELP: &str = "\
Exit codes:
  0  the end was clean; with connect --plain: every byte sent came back, and then FIN;
     serve: every connection was told and has ended
  1  the conversation did not end clean, or the server was stopped by a second signal
  2  the command line is wrong
  3  no connection: refused, unknown host, no answer in time; serve: the address cannot be listened on
  4  what answered is no echo/1 server: a mirror, a plain-only server, one that stays silent";

/// The codes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exit {
    Clean = 0,
    NotClean = 1,
    System = 3,
    WrongServer = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Says in one line what went wrong.
pub(crate) fn fail(exit: Exit, line: &str) -> ExitCode {
    eprintln!("echo-net: {line}");
    exit.into()
}

/// How the conversation ended, for a person, and the exit code.
pub(crate) fn conclude(outcome: &Outcome) -> ExitCode {
    eprintln!("echo-net: the conversation ended {outcome}");
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

//! What a watch is limited to: a port, or a process.

use crate::tcp_states::no_sock_diag;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::str::FromStr;
use tcp_states::{Owners, TcpSocket};

/// A port or a process as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `:2012`
    Port(u16),
    /// `pid:2012`
    Process(i32),
    /// `2012`: what there is.
    Number(u32),
}

/// What a watch is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Sockets with this port at either end.
    Port(u16),
    /// Sockets that this process holds.
    Process(Process),
}

/// A process: its number, and when it started, because numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: i32,
    started: u64,
}

/// Why a target cannot be watched.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadTarget {
    /// There is no such port or process, or both.
    Unknown(String),
    /// This process may not see it.
    Denied(String),
    /// The process has ended.
    Ended(String),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is neither a port nor a process: expected PORT, :PORT, PID or pid:PID");
        if let Some(port) = text.strip_prefix(':') {
            return port.parse().map(Self::Port).map_err(|_| wrong());
        }
        if let Some(pid) = text.strip_prefix("pid:") {
            return pid.parse().ok().filter(|pid| *pid > 0).map(Self::Process).ok_or_else(wrong);
        }
        text.parse().ok().filter(|number| *number > 0).map(Self::Number).ok_or_else(wrong)
    }
}

impl Named {
    /// Finds out what it is. `sockets` returns all sockets, to find out whether a number is a port.
    ///
    /// # Errors
    /// There is no such process, no such port and no such process, or both.
    pub(crate) fn resolve(self, sockets: impl FnOnce() -> io::Result<Vec<TcpSocket>>) -> Result<Target, BadTarget> {
        let number = match self {
            // A port that nobody uses yet can be waited for, if it was written as a port.
            Self::Port(port) => return Ok(Target::Port(port)),
            Self::Process(pid) => return process(pid),
            Self::Number(number) => number,
        };
        let sockets = sockets().map_err(|error| BadTarget::Denied(no_sock_diag(&error)))?;
        let port = u16::try_from(number).ok().map(Target::Port);
        let port = port.filter(|port| sockets.iter().any(|socket| port.holds(socket, &BTreeSet::new())));
        let process = i32::try_from(number).map_err(|_| BadTarget::Unknown(String::new())).and_then(process);
        match (port, process) {
            (Some(port), Err(BadTarget::Unknown(_))) => Ok(port),
            (Some(_), _) => Err(BadTarget::Unknown(format!(
                "{number} is a port and a process: write :{number} for the port or pid:{number} for the process"
            ))),
            (None, Err(BadTarget::Unknown(_))) => {
                let wait = if number < 65_536 { format!("; :{number} waits for the port") } else { String::new() };
                let line = format!("no socket uses port {number}, and there is no process {number}{wait}");
                Err(BadTarget::Unknown(line))
            }
            (None, process) => process,
        }
    }
}

fn process(pid: i32) -> Result<Target, BadTarget> {
    let started = Owners::started(pid).map_err(|error| unreadable(pid, &error))?;
    let target = Target::Process(Process { pid, started });
    target.inodes().map(|_| target)
}

fn unreadable(pid: i32, error: &io::Error) -> BadTarget {
    match error.kind() {
        ErrorKind::NotFound => BadTarget::Unknown(format!("there is no process {pid}")),
        ErrorKind::PermissionDenied => {
            BadTarget::Denied(format!("the sockets of process {pid} cannot be read: run this as its user or as root"))
        }
        _ => BadTarget::Denied(format!("the sockets of process {pid} cannot be read: {error}")),
    }
}

impl Target {
    /// Returns the inodes of the sockets that the process holds now; none for a port.
    ///
    /// # Errors
    /// The process has ended, or its sockets may not be seen.
    pub(crate) fn inodes(self) -> Result<BTreeSet<u64>, BadTarget> {
        let Self::Process(Process { pid, started }) = self else { return Ok(BTreeSet::new()) };
        let inodes = Owners::sockets_of(pid);
        // Asked for afterwards: then the sockets were its own.
        match (Owners::started(pid), inodes) {
            (Ok(now), Ok(inodes)) if now == started => Ok(inodes),
            (Ok(now), Err(error)) if now == started => Err(unreadable(pid, &error)),
            (_, _) => Err(BadTarget::Ended(format!("process {pid} has ended"))),
        }
    }

    /// Returns whether a socket is part of it.
    pub(crate) fn holds(self, socket: &TcpSocket, inodes: &BTreeSet<u64>) -> bool {
        match self {
            Self::Port(port) => socket.local.port() == port || socket.remote.port() == port,
            Self::Process(_) => inodes.contains(&socket.inode.into()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port}"),
            Self::Process(process) => write!(f, "process {}", process.pid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadTarget, Named, Process, Target};

    #[test]
    fn a_port_and_a_process_can_be_told_apart() {
        assert_eq!(":2012".parse(), Ok(Named::Port(2012)));
        assert_eq!("pid:2012".parse(), Ok(Named::Process(2012)));
        assert_eq!("2012".parse(), Ok(Named::Number(2012)));
        for wrong in ["", "x", ":", ":65536", "pid:0", "pid:-1", "-1", "0", "http", "99999999999"] {
            let error = wrong.parse::<Named>().expect_err(wrong);
            assert!(error.contains("expected PORT"), "{error}");
        }
    }

    #[test]
    fn a_number_that_is_nothing_is_an_error_and_a_port_is_waited_for() {
        let none = || Ok(Vec::new());
        let error = Named::Number(4_000_000_000).resolve(none).expect_err("it is nothing");
        assert!(matches!(&error, BadTarget::Unknown(line) if line.contains("no process 4000000000")), "{error:?}");
        assert_eq!(Named::Port(1).resolve(none), Ok(Target::Port(1)));
        let pid = std::process::id().cast_signed();
        let target = Named::Process(pid).resolve(none).expect("this process");
        assert!(matches!(target, Target::Process(process) if process.pid == pid), "{target:?}");
    }

    #[test]
    fn another_process_with_the_same_number_is_not_it() {
        let pid = std::process::id().cast_signed();
        let other = Target::Process(Process { pid, started: 0 });
        assert!(matches!(other.inodes(), Err(BadTarget::Ended(line)) if line.contains("has ended")));
    }
}

//! What a watch is limited to: a port, or a process.

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
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
    Process(i32),
}

/// Why a target cannot be watched.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadTarget {
    /// There is no such port or process, or both.
    Unknown(String),
    /// This process may not see it.
    Denied(String),
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
    /// Finds out what a number is. `sockets` are all sockets.
    ///
    /// # Errors
    /// There is no such process, no such port and no such process, or both.
    pub(crate) fn resolve(self, sockets: &[TcpSocket]) -> Result<Target, BadTarget> {
        let number = match self {
            // A port that nobody uses yet can be waited for, if it was written as a port.
            Self::Port(port) => return Ok(Target::Port(port)),
            Self::Process(pid) => return process(pid),
            Self::Number(number) => number,
        };
        let port = u16::try_from(number).ok().map(Target::Port);
        let port = port.filter(|port| sockets.iter().any(|socket| port.holds(socket, &BTreeSet::new())));
        let process = i32::try_from(number).map_err(|_| BadTarget::Unknown(String::new())).and_then(process);
        match (port, process) {
            (Some(_), Ok(_) | Err(BadTarget::Denied(_))) => Err(BadTarget::Unknown(format!(
                "{number} is a port and a process: write :{number} for the port or pid:{number} for the process"
            ))),
            (Some(port), Err(BadTarget::Unknown(_))) => Ok(port),
            (None, Ok(process)) => Ok(process),
            (None, Err(denied @ BadTarget::Denied(_))) => Err(denied),
            (None, Err(BadTarget::Unknown(_))) => {
                let wait = if number < 65_536 { format!("; :{number} waits for the port") } else { String::new() };
                let line = format!("no socket uses port {number}, and there is no process {number}{wait}");
                Err(BadTarget::Unknown(line))
            }
        }
    }
}

fn process(pid: i32) -> Result<Target, BadTarget> {
    Target::Process(pid).inodes().map(|_| Target::Process(pid))
}

impl Target {
    /// Returns the inodes of the sockets that the process holds now; none for a port.
    ///
    /// # Errors
    /// There is no such process, or its sockets may not be seen.
    pub(crate) fn inodes(self) -> Result<BTreeSet<u64>, BadTarget> {
        let Self::Process(pid) = self else { return Ok(BTreeSet::new()) };
        Owners::sockets_of(pid).map_err(|error| match error.kind() {
            ErrorKind::NotFound => BadTarget::Unknown(format!("there is no process {pid}")),
            ErrorKind::PermissionDenied => BadTarget::Denied(format!(
                "the sockets of process {pid} cannot be read: run this as its user or as root"
            )),
            _ => BadTarget::Denied(format!("the sockets of process {pid} cannot be read: {error}")),
        })
    }

    /// Returns whether it is a process that has ended.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self.inodes(), Err(BadTarget::Unknown(_)))
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
            Self::Process(pid) => write!(f, "process {pid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadTarget, Named, Target};

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
        let error = Named::Number(4_000_000_000).resolve(&[]).expect_err("it is nothing");
        assert!(matches!(&error, BadTarget::Unknown(line) if line.contains("no process 4000000000")), "{error:?}");
        assert_eq!(Named::Port(1).resolve(&[]), Ok(Target::Port(1)));
        let pid = std::process::id();
        assert_eq!(Named::Process(pid.cast_signed()).resolve(&[]), Ok(Target::Process(pid.cast_signed())));
    }
}

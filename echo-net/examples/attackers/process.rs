//! Processes of this example, and their usage from `/proc`.

use crate::Failure;
use procfs::process::Process;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// This program with other arguments. Dropping it kills the process.
pub(crate) struct SubProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl SubProcess {
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("the process has no standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// Returns the next line of its output.
    pub(crate) async fn line(&mut self) -> Result<String, Failure> {
        Ok(self.lines.next_line().await?.ok_or("the process has ended")?)
    }

    /// Closes its standard input, and waits for its end.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await??;
        Ok(())
    }

    /// Returns its present usage.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        let id = self.child.id().ok_or("the process has ended")?;
        let process = Process::new(i32::try_from(id)?)?;
        let (status, stat) = (process.status()?, process.stat()?);
        Ok(Usage {
            cpu: Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64),
            memory: status.vmrss.unwrap_or_default() * 1024,
            most_memory: status.vmhwm.unwrap_or_default() * 1024,
            descriptors: process.fd_count()?,
        })
    }
}

/// Resource usage of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU time since its start, user and system.
    pub(crate) cpu: Duration,
    /// Resident memory, in bytes.
    pub(crate) memory: u64,
    /// Maximum of the resident memory, in bytes.
    pub(crate) most_memory: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

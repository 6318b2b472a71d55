//! A server as a process of its own, on a core of its own, with the CPU time and memory that it uses.

use crate::peers::Peer;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

/// The programs of servers that are not in this one.
pub(crate) struct Programs {
    pub(crate) floor: PathBuf,
    pub(crate) before: Option<PathBuf>,
}

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts `peer` on the first core; this thread runs on the last one.
    pub(crate) fn start(peer: Peer, programs: &Programs) -> io::Result<Self> {
        let (program, peer) = match peer {
            Peer::Floor | Peer::Library => (programs.floor.clone(), None),
            Peer::Before => (programs.before.clone().unwrap_or_default(), Some(Peer::Echo)),
            peer => (env::current_exe()?, Some(peer)),
        };
        let mut command = Command::new(&program);
        if let Some(peer) = peer {
            let value = clap::ValueEnum::to_possible_value(&peer).ok_or_else(|| io::Error::other("no name"))?;
            command.args(["peer", value.get_name()]);
        }
        let cores = cores()?;
        pin(cores.first().copied())?;
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        pin(cores.last().copied())?;
        let cannot = |error| io::Error::other(format!("cannot start {}: {error}", program.display()));
        let mut server = Self { child: started.map_err(cannot)?, port: 0 };
        let mut line = String::new();
        let stdout = server.child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        BufReader::new(stdout).read_line(&mut line)?;
        server.port = line
            .trim()
            .parse()
            .map_err(|_| io::Error::other(format!("{} printed no port: {line:?}", program.display())))?;
        Ok(server)
    }

    /// Returns the CPU time it has used.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            total += times.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Returns the bytes of memory that are its own: RssAnon.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no RssAnon"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has no state to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the cores that this process may use. Called once before the first pinning; later calls see its result.
fn cores() -> io::Result<Vec<usize>> {
    static ALL: std::sync::OnceLock<Vec<usize>> = std::sync::OnceLock::new();
    if let Some(all) = ALL.get() {
        return Ok(all.clone());
    }
    let set = sched_getaffinity(None)?;
    let all: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect();
    Ok(ALL.get_or_init(|| all).clone())
}

fn pin(core: Option<usize>) -> io::Result<()> {
    let Some(core) = core else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)?;
    Ok(())
}

/// Compiles the floor, with gcc.
pub(crate) fn compile_floor() -> io::Result<std::path::PathBuf> {
    let to = env::temp_dir().join(format!("echo-floor-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/floor.c");
    let status = Command::new("gcc").args(["-O2", "-o"]).arg(&to).arg(&source).status();
    match status {
        Ok(status) if status.success() => Ok(to),
        Ok(status) => Err(io::Error::other(format!("gcc failed on {}: {status}", source.display()))),
        Err(error) => Err(io::Error::other(format!("gcc is needed for the floor in C: {error}"))),
    }
}

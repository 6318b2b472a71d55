//! The processes that hold sockets, from `/proc/PID/fd`.

use procfs::process::{self, FDTarget};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Owner {
    /// Its number.
    pub pid: i32,
    /// The name of its program: at most 15 bytes (`comm` in proc(5)). For an interpreter that runs a file, that file's
    /// name.
    pub program: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// The owners of sockets, as far as this process may see them.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    by_inode: BTreeMap<u64, Arc<[Owner]>>,
    unreadable: usize,
}

impl Owners {
    /// Looks at all processes for the owners of the sockets whose inode is `wanted`.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read(wanted: impl Fn(u64) -> bool) -> io::Result<Self> {
        let mut owners = Self::default();
        // A process that has ended meanwhile holds nothing.
        for process in process::all_processes().map_err(io::Error::other)?.flatten() {
            match process.fd() {
                Ok(descriptors) => owners.add(&process, descriptors, &wanted),
                Err(procfs::ProcError::PermissionDenied(_)) => owners.unreadable += 1,
                Err(_) => (),
            }
        }
        Ok(owners)
    }

    fn add(&mut self, process: &process::Process, descriptors: process::FDsIter, wanted: impl Fn(u64) -> bool) {
        let mut inodes: Vec<u64> = descriptors
            .flatten()
            .filter_map(|descriptor| match descriptor.target {
                FDTarget::Socket(inode) if wanted(inode) => Some(inode),
                _ => None,
            })
            .collect();
        // A process can hold a socket by several descriptors.
        inodes.sort_unstable();
        inodes.dedup();
        if inodes.is_empty() {
            return;
        }
        let Ok(stat) = process.stat() else { return };
        let program = script(&stat.comm, &process.cmdline().unwrap_or_default()).unwrap_or(stat.comm);
        let owner = Owner { pid: process.pid, program };
        // Most processes share no socket, so most sockets of one share its list.
        let alone: Arc<[Owner]> = [owner.clone()].into();
        for inode in inodes {
            let owners = self.by_inode.entry(inode).or_insert_with(|| alone.clone());
            if owners.last() != Some(&owner) {
                *owners = owners.iter().cloned().chain([owner.clone()]).collect();
            }
        }
    }

    /// Returns the processes that hold the socket with this inode, by their numbers.
    pub fn of(&self, inode: u32) -> Arc<[Owner]> {
        self.by_inode.get(&inode.into()).cloned().unwrap_or_default()
    }

    /// Returns the inodes of the sockets that a process holds.
    ///
    /// # Errors
    /// There is no such process, or this process may not see its sockets.
    pub fn sockets_of(pid: i32) -> io::Result<BTreeSet<u64>> {
        let descriptors = process::Process::new(pid).and_then(|process| process.fd()).map_err(from_proc)?;
        let sockets = descriptors.flatten().filter_map(|descriptor| match descriptor.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        });
        Ok(sockets.collect())
    }

    /// Returns when a process was started, in ticks since the machine was: two processes with one number differ in it.
    ///
    /// # Errors
    /// There is no such process, or it has ended and its parent has not noticed.
    pub fn started(pid: i32) -> io::Result<u64> {
        let stat = process::Process::new(pid).and_then(|process| process.stat()).map_err(from_proc)?;
        if matches!(stat.state, 'Z' | 'X') { Err(io::ErrorKind::NotFound.into()) } else { Ok(stat.starttime) }
    }

    /// Returns the number of processes whose sockets this process may not see.
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }
}

fn from_proc(error: procfs::ProcError) -> io::Error {
    match error {
        procfs::ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        procfs::ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
        error => io::Error::other(error),
    }
}

/// Returns the name of the file that an interpreter runs: the first argument that is no option, if it is a file.
fn script(comm: &str, command_line: &[String]) -> Option<String> {
    const INTERPRETERS: [&str; 8] = ["python", "perl", "ruby", "node", "php", "lua", "bash", "sh"];
    let is_interpreter = INTERPRETERS.iter().any(|name| comm.starts_with(name));
    let file = command_line.iter().skip(1).find(|argument| !argument.starts_with('-')).filter(|_| is_interpreter)?;
    let name = Path::new(file).file_name()?.to_str()?;
    // Code on the command line is no file.
    let is_name = name.len() <= 64 && !name.contains(char::is_whitespace) && !name.contains(char::is_control);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn this_process_is_found_once_though_it_has_two_descriptors() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let _second = listener.try_clone().expect("a second descriptor");
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).expect("a link");
        let inode = link.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        let owners = Owners::read(|_| true).expect("/proc");
        let pids: Vec<i32> = owners.of(inode.expect("an inode")).iter().map(|owner| owner.pid).collect();
        assert!(pids.contains(&std::process::id().cast_signed()), "{pids:?}");
        assert!(pids.is_sorted_by(|one, next| one != next), "{pids:?}");
    }

    #[test]
    fn an_interpreter_is_named_by_what_it_runs() {
        let name = |comm: &str, line: &str| script(comm, &line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(name("python3", "python3 -u /srv/leaky.py 80"), Some("leaky.py".to_owned()));
        assert_eq!(name("python3", "python3 -i"), None);
        assert_eq!(name("nginx", "nginx /etc/nginx.conf"), None);
        let code = ["python3", "-c", "import time; time.sleep(1)"].map(str::to_owned);
        assert_eq!(script("python3", &code), None);
    }

    #[test]
    fn the_sockets_of_a_process_are_found_and_a_missing_process_is_an_error() {
        let _listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let sockets = Owners::sockets_of(std::process::id().cast_signed()).expect("this process");
        assert!(!sockets.is_empty());
        let missing = Owners::sockets_of(i32::MAX).expect_err("no such process");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_inode_that_nobody_holds_has_no_owner() {
        assert!(Owners::read(|_| true).expect("/proc").of(0).is_empty());
    }
}

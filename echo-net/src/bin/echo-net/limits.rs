//! The limit of open files, and how many connections fit into it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{Builder, available_parallelism};

/// Files of the runtime and one conversation.
const LEAST: usize = 12;
/// Files of a server besides connections and the runtime: listeners, a spare one, a resolver's.
const OTHERS: usize = 6;
/// Threads that a program starts in addition to one for each processor.
const THREADS: usize = 8;
/// Used if there is no hard limit: the default of Linux (`fs.nr_open`).
const UNLIMITED: u64 = 1_048_576;

/// Raises the soft limit of open files to the hard limit, if possible.
///
/// # Errors
/// Too few files can be opened for a network program.
pub(crate) fn raise() -> Result<(), String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(UNLIMITED);
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
    check_files(LEAST)
}

/// Checks that enough threads can be started: otherwise the runtime panics.
///
/// # Errors
/// Too few threads can be started.
pub(crate) fn check_threads() -> Result<(), String> {
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = Arc::new(Mutex::new(stopped));
    let wanted = THREADS + available_parallelism().map_or(1, usize::from);
    let start = |_| {
        let stopped = stopped.clone();
        Builder::new().spawn(move || stopped.lock().is_ok_and(|stopped| stopped.recv().is_err()))
    };
    let started: Vec<_> = (0..wanted).map_while(|number| start(number).ok()).collect();
    drop(stop);
    let count = started.len();
    for thread in started {
        // The thread only waits and cannot panic.
        let _ = thread.join();
    }
    match count {
        count if count < wanted => {
            Err(format!("the limit of processes (ulimit -u) leaves {count} threads: expected at least {wanted}"))
        }
        _ => Ok(()),
    }
}

/// Checks that `least` more files can be opened.
///
/// # Errors
/// Fewer files can be opened.
pub(crate) fn check_files(least: usize) -> Result<(), String> {
    match free() {
        free if free < least => Err(too_few(free, least)),
        _ => Ok(()),
    }
}

/// Returns how many connections can be served, and how many more can be refused at once. `reserved` more files are left
/// free.
///
/// # Errors
/// Not one connection fits.
pub(crate) fn fit(connections: usize, refusals: usize, reserved: usize) -> Result<(usize, usize), String> {
    let free = free();
    let others = OTHERS + reserved;
    let refusals = refusals.min(free / 8).max(1);
    match connections.min(free.saturating_sub(others + refusals)) {
        0 => Err(too_few(free, others + 2)),
        connections => Ok((connections, refusals)),
    }
}

fn too_few(free: usize, least: usize) -> String {
    format!("the limit of open files (ulimit -Hn) leaves {free} more: expected at least {least}")
}

/// Returns how many more files can be opened.
fn free() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED);
    usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(open())
}

/// Returns how many files are open: 3 (the standard streams) if the system does not show it.
fn open() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(3, |files| files.count().saturating_sub(1))
}

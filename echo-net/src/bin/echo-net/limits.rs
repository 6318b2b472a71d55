//! How many files this process may open, and how many connections fit into that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections: standard streams, the listeners, the runtime's own.
const OTHERS: usize = 14;
/// Where there is no hard limit: as many as Linux allows by default (`fs.nr_open`).
const UNLIMITED: u64 = 1_048_576;

/// Raises the soft limit of open files to the hard one, and gives it. A limit that cannot be raised stays.
pub(crate) fn raise() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(UNLIMITED);
    let current = current.unwrap_or(UNLIMITED);
    let raised = current < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok();
    usize::try_from(if raised { wanted } else { current }).unwrap_or(usize::MAX)
}

/// How many connections can be served, and how many more refused at once, with so many open files.
///
/// # Errors
/// None fits.
pub(crate) fn fit(files: usize, connections: usize, refusals: usize) -> Result<(usize, usize), String> {
    let refusals = refusals.min(files / 8).max(1);
    let connections = connections.min(files.saturating_sub(OTHERS + refusals));
    match connections {
        0 => Err(format!(
            "the limit of {files} open files leaves none for a connection: expected at least {}",
            OTHERS + 2
        )),
        _ => Ok((connections, refusals)),
    }
}

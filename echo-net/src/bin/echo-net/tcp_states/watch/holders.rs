//! Who holds a socket. Looking at all processes is slow, so it is done only for sockets that are new.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tcp_states::{Owner, Owners};

/// Looking at all processes may take one part in this many of the time.
const SHARE: u32 = 50;
/// Sockets can be handed from one process to another, so old knowledge is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

/// The owners of the sockets that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// An empty list: it was looked for, and not found.
    known: BTreeMap<u32, Arc<[Owner]>>,
    names: BTreeMap<(Arc<[Owner]>, u32), Arc<str>>,
    unreadable: usize,
    /// When they were looked for, and how long that took.
    last: Option<(Instant, Duration)>,
    /// How often they were looked for. The first times are free: `--once` looks twice at most.
    looks: u64,
}

impl Holders {
    /// Looks for the owners of the sockets with these inodes, if one of them is new or an owner is gone. Forgets all
    /// others.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(crate) fn refresh(&mut self, wanted: &BTreeSet<u32>) -> io::Result<()> {
        self.known.retain(|inode, _| wanted.contains(inode));
        let is_new = wanted.iter().any(|inode| !self.known.contains_key(inode));
        let passed = self.last.map(|(at, _)| at.elapsed());
        let is_old = passed.is_none_or(|passed| passed >= RENEWAL);
        let may_look = self.looks < 2 || self.last.is_none_or(|(at, took)| at.elapsed() >= took * SHARE);
        if !wanted.is_empty() && (is_old || (may_look && (is_new || self.has_lost_an_owner()))) {
            let start = Instant::now();
            let is_wanted = |inode: u64| u32::try_from(inode).is_ok_and(|inode| wanted.contains(&inode));
            let owners = Owners::read(is_wanted)?;
            self.unreadable = owners.unreadable();
            self.known = wanted.iter().map(|inode| (*inode, owners.of(*inode))).collect();
            self.names.clear();
            self.last = Some((start, start.elapsed()));
            self.looks += 1;
        }
        Ok(())
    }

    fn has_lost_an_owner(&self) -> bool {
        let owners: BTreeSet<i32> =
            self.names.keys().flat_map(|(owners, _)| owners.iter().map(|owner| owner.pid)).collect();
        owners.into_iter().any(|pid| Owners::started(pid).is_err())
    }

    /// Returns the processes that hold the socket with this inode, and the same in words. `uid` is the user who owns it.
    pub(crate) fn of(&mut self, inode: u32, uid: u32) -> (Arc<[Owner]>, Arc<str>) {
        if inode == 0 {
            return (Arc::default(), "no process".into());
        }
        let owners = self.known.get(&inode).cloned().unwrap_or_default();
        // Thousands of sockets have the same name.
        let name = self.names.entry((owners.clone(), uid)).or_insert_with(|| match &owners[..] {
            [] => format!("a process of user {uid}").into(),
            [owner] => owner.to_string().into(),
            [owner, others @ ..] => format!("{owner} and {} more", others.len()).into(),
        });
        (owners, name.clone())
    }

    /// Returns the number of processes whose sockets cannot be read.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable
    }
}

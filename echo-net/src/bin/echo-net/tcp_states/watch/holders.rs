//! Who holds a socket. Looking at all processes is slow, so it is done only for sockets that are new.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tcp_states::{Owner, Owners};

/// The shortest time between two looks at all processes.
const PAUSE: Duration = Duration::from_secs(2);

/// The owners of the sockets that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// An empty list: it was looked for, and not found.
    known: BTreeMap<u32, Arc<[Owner]>>,
    names: BTreeMap<(Arc<[Owner]>, u32), Arc<str>>,
    unreadable: usize,
    last: Option<Duration>,
}

impl Holders {
    /// Looks for the owners of the sockets with these inodes, if one of them is new and the last look was a while ago.
    /// Forgets all others.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(crate) fn refresh(&mut self, now: Duration, wanted: &BTreeSet<u32>) -> io::Result<()> {
        self.known.retain(|inode, _| wanted.contains(inode));
        let is_new = wanted.iter().any(|inode| !self.known.contains_key(inode));
        let is_due = self.last.is_none_or(|last| now.saturating_sub(last) >= PAUSE);
        if is_new && is_due {
            let is_wanted = |inode: u64| u32::try_from(inode).is_ok_and(|inode| wanted.contains(&inode));
            let owners = Owners::read(is_wanted)?;
            self.unreadable = owners.unreadable();
            self.known = wanted.iter().map(|inode| (*inode, owners.of(*inode))).collect();
            self.names.clear();
            self.last = Some(now);
        }
        Ok(())
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

//! One look at all sockets: those in a closing state, and those whose queues do not move, with what is the matter.

use super::super::no_sock_diag;
use super::holders::Holders;
use super::target::Target;
use super::time_wait::{self, TimeWaits};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tcp_states::{
    Diagnosis, Finding, Harm, History, Kernel, Observed, Owner, Settings, TcpSocket, TcpState, diagnose,
    network_namespace,
};

/// The states of a look. Sockets in LISTEN name the program that has not accepted a connection.
const STATES: [TcpState; 8] = [
    TcpState::Listen,
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::CloseWait,
    TcpState::Closing,
    TcpState::LastAck,
    TcpState::TimeWait,
];

/// Looks at sockets again and again.
#[derive(Debug)]
pub(crate) struct Watcher {
    kernel: Kernel,
    settings: Settings,
    history: History,
    holders: Holders,
    start: Instant,
    target: Option<Target>,
    patience: Duration,
}

/// What one look shows.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) namespace: u64,
    /// Number of sockets in each closing state.
    pub(crate) counts: BTreeMap<TcpState, usize>,
    /// All but those in TIME-WAIT, the worst first.
    pub(crate) rows: Vec<Row>,
    /// Those in TIME-WAIT, the most first.
    pub(crate) time_waits: Vec<TimeWaits>,
    /// Number of processes whose sockets cannot be read.
    pub(crate) unreadable: usize,
}

/// A socket, who holds it, and what is the matter.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) observed: Observed,
    pub(crate) owners: Arc<[Owner]>,
    /// The owners in words.
    pub(crate) holder: Arc<str>,
    pub(crate) diagnosis: Diagnosis,
}

impl Watcher {
    /// Opens the connection to the kernel. What does not move for `patience` is stuck.
    ///
    /// # Errors
    /// The kernel has no `sock_diag`.
    pub(crate) fn open(patience: Duration) -> io::Result<Self> {
        Ok(Self {
            kernel: Kernel::open()?,
            settings: Settings::read(),
            history: History::default(),
            holders: Holders::default(),
            start: Instant::now(),
            target: None,
            patience,
        })
    }

    /// Returns all sockets.
    ///
    /// # Errors
    /// The kernel does not answer, or has no `sock_diag` for TCP.
    pub(crate) fn sockets(&self) -> io::Result<Vec<TcpSocket>> {
        self.kernel.sockets(&TcpState::ALL)
    }

    /// Limits the looks to a port or a process.
    pub(crate) fn limit_to(&mut self, target: Target) {
        self.target = Some(target);
    }

    /// Looks at all sockets.
    ///
    /// # Errors
    /// One line: the kernel does not answer, or `/proc` cannot be read.
    pub(crate) fn look(&mut self) -> Result<Look, String> {
        // A process that has ended holds nothing any more.
        let inodes = self.target.and_then(|target| target.inodes().ok()).unwrap_or_default();
        let mut shown = Vec::new();
        let mut waiting = Vec::new();
        let mut listening = Vec::new();
        let target = self.target;
        self.kernel
            .each(&STATES, |socket| match socket.state {
                TcpState::Listen => listening.push(socket),
                _ if target.is_some_and(|target| !target.holds(&socket, &inodes)) => (),
                TcpState::TimeWait => waiting.push(socket),
                // Most sockets: open, and nothing waits. They cost nothing more.
                TcpState::Established if socket.recv_queue == 0 && socket.send_queue == 0 => (),
                _ => shown.push(socket),
            })
            .map_err(|error| no_sock_diag(&error))?;
        let now = self.start.elapsed();
        let mut counts = BTreeMap::new();
        for socket in shown.iter().chain(&waiting).filter(|socket| socket.state != TcpState::Established) {
            *counts.entry(socket.state).or_default() += 1;
        }
        let wanted: BTreeSet<u32> =
            shown.iter().chain(&listening).map(|socket| socket.inode).filter(|inode| *inode != 0).collect();
        let no_proc = |error| format!("/proc cannot be read: {error}; it says which processes hold sockets");
        self.holders.refresh(now, &wanted).map_err(no_proc)?;
        self.history.begin();
        let mut rows: Vec<Row> = Vec::new();
        for socket in shown {
            let row = self.row(now, socket, &listening);
            if row.diagnosis.finding != Finding::Open {
                rows.push(row);
            }
        }
        rows.sort_by(Row::by_harm);
        let time_waits = time_wait::grouped(&waiting, &listening, &self.settings);
        Ok(Look {
            namespace: network_namespace().map_err(no_proc)?,
            counts,
            rows,
            time_waits,
            unreadable: self.holders.unreadable(),
        })
    }

    fn row(&mut self, now: Duration, socket: TcpSocket, listening: &[TcpSocket]) -> Row {
        let inode = match socket.state {
            TcpState::CloseWait | TcpState::Established if socket.is_orphan() => {
                let listener = listening.iter().find(|listener| listener.accepts(&socket));
                listener.map_or(0, |listener| listener.inode)
            }
            _ => socket.inode,
        };
        let (owners, holder) = self.holders.of(inode, socket.uid);
        let observed = self.history.observe(now, socket, &self.settings);
        let diagnosis = diagnose(&observed, self.patience);
        Row { observed, owners, holder, diagnosis }
    }
}

impl Row {
    /// Returns the diagnosis in words.
    pub(crate) fn text(&self) -> String {
        self.diagnosis.sentence(&self.observed, &self.holder)
    }

    /// The worst first: the harm, then the time, then the bytes that wait. Then by what stays the same.
    fn by_harm(&self, other: &Self) -> std::cmp::Ordering {
        let worst = |row: &Self| {
            let Observed { socket, age, send_still, recv_still } = &row.observed;
            let waits = socket.unacknowledged().max(socket.unread());
            (row.diagnosis.harm, age.time.max(*send_still).max(*recv_still).as_secs(), waits)
        };
        let (one, two) = (&self.observed.socket, &other.observed.socket);
        worst(other).cmp(&worst(self)).then((one.local, one.remote).cmp(&(two.local, two.remote)))
    }
}

impl Look {
    /// Returns the number of sockets, or of peers for TIME-WAIT, with this harm.
    pub(crate) fn count(&self, harm: Harm) -> usize {
        let rows = self.rows.iter().filter(|row| row.diagnosis.harm == harm).count();
        rows + self.time_waits.iter().filter(|group| group.harm == harm).count()
    }
}

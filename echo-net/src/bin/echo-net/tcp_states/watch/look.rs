//! One look at all sockets: those in a closing state, and those whose queues do not move, with what is the matter.

use super::super::no_sock_diag;
use super::holders::Holders;
use super::target::{BadTarget, Target};
use super::time_wait::{self, TimeWaits};
use crate::exit::Exit;
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
    /// Whether a second look can say more.
    pub(crate) is_open_question: bool,
}

/// Why there is no look.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The watched process has ended.
    Ended(String),
    /// Something cannot be read.
    Failed(String),
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
    /// Why there is no look: the watched process has ended, or something cannot be read.
    pub(crate) fn look(&mut self) -> Result<Look, Stop> {
        let target = self.target;
        let inodes = target.map(Target::inodes).transpose()?.unwrap_or_default();
        let (mut shown, mut waiting, mut listening) = (Vec::new(), Vec::new(), Vec::new());
        let found = self.kernel.each(&STATES, |socket| match socket.state {
            TcpState::Listen => listening.push(socket),
            TcpState::TimeWait => waiting.push(socket),
            // Most sockets: open, accepted, and nothing waits. They cost nothing more.
            TcpState::Established if (socket.recv_queue, socket.send_queue) == (0, 0) && !socket.is_orphan() => (),
            _ => shown.push(socket),
        });
        found.map_err(|error| Stop::Failed(no_sock_diag(&error)))?;
        // What is not accepted belongs to the process that listens.
        let is_wanted = |socket: &TcpSocket| {
            let accepted = || listener(socket, &listening).filter(|_| is_waiting_for_accept(socket));
            target.is_none_or(|target| {
                target.holds(socket, &inodes) || accepted().is_some_and(|listener| target.holds(listener, &inodes))
            })
        };
        waiting.retain(is_wanted);
        let mut counts = BTreeMap::new();
        self.history.begin(self.start.elapsed());
        let mut found: Vec<(Observed, Diagnosis)> = Vec::new();
        let mut is_open_question = false;
        for socket in shown {
            let is_wanted = is_wanted(&socket);
            let state = socket.state;
            // All are observed: one that the process gets later is not new.
            let observed = self.history.observe(socket);
            if !is_wanted {
                continue;
            }
            if state != TcpState::Established {
                *counts.entry(state).or_default() += 1;
            }
            let diagnosis = diagnose(&observed, self.patience);
            is_open_question |= tcp_states::is_open_question(&observed, self.patience);
            if diagnosis.finding != Finding::Open {
                found.push((observed, diagnosis));
            }
        }
        if !waiting.is_empty() {
            counts.insert(TcpState::TimeWait, waiting.len());
        }
        let no_proc =
            |error| Stop::Failed(format!("/proc cannot be read: {error}; it says which processes hold sockets"));
        let mut rows = self.rows(found, &listening).map_err(no_proc)?;
        rows.sort_by(Row::by_harm);
        Ok(Look {
            namespace: network_namespace().map_err(no_proc)?,
            counts,
            rows,
            time_waits: time_wait::grouped(&waiting, &listening, &self.settings),
            unreadable: self.holders.unreadable(),
            is_open_question,
        })
    }

    /// Finds out who holds the sockets.
    fn rows(&mut self, found: Vec<(Observed, Diagnosis)>, listening: &[TcpSocket]) -> io::Result<Vec<Row>> {
        let inode = |observed: &Observed, diagnosis: &Diagnosis| match diagnosis.finding {
            Finding::NotAccepted => listener(&observed.socket, listening).map_or(0, |listener| listener.inode),
            _ => observed.socket.inode,
        };
        let inodes: Vec<u32> = found.iter().map(|(observed, diagnosis)| inode(observed, diagnosis)).collect();
        let wanted: BTreeSet<u32> = inodes.iter().copied().filter(|inode| *inode != 0).collect();
        self.holders.refresh(&wanted)?;
        let rows = found.into_iter().zip(inodes).map(|((observed, diagnosis), inode)| {
            let (owners, holder) = self.holders.of(inode, observed.socket.uid);
            Row { observed, owners, holder, diagnosis }
        });
        Ok(rows.collect())
    }
}

/// Returns whether a socket has no process because no program has accepted it, or may have that reason.
fn is_waiting_for_accept(socket: &TcpSocket) -> bool {
    socket.is_orphan() && matches!(socket.state, TcpState::Established | TcpState::CloseWait)
}

/// Returns the socket that listens for connections like this one. An exact address comes before any address, and of
/// several listeners one whose queue is not empty.
fn listener<'a>(socket: &TcpSocket, listening: &'a [TcpSocket]) -> Option<&'a TcpSocket> {
    let accepting = listening.iter().filter(|listener| listener.accepts(socket));
    accepting.max_by_key(|listener| (listener.local.ip() == socket.local.ip(), listener.recv_queue > 0))
}

impl Stop {
    /// Returns the exit code, and the line.
    pub(crate) fn exit(self) -> (Exit, String) {
        match self {
            Self::Ended(line) => (Exit::Clean, line),
            Self::Failed(line) => (Exit::System, line),
        }
    }
}

impl From<BadTarget> for Stop {
    fn from(error: BadTarget) -> Self {
        match error {
            BadTarget::Ended(line) => Self::Ended(line),
            BadTarget::Denied(line) | BadTarget::Unknown(line) => Self::Failed(line),
        }
    }
}

impl Row {
    /// Returns the time in the state; for an open socket that was accepted, the time in which a queue has not moved.
    pub(crate) fn age(&self) -> Duration {
        let Observed { socket, age, send_still, recv_still, .. } = &self.observed;
        match self.diagnosis.finding {
            Finding::NotAccepted => age.time,
            _ if socket.state == TcpState::Established => (*send_still).max(*recv_still),
            _ => age.time,
        }
    }

    /// Returns the diagnosis in words.
    pub(crate) fn text(&self) -> String {
        self.diagnosis.sentence(&self.observed, &self.holder)
    }

    /// The worst first: the harm, then the time, then the bytes that wait. Then by what stays the same.
    fn by_harm(&self, other: &Self) -> std::cmp::Ordering {
        let worst = |row: &Self| {
            let Observed { socket, send_still, recv_still, .. } = &row.observed;
            let waits = socket.unacknowledged().max(socket.unread());
            (row.diagnosis.harm, row.age().max(*send_still).max(*recv_still).as_secs(), waits)
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

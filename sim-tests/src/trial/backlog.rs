//! Listening ports, and the connections that wait there to be accepted.

use super::connection::End;
use super::errors::system_error;
use super::kernel::Kernel;
use super::run::TrialEvent;
use super::socket::Holder;
use echo_core::Role;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

/// The listening ports of a side.
#[derive(Debug, Default)]
pub(super) struct Listeners(BTreeMap<u16, Backlog>);

#[derive(Debug, Default)]
struct Backlog {
    queue: VecDeque<End>,
    acceptors: Vec<Waker>,
}

impl Listeners {
    pub(super) fn has(&self, port: u16) -> bool {
        self.0.contains_key(&port)
    }

    /// Closes all ports. Returns the connections that waited.
    pub(super) fn take_all(&mut self) -> Vec<End> {
        std::mem::take(&mut self.0).into_values().flat_map(|backlog| backlog.queue).collect()
    }

    pub(super) fn wake_all(&mut self, wakers: &mut Vec<Waker>) {
        self.0.values_mut().for_each(|backlog| wakers.append(&mut backlog.acceptors));
    }
}

impl Kernel {
    pub(super) fn listen(&mut self, side: Role, port: u16) -> io::Result<()> {
        let ports = &mut self.listeners[side as usize].0;
        if ports.contains_key(&port) {
            return Err(system_error(ErrorKind::AddrInUse));
        }
        ports.insert(port, Backlog::default());
        Ok(())
    }

    /// Closes a port. Connections that wait there are reset.
    pub(super) fn stop_listening(&mut self, side: Role, port: u16) {
        let backlog = self.listeners[side as usize].0.remove(&port).unwrap_or_default();
        backlog.queue.into_iter().for_each(|end| self.refuse(end));
    }

    /// Lets a connection wait to be accepted.
    pub(super) fn enqueue(&mut self, end: End, port: u16) {
        let Some(backlog) = self.listeners[end.side as usize].0.get_mut(&port) else { return self.refuse(end) };
        backlog.queue.push_back(end);
        self.wakers.append(&mut backlog.acceptors);
        self.socket_mut(end).holder = Holder::Backlog;
    }

    /// Resets a connection that nobody has accepted.
    pub(super) fn refuse(&mut self, end: End) {
        self.socket_mut(end).holder = Holder::Nobody;
        self.abort(end);
    }

    pub(super) fn poll_accept(&mut self, side: Role, port: u16, cx: &Context<'_>) -> Poll<io::Result<End>> {
        if self.is_stopped(side) {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.side_mut(side).next_accept_fails) {
            self.event(side, TrialEvent::AcceptFailed);
            return Poll::Ready(Err(too_many_open_files()));
        }
        let Some(backlog) = self.listeners[side as usize].0.get_mut(&port) else { return Poll::Pending };
        let Some(end) = backlog.queue.pop_front() else {
            backlog.acceptors.push(cx.waker().clone());
            return Poll::Pending;
        };
        self.socket_mut(end).holder = Holder::Program;
        self.event_at(end, TrialEvent::Accepted);
        Poll::Ready(Ok(end))
    }
}

/// As Linux words it.
fn too_many_open_files() -> io::Error {
    const EMFILE: i32 = 24;
    if cfg!(unix) { io::Error::from_raw_os_error(EMFILE) } else { io::Error::other("Too many open files") }
}

//! The controller: carries out the step scheduler's commands on both programs of a run.

use super::host_program::{Inbox, ProgramCommand, Slot};
use super::instrumented_stream::{SharedLog, StreamControl, lock};
use crate::record::event_log::LogEvent;
use crate::record::{Ending, ending};
use crate::scenario::Scenario;
use crate::scenario::network::Span;
use crate::scenario::plan::{Action, Point, Step};
use crate::scenario::scheduler::{Command, StepScheduler};
use echo_core::Role;
use echo_net::Transport;
#[cfg(feature = "packet")]
use std::time::Duration;
use tokio::sync::mpsc;

/// A command that the backend itself carries out, because it concerns a host or the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum HostCommand {
    /// The program ends, and its kernel closes its sockets.
    Crash(Role),
    /// The host loses its power.
    Vanish(Role),
    /// The network delivers nothing for this long.
    Cut(Span),
}

/// Both programs of a run, and the scheduler that decides what they do.
pub(in crate::backend) struct Controller<S> {
    scheduler: StepScheduler,
    log: SharedLog,
    /// By [`Role`].
    commands: [mpsc::UnboundedSender<ProgramCommand>; 2],
    streams: [Slot<S>; 2],
    /// Points whose pause or write limit ends, because the side has got its command.
    releases: Vec<(Role, Point)>,
}

impl<S: Transport> Controller<S> {
    /// Returns the controller, and the inbox of each program by [`Role`].
    pub(in crate::backend) fn new(scenario: &Scenario, log: SharedLog, streams: [Slot<S>; 2]) -> (Self, [Inbox; 2]) {
        let (to_client, client) = mpsc::unbounded_channel();
        let (to_server, server) = mpsc::unbounded_channel();
        let scheduler = StepScheduler::new(scenario);
        let controller = Self { scheduler, log, commands: [to_client, to_server], streams, releases: Vec::new() };
        (controller, [client, server])
    }

    /// Whether both programs are connected.
    pub(in crate::backend) fn is_connected(&self) -> bool {
        self.streams.iter().all(|stream| lock(stream).is_some())
    }

    /// Waits until both programs have their stream, at most for `limit`. Returns whether they have.
    #[cfg(feature = "packet")]
    pub(in crate::backend) async fn connected(&self, limit: Duration) -> bool {
        let connected = async {
            while !self.is_connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(limit, connected).await.is_ok()
    }

    /// Limits both programs to `takes` bytes in every [`READ_INTERVAL`](crate::network::READ_INTERVAL); 0 is no limit.
    #[cfg(feature = "packet")]
    pub(in crate::backend) fn slow_down(&self, takes: usize) {
        for side in Role::BOTH.into_iter().filter(|_| takes > 0) {
            self.with_stream(side, |stream| stream.slow_down(takes));
        }
    }

    /// Starts both programs.
    pub(in crate::backend) fn begin(&self) {
        Role::BOTH.into_iter().for_each(|side| self.command(side, ProgramCommand::Begin));
    }

    /// Carries out all commands that are due, those of the backend through `host`. Returns whether there were any.
    pub(in crate::backend) fn carry_out(&mut self, mut host: impl FnMut(HostCommand)) -> bool {
        let mut any = !self.releases.is_empty();
        for (side, point) in std::mem::take(&mut self.releases) {
            self.with_stream(side, |stream| stream.release(point));
        }
        loop {
            let command = self.scheduler.next(&*lock(&self.log));
            match command {
                None => return any,
                Some(Command::Ask { from, to }) => {
                    (from..=to).for_each(|seq| self.command(Role::Client, ProgramCommand::Ask(seq)));
                }
                Some(Command::Act(side, step)) => self.act(side, step, &mut host),
                Some(Command::StopReading(side)) => self.with_stream(side, StreamControl::stop_reading),
                Some(Command::Cut(span)) => {
                    lock(&self.log).note(Role::Client, LogEvent::Cut);
                    host(HostCommand::Cut(span));
                }
            }
            any = true;
        }
    }

    fn act(&mut self, side: Role, step: Step, host: &mut impl FnMut(HostCommand)) {
        if ending(lock(&self.log).entries(), side) != Ending::Open {
            return self.scheduler.miss(side, step);
        }
        lock(&self.log).note(side, LogEvent::Did(step.action));
        self.releases.push((side, step.point));
        match step.action {
            Action::Close | Action::HalfClose | Action::Drop | Action::DropUnread | Action::Abort | Action::Violate => {
                self.command(side, ProgramCommand::Act(step));
            }
            Action::Crash => host(HostCommand::Crash(side)),
            Action::Vanish => host(HostCommand::Vanish(side)),
        }
        if matches!(step.action, Action::Crash | Action::Vanish) {
            self.with_stream(side, |stream| stream.act(step));
        }
    }

    /// The stream of `side`, once it is connected.
    #[cfg(feature = "turmoil")]
    pub(in crate::backend) fn stream(&self, side: Role) -> Option<StreamControl<S>> {
        lock(&self.streams[side as usize]).clone()
    }

    /// Calls `act` with the stream of `side`, if it is connected.
    pub(in crate::backend) fn with_stream(&self, side: Role, act: impl FnOnce(&StreamControl<S>)) {
        if let Some(stream) = lock(&self.streams[side as usize]).as_ref() {
            act(stream);
        }
    }

    /// Steps that were never carried out.
    pub(in crate::backend) fn left(&self) -> Vec<String> {
        self.scheduler.left()
    }

    /// Forgets both streams.
    #[cfg(feature = "packet")]
    pub(in crate::backend) fn forget_streams(&self) {
        self.streams.iter().for_each(|stream| *lock(stream) = None);
    }

    fn command(&self, side: Role, command: ProgramCommand) {
        // A host that has crashed takes no commands.
        let _ = self.commands[side as usize].send(command);
    }
}

//! Two connections, their kernels, and the two directions between them.
//!
//! A direction is a queue of pieces, followed by a FIN or a RST. It includes the data in the sender's kernel. A RST may
//! be read before any of the pieces, so it deletes any number of the last ones. Data that has arrived but is unread is
//! not distinguished from data in flight: the difference only matters when a program dies, and then both cases are
//! tried. A RST in flight may be read after the data before it, as on Linux, or overtake it. Until it is read, a write
//! may succeed or fail.

use super::end::{Command, Commands, End, LocalStep};
use super::ends::{EndState, Ends, Store};
use super::observations::{Goal, Observations};
use super::queue::Queue;
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::search::Model;
use super::setup::{Setup, TransportFault};
use super::{claims, waits};
use echo_core::Role::{self, Client, Server};
use echo_core::{Connection, Stamp};
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use step::Step;

mod description;
mod judge;
mod step;
mod transport;

/// The socket of an end in its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    /// The program holds it.
    Open,
    /// It was closed with FIN, and answers data with RST.
    Orphan,
    /// There is none. The kernel answers everything with RST.
    None,
}

/// The direction to one end.
#[derive(Clone, Copy)]
struct Way<'a> {
    queue: &'a Queue,
    fin: bool,
    reset: bool,
    /// Whether nothing gets through any more.
    dead: bool,
}

/// What all states of a search share.
pub(super) struct Shared<'a> {
    setup: Setup,
    ends: RefCell<Ends<'a>>,
    empty: &'a Queue,
    junk: &'a Queue,
}

impl<'a> Shared<'a> {
    pub(super) fn new(setup: &Setup, store: &'a Store<'a>) -> Self {
        let ends = Ends::new(store, setup, |end| if end.is_here() { waits::check(end) } else { Ok(()) });
        let (empty, junk) = (ends.queues.empty, ends.queues.junk);
        Self { setup: *setup, ends: RefCell::new(ends), empty, junk }
    }
}

/// Two ends, by [`Role`], client first.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    shared: &'a Shared<'a>,
    ends: [EndState<'a>; 2],
    /// The commands that may still be given at each end: none if it has ended.
    left: [Commands; 2],
    sockets: [Socket; 2],
    /// The direction to each end.
    inboxes: [Way<'a>; 2],
    /// The number of faults that may still happen.
    faults: u8,
    /// Whether no fault has happened, no command but a polite end was given, and no deadline but idle has passed.
    peace: bool,
    /// Whether a side has sent FIN in such a run.
    first_fin: bool,
}

/// The setup is not hashed, because it is the same in all states of a search. The direction to an end that is gone is
/// empty. A search hashes each state once for each step that leads to it, so the hash takes few words.
impl Hash for Pair<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let two = |[a, b]: [u32; 2]| u64::from(a) << 32 | u64::from(b);
        state.write_u64(two([0, 1].map(|at: usize| self.ends[at].class)));
        state.write_u64(two([0, 1].map(|at: usize| self.inboxes[at].queue.number)));
        state.write_u64(two([0, 1].map(|at: usize| self.left[at].packed())));
        let [a, b] = &self.inboxes;
        let flags = [a.fin, a.reset, a.dead, b.fin, b.reset, b.dead, self.peace, self.first_fin];
        let flags = flags.into_iter().fold(0, |bits, flag| bits << 1 | u8::from(flag));
        let [c, d] = self.sockets.map(|socket| socket as u8);
        state.write_u32(u32::from_le_bytes([flags, c, d, self.faults]));
    }
}

impl<'a> Pair<'a> {
    pub(super) fn new(shared: &'a Shared<'a>) -> Result<Self, ExplorerBreach> {
        let setup = &shared.setup;
        let config = setup.config();
        let plain = setup.is_plain();
        let client = match plain {
            true => Connection::plain_client(config, Stamp(0)),
            false => Connection::client(config, Stamp(0)),
        };
        let server = setup.server();
        let notes = &mut Observations::default();
        let first = [(Client, client), (Server, server)];
        let mut ends = shared.ends.borrow_mut();
        let first = first.map(|(role, connection)| ends.first(End::new(role, connection, plain), notes));
        drop(ends);
        let way = Way { queue: shared.empty, fin: false, reset: false, dead: false };
        let mut pair = Self {
            ends: [0, 1].map(|at: usize| first[at].end),
            left: [Client, Server].map(|role| Commands::of(setup, role)),
            sockets: [Socket::Open; 2],
            inboxes: [way; 2],
            faults: setup.faults_at_most,
            shared,
            peace: true,
            first_fin: false,
        };
        for role in [Client, Server] {
            pair.follow(role, first[role as usize].aborted, notes)?;
        }
        Ok(pair)
    }

    pub(super) fn end(&self, role: Role) -> &'a End {
        self.ends[role as usize].end()
    }

    fn is_here(&self, role: Role) -> bool {
        self.ends[role as usize].is_here
    }

    fn inbox(&mut self, role: Role) -> &mut Way<'a> {
        &mut self.inboxes[role as usize]
    }

    // ---- steps of one end ----

    /// Takes a step at one end. Returns what it wrote, and whether it aborted.
    fn take(
        &mut self,
        role: Role,
        step: LocalStep,
        input: Option<&Queue>,
        notes: &mut Observations,
    ) -> Result<(&'a Queue, bool), ExplorerBreach> {
        let end = &mut self.ends[role as usize];
        let taken = self.shared.ends.borrow_mut().take(*end, step, input, notes)?;
        *end = taken.end;
        Ok((taken.pieces, taken.aborted))
    }

    /// Does to the transport what the end does at once after its step.
    fn follow(&mut self, role: Role, aborted: bool, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        if aborted {
            let was_reset = self.end(role).got.reset;
            ensure(!self.peace || was_reset, ExplorerRule::Peace, || format!("the {} aborts", role.name()))?;
            self.reset(role);
        }
        if !self.is_here(role) {
            self.left[role as usize] = Commands::default();
            self.let_go(role, notes)?;
        }
        Ok(())
    }

    /// Keeps at most one piece in flight to a side that discards input, because all such data has the same effect.
    fn forget_what_is_dropped(&mut self, role: Role) {
        if self.ends[role as usize].drops && !self.inboxes[role as usize].queue.is_empty() {
            self.inbox(role).queue = self.shared.junk;
        }
    }

    fn write(&mut self, role: Role, count: u16, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        let (pieces, aborted) = self.take(role, LocalStep::Write(count), None, notes)?;
        self.push(role, pieces);
        Ok(aborted)
    }

    fn fin(&mut self, role: Role, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        let (_, aborted) = self.take(role, LocalStep::Fin, None, notes)?;
        if self.end(role).half_closed {
            return Ok(aborted);
        }
        self.push_fin(role);
        if self.peace && !self.shared.setup.is_plain() && !std::mem::replace(&mut self.first_fin, true) {
            let named = self.shared.setup.first_fin() == role;
            ensure(named, ExplorerRule::FirstFin, || format!("the {} sends FIN first", role.name()))?;
        }
        Ok(aborted)
    }

    fn read(&mut self, role: Role, count: u16, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        let queue = self.inboxes[role as usize].queue;
        let (read, rest) = self.shared.ends.borrow_mut().queues.split(queue, count);
        self.inbox(role).queue = rest;
        Ok(self.take(role, LocalStep::Read, Some(read), notes)?.1)
    }

    fn read_reset(&mut self, role: Role, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        let overtakes = !self.inboxes[role as usize].queue.is_empty();
        notes.see(if overtakes { Goal::ResetOvertook(role) } else { Goal::ResetBehind(role) });
        self.sockets[role as usize] = Socket::None;
        Ok(self.take(role, LocalStep::ReadReset, None, notes)?.1)
    }

    fn give_up(&mut self, role: Role, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        if self.inboxes[role as usize].reset {
            self.sockets[role as usize] = Socket::None;
        }
        Ok(self.take(role, LocalStep::ReadReset, None, notes)?.1)
    }
}

impl Model for Pair<'_> {
    type Step = Step;

    fn steps(&self, steps: &mut Vec<Step>) {
        for role in [Client, Server] {
            if self.is_here(role) {
                self.steps_of(role, steps);
            }
        }
        if self.faults > 0 && (self.is_here(Client) || self.is_here(Server)) {
            steps.extend(self.shared.setup.faults.iter().copied().filter(|fault| self.can(*fault)).map(Step::Fault));
        }
    }

    fn apply(&mut self, step: Step, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        self.peace &= self.is_peaceful(step);
        let mut local = |pair: &mut Self, role, step| Ok(pair.take(role, step, None, notes)?.1);
        let aborted = match step {
            Step::Command(role, command) => {
                self.left[role as usize].spend(command);
                local(self, role, LocalStep::Command(command))?
            }
            Step::Write(role, _, count) => self.write(role, count, notes)?,
            Step::Fin(role) => self.fin(role, notes)?,
            Step::WriteFails(role) => local(self, role, LocalStep::WriteFails)?,
            Step::Read(role, _, count) => self.read(role, count, notes)?,
            Step::ReadFin(role) => {
                self.inbox(role).fin = false;
                local(self, role, LocalStep::ReadFin)?
            }
            Step::ReadReset(role) => self.read_reset(role, notes)?,
            Step::GiveUp(role) => self.give_up(role, notes)?,
            Step::Quiet(role) => local(self, role, LocalStep::Quiet)?,
            Step::Expire(role, deadline) => local(self, role, LocalStep::Expire(deadline))?,
            Step::Answer(answer) => local(self, Server, LocalStep::Answer(answer))?,
            Step::Fault(fault) => self.fault(fault, notes)?,
        };
        self.first_fin &= self.peace;
        if let Some(role) = step.touches() {
            self.follow(role, aborted, notes)?;
        }
        self.forget_what_is_dropped(Client);
        self.forget_what_is_dropped(Server);
        Ok(())
    }

    fn check(&self, steps: &[Step], notes: &mut Observations) -> Result<(), ExplorerBreach> {
        claims::check(self.end(Client), self.end(Server))?;
        self.ends.iter().try_for_each(|stored| stored.check())?;
        self.check_peace(steps)?;
        if steps.is_empty() {
            self.check_end(notes)?;
        }
        Ok(())
    }

    fn describe(&self, step: Step) -> String {
        self.describe_step(step)
    }

    fn show(&self) -> String {
        format!("{} | {}", self.end(Client).show(), self.end(Server).show())
    }
}

impl Pair<'_> {
    fn steps_of(&self, role: Role, steps: &mut Vec<Step>) {
        let (stored, inbox) = (&self.ends[role as usize], &self.inboxes[role as usize]);
        steps.extend(self.left[role as usize].open().map(|command| Step::Command(role, command)));
        steps.extend(stored.writes.iter().map(|(reach, count)| Step::Write(role, *reach, *count)));
        if stored.fin_due {
            steps.push(Step::Fin(role));
        }
        if inbox.reset && stored.may_fail_to_write {
            steps.push(Step::WriteFails(role));
        }
        if stored.wants_input {
            steps.extend(inbox.queue.reaches.iter().map(|(reach, count)| Step::Read(role, *reach, *count)));
            if inbox.fin && inbox.queue.is_empty() {
                steps.push(Step::ReadFin(role));
            }
            if inbox.reset {
                steps.push(Step::ReadReset(role));
            }
            if stored.write_closed {
                steps.push(Step::GiveUp(role));
            }
        }
        if stored.awaits_quiet {
            steps.push(Step::Quiet(role));
        }
        steps.extend(stored.answers.iter().map(|answer| Step::Answer(*answer)));
        if self.shared.setup.deadlines {
            steps.extend(stored.deadlines.iter().map(|deadline| Step::Expire(role, *deadline)));
        }
    }
}

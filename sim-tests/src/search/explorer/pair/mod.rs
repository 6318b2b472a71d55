//! Two connections, their kernels, and the two directions between them.
//!
//! A direction is a queue of pieces, followed by a FIN or a RST. It includes the data in the sender's kernel. A RST may
//! be read before any of the pieces, so it deletes any number of the last ones. Data that has arrived but is unread is
//! not distinguished from data in flight: the difference only matters when a program dies, and then both cases are
//! tried. A RST in flight may be read after the data before it, as on Linux, or overtake it. Until it is read, a write
//! may succeed or fail.

use super::end::{Command, Commands, End, NOW, Place, Turn};
use super::observations::{Goal, Observations};
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::search::Model;
use super::setup::{Setup, TransportFault};
use super::unit::{Piece, reaches};
use super::{claims, waits};
use echo_core::Role::{self, Client, Server};
use echo_core::{Connection, Stamp};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use step::Step;

mod description;
mod judge;
mod step;
mod transport;

/// The socket of an end in its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Socket {
    /// The program holds it.
    Open,
    /// It was closed with FIN, and answers data with RST.
    Orphan,
    /// There is none. The kernel answers everything with RST.
    None,
}

/// The direction to one end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Way {
    pieces: VecDeque<Piece>,
    fin: bool,
    reset: bool,
    /// Whether nothing gets through any more.
    dead: bool,
}

/// Two ends, by [`Role`], client first. States share what a step does not change.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    setup: Rc<Setup>,
    ends: [Rc<End>; 2],
    sockets: [Socket; 2],
    /// The direction to each end.
    inboxes: [Rc<Way>; 2],
    /// The number of faults that may still happen.
    faults: u8,
    /// Whether no fault has happened, no command but a polite end was given, and no deadline but idle has passed.
    peace: bool,
    /// Whether a side has sent FIN in such a run.
    first_fin: bool,
}

/// The setup is not hashed, because it is the same in all states of a search. The direction to an end that is gone is
/// empty.
impl Hash for Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ends = [Client, Server].map(|role| self.end(role).identity);
        (ends, self.sockets, &self.inboxes, self.faults, self.peace, self.first_fin).hash(state);
    }
}

impl Pair {
    pub(super) fn new(setup: Rc<Setup>) -> Result<Self, ExplorerBreach> {
        let config = setup.config();
        let plain = setup.is_plain();
        let client = match plain {
            true => Connection::plain_client(config, Stamp(0)),
            false => Connection::client(config, Stamp(0)),
        };
        let server = Connection::server(config, Stamp(0));
        let commands = |role| Commands::of(&setup, role);
        let mut pair = Self {
            ends: [
                Rc::new(End::new(Client, client, plain, commands(Client))),
                Rc::new(End::new(Server, server, plain, commands(Server))),
            ],
            sockets: [Socket::Open; 2],
            inboxes: Default::default(),
            faults: setup.faults_at_most,
            setup: Rc::clone(&setup),
            peace: true,
            first_fin: false,
        };
        for role in [Client, Server] {
            pair.settle(role, &mut Observations::default())?;
        }
        Ok(pair)
    }

    pub(super) fn end(&self, role: Role) -> &End {
        &self.ends[role as usize]
    }

    fn end_mut(&mut self, role: Role) -> &mut End {
        Rc::make_mut(&mut self.ends[role as usize])
    }

    fn inbox(&mut self, role: Role) -> &mut Way {
        Rc::make_mut(&mut self.inboxes[role as usize])
    }

    // ---- what a connection does at once ----

    fn settle(&mut self, role: Role, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        while self.end(role).is_here() {
            let cuts = self.setup.cuts;
            match self.end_mut(role).settle(cuts, notes) {
                Turn::Rest => break,
                Turn::Abort => {
                    let ended = self.end(role).got.reset;
                    ensure(!self.peace || ended, ExplorerRule::Peace, || format!("the {} aborts", role.name()))?;
                    self.reset(role);
                }
                Turn::Ended(outcome) => self.let_go(role, outcome, notes)?,
            }
        }
        self.end_mut(role).identify();
        Ok(())
    }

    /// Keeps at most one piece in flight to a side that discards input, because all such data has the same effect.
    fn forget_what_is_dropped(&mut self, role: Role) {
        let drops = self.end(role).connection.machine().is_discarding();
        if drops && !self.inboxes[role as usize].pieces.is_empty() {
            self.inbox(role).pieces = VecDeque::from([Piece::junk()]);
        }
    }

    // ---- steps ----

    fn write(&mut self, role: Role, count: usize, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let pieces = self.end_mut(role).write(count, notes)?;
        self.push(role, pieces);
        Ok(())
    }

    fn fin(&mut self, role: Role) -> Result<(), ExplorerBreach> {
        let end = self.end_mut(role);
        end.connection.handle_fin_sent(NOW);
        if end.half_closed {
            return Ok(());
        }
        end.sent.record_fin()?;
        self.push_fin(role);
        if self.peace && !self.setup.is_plain() && !std::mem::replace(&mut self.first_fin, true) {
            let named = self.setup.first_fin() == role;
            ensure(named, ExplorerRule::FirstFin, || format!("the {} sends FIN first", role.name()))?;
        }
        Ok(())
    }

    fn read(&mut self, role: Role, count: usize, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let pieces: Vec<Piece> = self.inbox(role).pieces.drain(..count).collect();
        let units: Vec<_> = pieces.iter().filter(|piece| piece.ends).map(|piece| piece.unit).collect();
        let bytes = pieces.iter().map(|piece| &*piece.bytes).collect::<Vec<_>>().concat();
        let end = self.end_mut(role);
        end.got.inside = pieces.last().is_some_and(|piece| !piece.ends);
        end.read(&bytes, &units, notes)
    }

    fn read_reset(&mut self, role: Role, notes: &mut Observations) {
        let overtakes = !self.inboxes[role as usize].pieces.is_empty();
        notes.see(if overtakes { Goal::ResetOvertook(role) } else { Goal::ResetBehind(role) });
        self.sockets[role as usize] = Socket::None;
        self.end_mut(role).read_reset(notes);
    }

    fn give_up(&mut self, role: Role, notes: &mut Observations) {
        if self.inboxes[role as usize].reset {
            self.sockets[role as usize] = Socket::None;
        }
        self.end_mut(role).read_reset(notes);
    }
}

impl Model for Pair {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for role in [Client, Server] {
            if self.end(role).is_here() {
                self.steps_of(role, &mut steps);
            }
        }
        if self.faults > 0 && self.ends.iter().any(|end| end.is_here()) {
            steps.extend(self.setup.faults.iter().copied().filter(|fault| self.can(*fault)).map(Step::Fault));
        }
        steps
    }

    fn apply(&mut self, step: Step, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        self.peace &= self.is_peaceful(step);
        match step {
            Step::Command(role, command) => self.end_mut(role).command(command, notes),
            Step::Write(role, _, count) => self.write(role, count, notes)?,
            Step::Fin(role) => self.fin(role)?,
            Step::WriteFails(role) => self.end_mut(role).fail_to_write(notes),
            Step::Read(role, _, count) => self.read(role, count, notes)?,
            Step::ReadFin(role) => {
                self.inbox(role).fin = false;
                self.end_mut(role).read_fin(notes);
            }
            Step::ReadReset(role) => self.read_reset(role, notes),
            Step::GiveUp(role) => self.give_up(role, notes),
            Step::Quiet(role) => self.end_mut(role).fall_quiet(notes),
            Step::Expire(role, deadline) => self.end_mut(role).expire(deadline, notes),
            Step::Fault(fault) => self.fault(fault),
        }
        self.first_fin &= self.peace;
        for role in step.touches() {
            self.settle(*role, notes)?;
        }
        self.forget_what_is_dropped(Client);
        self.forget_what_is_dropped(Server);
        Ok(())
    }

    fn check(&self, steps: &[Step], notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let [client, server] = &self.ends;
        claims::check(client, server)?;
        for end in self.ends.iter().filter(|end| end.is_here()) {
            waits::check(end)?;
        }
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

impl Pair {
    fn steps_of(&self, role: Role, steps: &mut Vec<Step>) {
        let (end, inbox) = (self.end(role), &self.inboxes[role as usize]);
        steps.extend(end.left.open().map(|command| Step::Command(role, command)));
        steps.extend(reaches(&end.outgoing).map(|(reach, count)| Step::Write(role, reach, count)));
        if end.fin_due {
            steps.push(Step::Fin(role));
        }
        if inbox.reset && !end.outgoing.is_empty() && !end.connection.is_write_closed() {
            steps.push(Step::WriteFails(role));
        }
        if end.connection.wants_input() {
            steps.extend(reaches(&inbox.pieces).map(|(reach, count)| Step::Read(role, reach, count)));
            if inbox.fin && inbox.pieces.is_empty() {
                steps.push(Step::ReadFin(role));
            }
            if inbox.reset {
                steps.push(Step::ReadReset(role));
            }
            if end.connection.is_write_closed() {
                steps.push(Step::GiveUp(role));
            }
        }
        if end.connection.awaits_quiet() {
            steps.push(Step::Quiet(role));
        }
        if self.setup.deadlines {
            steps.extend(end.connection.running_deadlines().map(|deadline| Step::Expire(role, deadline)));
        }
    }
}

//! Two connections, their kernels, and the two ways between them.
//!
//! A way is a queue of pieces with a FIN or a RST behind it; what waits in the sender's kernel is a part of it. A RST may
//! be read before any of the pieces, and so deletes any number of the last of them. What has come to a kernel and was not read yet is not told
//! apart from what is on its way: whether it has arrived shows only when a program dies, and then both are tried. In
//! the same manner a RST that is on its way may be read behind the data before it, as on Linux, or overtake it; and as
//! long as it is not read, a write may succeed or fail.

use super::end::{Command, Commands, End, NOW, Place, Turn};
use super::observations::{Goal, Observations};
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::search::Model;
use super::setup::{Setup, TransportFault};
use super::unit::{Piece, reaches};
use super::{claims, waits};
use echo_core::Role::{self, Client, Server};
use echo_core::{Config, Connection, Stamp};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use step::Step;

mod judge;
mod step;
mod transport;
mod words;

/// What the kernel of an end has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Socket {
    /// A socket that a program holds.
    Open,
    /// One that was closed with FIN: it answers data with RST.
    Orphan,
    /// None: it answers everything with RST.
    None,
}

/// A way to an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Way {
    pieces: VecDeque<Piece>,
    fin: bool,
    reset: bool,
    /// Nothing gets through any more.
    dead: bool,
}

/// A pair of ends, by [`Role`], client first. What a step leaves as it is, is shared between the states.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    setup: Rc<Setup>,
    ends: [Rc<End>; 2],
    sockets: [Socket; 2],
    /// The way to each end.
    inboxes: [Rc<Way>; 2],
    /// Faults that may still happen.
    faults: u8,
    /// No fault has happened, nobody wanted anything but a polite end, no deadline but idle has passed.
    peace: bool,
    /// Whether someone has sent FIN, as long as there is peace.
    first_fin: bool,
}

/// Settings are no part of it: they are the same in every state of a search. The way to an end that is not there
/// holds nothing.
impl Hash for Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ends = [Client, Server].map(|role| self.end(role).identity);
        (ends, self.sockets, &self.inboxes, self.faults, self.peace, self.first_fin).hash(state);
    }
}

impl Pair {
    pub(super) fn new(setup: Rc<Setup>) -> Result<Self, ExplorerBreach> {
        let config = Config { first_fin: setup.first_fin(), quiet: setup.quiet(), ..Config::default() };
        let plain = setup.is_plain();
        let client = match plain {
            true => Connection::plain_client(config, Stamp(0)),
            false => Connection::client(config, Stamp(0)),
        };
        let server = Connection::server(config, Stamp(0));
        let wishes = |role| Commands::of(&setup, role);
        let mut pair = Self {
            ends: [
                Rc::new(End::new(Client, client, plain, wishes(Client))),
                Rc::new(End::new(Server, server, plain, wishes(Server))),
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

    /// What is on its way to a side that drops it unread is all one: at most one piece of it is kept.
    fn forget_what_is_dropped(&mut self, role: Role) {
        let drops = self.end(role).connection.machine().is_discarding();
        if drops && !self.inboxes[role as usize].pieces.is_empty() {
            self.inbox(role).pieces = VecDeque::from([Piece::junk()]);
        }
    }

    // ---- what happens ----

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
        end.said.say_fin()?;
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
            Step::Wish(role, wish) => self.end_mut(role).wish(wish, notes),
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

    fn tell(&self, step: Step) -> String {
        self.words(step)
    }

    fn show(&self) -> String {
        format!("{} | {}", self.end(Client).show(), self.end(Server).show())
    }
}

impl Pair {
    fn steps_of(&self, role: Role, steps: &mut Vec<Step>) {
        let (end, inbox) = (self.end(role), &self.inboxes[role as usize]);
        steps.extend(end.left.open().map(|wish| Step::Wish(role, wish)));
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

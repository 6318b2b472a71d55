//! Two connections, their kernels, and the two ways between them.
//!
//! A way is a queue of pieces with a FIN or a RST behind it. What has come to a kernel and was not read yet is not told
//! apart from what is on its way: whether it has arrived shows only when a program dies, and then both are tried. In
//! the same manner a RST that is on its way may be read behind the data before it, as on Linux, or overtake it; and as
//! long as it is not read, a write may succeed or fail.

use super::end::{End, NOW, Place, Turn, Wish, Wishes};
use super::notes::{Notes, Sight, name};
use super::rules::{Breach, Rule, ensure};
use super::search::Model;
use super::setup::{Fault, Setup};
use super::unit::{Piece, Reach, Unit, reaches};
use super::{truth, waits};
use echo_core::Role::{self, Client, Server};
use echo_core::{Config, Connection, Deadline, End as Verdict, Outcome, Stamp};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

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

/// The other end.
fn other(role: Role) -> Role {
    match role {
        Client => Server,
        Server => Client,
    }
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

/// One thing that can happen to a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wish(Role, Wish),
    Write(Role, Reach, usize),
    Fin(Role),
    WriteFails(Role),
    Read(Role, Reach, usize),
    ReadFin(Role),
    ReadReset(Role),
    /// The transport failed to write, and there is nothing more to read.
    GiveUp(Role),
    Quiet(Role),
    Expire(Role, Deadline),
    Fault(Fault),
}

impl Step {
    /// The ends whose state it may change.
    fn touches(self) -> &'static [Role] {
        let role = match self {
            Self::Wish(role, _) | Self::Write(role, ..) | Self::Fin(role) | Self::WriteFails(role) => role,
            Self::Read(role, ..) | Self::ReadFin(role) | Self::ReadReset(role) | Self::GiveUp(role) => role,
            Self::Quiet(role) | Self::Expire(role, _) => role,
            Self::Fault(Fault::Kill(role) | Fault::KillUnread(role) | Fault::HalfClose(role)) => role,
            Self::Fault(Fault::Cut | Fault::Reset(_) | Fault::FinForReset(_) | Fault::FinForTheRest(_)) => return &[],
        };
        match role {
            Client => &[Client],
            Server => &[Server],
        }
    }

    /// Whether it happens by itself: nobody wants it, nothing goes wrong, and nobody's patience ends.
    fn is_ordinary(self) -> bool {
        match self {
            Self::Write(..) | Self::Fin(_) | Self::Read(..) | Self::ReadFin(_) | Self::ReadReset(_) => true,
            Self::WriteFails(_) | Self::GiveUp(_) => true,
            Self::Wish(..) | Self::Quiet(_) | Self::Expire(..) | Self::Fault(_) => false,
        }
    }
}

impl Pair {
    pub(super) fn new(setup: Rc<Setup>) -> Result<Self, Breach> {
        let config = Config { first_fin: setup.first_fin(), quiet: setup.quiet(), ..Config::default() };
        let plain = setup.is_plain();
        let client = match plain {
            true => Connection::plain_client(config, Stamp(0)),
            false => Connection::client(config, Stamp(0)),
        };
        let server = Connection::server(config, Stamp(0));
        let wishes = |role| Wishes::of(&setup, role);
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
            pair.settle(role, &mut Notes::default())?;
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

    fn settle(&mut self, role: Role, notes: &mut Notes) -> Result<(), Breach> {
        while self.end(role).is_here() {
            let cuts = self.setup.cuts;
            match self.end_mut(role).settle(cuts, notes) {
                Turn::Rest => break,
                Turn::Abort => {
                    let ended = self.end(role).got.reset;
                    ensure(!self.peace || ended, Rule::Peace, || format!("the {} aborts", name(role)))?;
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

    /// The program closes its socket with an outcome.
    fn let_go(&mut self, role: Role, outcome: Outcome, notes: &mut Notes) -> Result<(), Breach> {
        notes.see(Sight::Ended(role, outcome.end.name()));
        notes.see_if(outcome.account.refused > 0, Sight::Refused(role));
        notes.see_if(outcome.account.unknown > 0, Sight::Unknown(role));
        let in_part = matches!(self.end(role).said.open, Some((Unit::Echo(_), ..)));
        notes.see_if(in_part && outcome.account.unknown > 0, Sight::SentInPart);
        if self.inboxes[role as usize].reset {
            self.sockets[role as usize] = Socket::None;
        }
        let open = self.sockets[role as usize] == Socket::Open;
        // Whose transport takes nothing any more cannot send RST: it aborts by letting go.
        let may = !open || self.end(role).got.fin || self.end(role).connection.is_write_closed();
        ensure(may, Rule::ReadingOn, || format!("the {} lets go before it has read FIN", name(role)))?;
        self.end_mut(role).place = Place::Over(outcome);
        self.close(role, !self.inboxes[role as usize].pieces.is_empty());
        Ok(())
    }

    // ---- sockets ----

    /// The kernel closes what a program held: by RST if something came and was not read, otherwise by FIN.
    fn close(&mut self, role: Role, unread: bool) {
        if unread {
            return self.reset(role);
        }
        if self.sockets[role as usize] == Socket::Open {
            if !self.end(role).has_shut() {
                self.push_fin(role);
            }
            self.sockets[role as usize] = Socket::Orphan;
        }
        self.bury(role);
    }

    /// The socket is gone by RST, or was reset.
    fn reset(&mut self, role: Role) {
        if self.sockets[role as usize] == Socket::Open {
            self.end_mut(role).said.reset = true;
            self.push_reset(role);
        }
        self.sockets[role as usize] = Socket::None;
        self.bury(role);
    }

    /// What is on the way to a socket that nobody reads is answered, data with RST, and forgotten. That it is at once
    /// changes nothing: nobody sees when it arrives, and the RST takes as long as it likes.
    fn bury(&mut self, role: Role) {
        let inbox = std::mem::take(&mut self.inboxes[role as usize]);
        self.inbox(role).dead = inbox.dead;
        let answered = match self.sockets[role as usize] {
            Socket::Open => false,
            Socket::Orphan => !inbox.pieces.is_empty(),
            Socket::None => !inbox.pieces.is_empty() || inbox.fin,
        };
        if answered && !inbox.dead {
            self.sockets[role as usize] = Socket::None;
            self.push_reset(role);
        }
    }

    fn push_reset(&mut self, from: Role) {
        let to = other(from);
        if self.sockets[to as usize] == Socket::Open && !self.inboxes[to as usize].dead {
            self.inbox(to).reset = true;
        } else if self.sockets[to as usize] == Socket::Orphan {
            self.sockets[to as usize] = Socket::None;
        }
    }

    fn push_fin(&mut self, from: Role) {
        let to = other(from);
        if !self.inboxes[to as usize].dead {
            self.inbox(to).fin = true;
        }
        if self.sockets[to as usize] != Socket::Open {
            self.bury(to);
        }
    }

    fn push(&mut self, from: Role, pieces: Vec<Piece>) {
        let to = other(from);
        if !self.inboxes[to as usize].dead {
            self.inbox(to).pieces.extend(pieces);
        }
        if self.sockets[to as usize] != Socket::Open {
            self.bury(to);
        }
    }

    // ---- what happens ----

    fn write(&mut self, role: Role, count: usize, notes: &mut Notes) -> Result<(), Breach> {
        let pieces = self.end_mut(role).write(count, notes)?;
        self.push(role, pieces);
        Ok(())
    }

    fn fin(&mut self, role: Role) -> Result<(), Breach> {
        let end = self.end_mut(role);
        end.connection.handle_fin_sent(NOW);
        if end.half_closed {
            return Ok(());
        }
        end.said.say_fin()?;
        self.push_fin(role);
        if self.peace && !self.setup.is_plain() && !std::mem::replace(&mut self.first_fin, true) {
            let named = self.setup.first_fin() == role;
            ensure(named, Rule::FirstFin, || format!("the {} sends FIN first", name(role)))?;
        }
        Ok(())
    }

    fn read(&mut self, role: Role, count: usize, notes: &mut Notes) -> Result<(), Breach> {
        let pieces: Vec<Piece> = self.inbox(role).pieces.drain(..count).collect();
        let units: Vec<_> = pieces.iter().filter(|piece| piece.ends).map(|piece| piece.unit).collect();
        let bytes = pieces.iter().map(|piece| &*piece.bytes).collect::<Vec<_>>().concat();
        let end = self.end_mut(role);
        end.got.inside = pieces.last().is_some_and(|piece| !piece.ends);
        end.read(&bytes, &units, notes)
    }

    fn read_reset(&mut self, role: Role, notes: &mut Notes) {
        let overtakes = !self.inboxes[role as usize].pieces.is_empty();
        notes.see(if overtakes { Sight::ResetOvertook(role) } else { Sight::ResetBehind(role) });
        self.sockets[role as usize] = Socket::None;
        self.end_mut(role).read_reset(notes);
    }

    fn give_up(&mut self, role: Role, notes: &mut Notes) {
        if self.inboxes[role as usize].reset {
            self.sockets[role as usize] = Socket::None;
        }
        self.end_mut(role).read_reset(notes);
    }

    fn fault(&mut self, fault: Fault) {
        self.faults -= 1;
        match fault {
            Fault::Kill(role) => self.kill(role, false),
            Fault::KillUnread(role) => self.kill(role, true),
            Fault::HalfClose(role) => {
                self.end_mut(role).half_closed = true;
                self.push_fin(role);
            }
            Fault::Cut => self.inboxes = [(); 2].map(|()| Rc::new(Way { dead: true, ..Way::default() })),
            Fault::Reset(role) => self.inbox(role).reset = true,
            Fault::FinForReset(role) => {
                self.inbox(role).reset = false;
                self.inbox(role).fin = true;
            }
            Fault::FinForTheRest(role) => {
                *self.inbox(role) = Way { fin: true, dead: true, ..Way::default() };
            }
        }
    }

    fn kill(&mut self, role: Role, unread: bool) {
        self.end_mut(role).place = Place::Gone;
        self.close(role, unread);
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

    fn apply(&mut self, step: Step, notes: &mut Notes) -> Result<(), Breach> {
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

    fn check(&self, steps: &[Step], notes: &mut Notes) -> Result<(), Breach> {
        let [client, server] = &self.ends;
        truth::check(client, server)?;
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
        let units = |pieces: &mut dyn Iterator<Item = &Piece>| {
            let part = |piece: &Piece| match (piece.begins, piece.ends) {
                (true, true) => piece.unit.to_string(),
                (true, false) => format!("the beginning of {}", piece.unit),
                (false, true) => format!("the rest of {}", piece.unit),
                (false, false) => format!("more of {}", piece.unit),
            };
            pieces.map(part).collect::<Vec<_>>().join(", ")
        };
        match step {
            Step::Wish(role, wish) => format!("{}: {}", name(role), wish.name()),
            Step::Write(role, _, count) => {
                format!("{} writes {}", name(role), units(&mut self.end(role).outgoing.iter().take(count)))
            }
            Step::Fin(role) => format!("{} sends FIN", name(role)),
            Step::WriteFails(role) => format!("{}: a write fails", name(role)),
            Step::Read(role, _, count) => {
                let pieces = &self.inboxes[role as usize].pieces;
                format!("{} reads {}", name(role), units(&mut pieces.iter().take(count)))
            }
            Step::ReadFin(role) => format!("{} reads FIN", name(role)),
            Step::ReadReset(role) => format!("{} reads RST", name(role)),
            Step::GiveUp(role) => format!("{}: nothing to read behind the failed write", name(role)),
            Step::Quiet(role) => format!("{}: the input falls quiet", name(role)),
            Step::Expire(role, deadline) => format!("{}: deadline {deadline}", name(role)),
            Step::Fault(fault) => fault.to_string(),
        }
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

    fn can(&self, fault: Fault) -> bool {
        let here = |role: Role| self.end(role).is_here();
        let inbox = |role: Role| &self.inboxes[role as usize];
        let dead = |role: Role| inbox(role).dead;
        match fault {
            Fault::Kill(role) => here(role),
            Fault::KillUnread(role) => here(role) && !inbox(role).pieces.is_empty(),
            Fault::HalfClose(role) => here(role) && !self.end(role).has_shut(),
            Fault::Cut => !dead(Client) || !dead(Server),
            Fault::Reset(role) => here(role) && !inbox(role).reset && !dead(role),
            Fault::FinForReset(role) => inbox(role).reset,
            Fault::FinForTheRest(role) => here(role) && !self.end(role).got.fin && !dead(role),
        }
    }

    fn is_peaceful(&self, step: Step) -> bool {
        match step {
            Step::Wish(Server, Wish::Leave) => self.end(Server).connection.is_plain().is_some(),
            Step::Wish(_, Wish::Send | Wish::Leave) => true,
            Step::Wish(_, Wish::Fail | Wish::Abort) | Step::Fault(_) => false,
            Step::Expire(role, Deadline::Idle) => self.end(role).connection.is_plain() == Some(false),
            Step::Expire(..) => false,
            Step::Write(..) | Step::Fin(_) | Step::Read(..) | Step::ReadFin(_) | Step::ReadReset(_) => true,
            Step::WriteFails(_) | Step::GiveUp(_) | Step::Quiet(_) => true,
        }
    }

    /// In peace an ending comes to its end by itself: when only a wish or a deadline can go on, it is over.
    fn check_peace(&self, steps: &[Step]) -> Result<(), Breach> {
        let ending = self.ends.iter().any(|end| end.connection.machine().is_ending());
        if !self.peace || !ending || steps.iter().any(|step| step.is_ordinary()) {
            return Ok(());
        }
        for end in &self.ends {
            let Some(outcome) = end.outcome() else {
                let what = format!("the ending needs a deadline: {}", self.show());
                return Err(Breach { rule: Rule::Peace, what });
            };
            let plain = self.setup.is_plain();
            let good = match outcome.end {
                Verdict::Clean(_) => !plain,
                Verdict::Unproven => plain,
                Verdict::Failed { .. } | Verdict::Truncated | Verdict::Reset => false,
                Verdict::TimedOut(_) | Verdict::Violation(_) => false,
            };
            ensure(good, Rule::Peace, || format!("in peace the {} ends {outcome}", name(end.role)))?;
            let account = outcome.account;
            let answered = plain || (account.refused == 0 && account.unknown == 0);
            ensure(answered, Rule::Peace, || format!("in peace the {} ends {outcome}", name(end.role)))?;
        }
        Ok(())
    }

    /// Nothing can happen any more: both have ended.
    fn check_end(&self, notes: &mut Notes) -> Result<(), Breach> {
        let over = self.ends.iter().all(|end| !end.is_here());
        ensure(over, Rule::End, || format!("nothing can happen any more: {}", self.show()))?;
        let [client, server] = &self.ends;
        let clean = |end: &End| matches!(end.outcome().map(|outcome| &outcome.end), Some(Verdict::Clean(_)));
        notes.see_if(clean(client) && clean(server), Sight::BothClean);
        let answered = client.half_closed && client.held > 0 && client.held == server.ran;
        let truncated = server.outcome().is_some_and(|outcome| outcome.end == Verdict::Truncated);
        notes.see_if(answered && truncated, Sight::HalfCloseAnswered);
        notes.see_if(clean(client) && server.outcome().is_some() && !clean(server), Sight::LastWordLost);
        Ok(())
    }
}

//! One connection with an arbitrary peer.
//!
//! There is no network between them, because an input that an arbitrary peer sends now could also have been sent
//! earlier and read now. So the state is that of one end, and all inputs are tried in each state.

use super::end::{Answer, Command, Commands, End, LocalStep};
use super::ends::{EndState, Ends, Store};
use super::observations::{Goal, Observations};
use super::peer_input::PeerInput;
use super::queue::Queue;
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::search::Model;
use super::setup::Setup;
use super::unit::Reach;
use super::{claims, waits};
use echo_core::{Connection, Deadline, Role, Stamp};
use std::cell::RefCell;
use std::hash::{Hash, Hasher};

/// What all states of a search share.
pub(super) struct Shared<'a> {
    setup: Setup,
    ends: RefCell<Ends<'a>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(setup: &Setup, store: &'a Store<'a>) -> Self {
        Self { setup: *setup, ends: RefCell::new(Ends::new(store, setup, claims_and_waits)) }
    }
}

/// An end with a peer that is not modelled.
#[derive(Clone, Copy)]
pub(super) struct Single<'a> {
    shared: &'a Shared<'a>,
    stored: EndState<'a>,
    /// The commands that may still be given: none if the end has ended.
    left: Commands,
    /// The number of inputs that the peer may still send.
    inputs: u8,
    /// The rest of an input that the peer has begun to send.
    rest: &'a Queue,
}

impl Hash for Single<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.stored.class) << 32 | u64::from(self.rest.number));
        state.write_u64(u64::from(self.left.packed()) << 32 | u64::from(self.inputs));
    }
}

/// A possible step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Command(Command),
    Write(Reach, u16),
    WriteFails,
    GiveUp,
    Fin,
    PeerInput(PeerInput),
    PeerFin,
    PeerReset,
    Quiet,
    Expire(Deadline),
    Answer(Answer),
}

impl<'a> Single<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, role: Role, inputs: u8) -> Result<Self, ExplorerBreach> {
        let setup = &shared.setup;
        let config = setup.config();
        let connection = match (role, setup.is_plain()) {
            (Role::Server, _) => setup.server(),
            (Role::Client, false) => Connection::client(config, Stamp(0)),
            (Role::Client, true) => Connection::plain_client(config, Stamp(0)),
        };
        let notes = &mut Observations::default();
        let first = shared.ends.borrow_mut().first(End::new(role, connection, setup.is_plain()), notes);
        let mut single =
            Self { shared, stored: first.end, left: Commands::of(setup, role), inputs, rest: first.pieces };
        single.follow(notes)?;
        Ok(single)
    }

    fn end(&self) -> &'a End {
        self.stored.end()
    }

    /// Checks how the end ended, if it did.
    fn follow(&mut self, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        if self.stored.is_here {
            return Ok(());
        }
        let end = self.end();
        if let Some(outcome) = end.outcome() {
            let aborted = end.sent.reset || end.got.reset || end.connection.is_write_closed();
            let may = end.got.fin || aborted || end.patience_over;
            ensure(may, ExplorerRule::ReadingOn, || {
                format!("the {} closes its socket before it has read FIN", end.role.name())
            })?;
            if self.stored.is_to_be_noted() {
                notes.see(Goal::Ended(end.role, outcome.end.name()));
            }
            self.left = Commands::default();
        }
        Ok(())
    }
}

/// Checks what must be true of the end.
fn claims_and_waits(end: &End) -> Result<(), ExplorerBreach> {
    claims::check_alone(end)?;
    if end.is_here() { waits::check(end) } else { Ok(()) }
}

impl Model for Single<'_> {
    type Step = Step;

    fn steps(&self, steps: &mut Vec<Step>) {
        if !self.stored.is_here {
            return;
        }
        let stored = self.stored;
        steps.extend(self.left.open().map(Step::Command));
        steps.extend(stored.writes.iter().map(|(reach, count)| Step::Write(*reach, *count)));
        if stored.fin_due {
            steps.push(Step::Fin);
        }
        if stored.may_fail_to_write {
            steps.push(Step::WriteFails);
        }
        if stored.wants_input {
            let alphabet = PeerInput::alphabet(&self.shared.setup, self.end(), !self.rest.is_empty());
            steps.extend(alphabet.iter().filter(|_| self.inputs > 0).map(|input| Step::PeerInput(*input)));
            steps.extend([Step::PeerFin, Step::PeerReset]);
            if stored.write_closed {
                steps.push(Step::GiveUp);
            }
        }
        if stored.awaits_quiet {
            steps.push(Step::Quiet);
        }
        steps.extend(stored.answers.iter().map(|answer| Step::Answer(*answer)));
        if self.shared.setup.deadlines {
            steps.extend(stored.deadlines.iter().map(|deadline| Step::Expire(*deadline)));
        }
    }

    fn apply(&mut self, step: Step, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let mut input = None;
        let local = match step {
            Step::Command(command) => {
                self.left.spend(command);
                LocalStep::Command(command)
            }
            Step::Write(_, count) => LocalStep::Write(count),
            Step::WriteFails => LocalStep::WriteFails,
            Step::GiveUp | Step::PeerReset => LocalStep::ReadReset,
            Step::Fin => LocalStep::Fin,
            Step::PeerInput(peer_input) => {
                self.inputs -= 1;
                input = Some(self.rest);
                LocalStep::PeerInput(peer_input)
            }
            Step::PeerFin => LocalStep::ReadFin,
            Step::Quiet => LocalStep::Quiet,
            Step::Expire(deadline) => LocalStep::Expire(deadline),
            Step::Answer(answer) => LocalStep::Answer(answer),
        };
        let taken = self.shared.ends.borrow_mut().take(self.stored, local, input, notes)?;
        if input.is_some() {
            self.rest = taken.pieces;
        }
        self.stored = taken.end;
        self.follow(notes)
    }

    fn check(&self, steps: &[Step], _: &mut Observations) -> Result<(), ExplorerBreach> {
        self.stored.check()?;
        if self.stored.is_here {
            ensure(!steps.is_empty(), ExplorerRule::End, || format!("no step is possible any more: {}", self.show()))?;
        }
        Ok(())
    }

    fn describe(&self, step: Step) -> String {
        let who = self.end().role.name();
        match step {
            Step::Command(command) => format!("{who}: {}", command.name()),
            Step::Write(_, count) => {
                let units: Vec<String> =
                    self.end().outgoing.iter().take(count.into()).map(|piece| piece.unit.to_string()).collect();
                format!("{who} writes {}", units.join(", "))
            }
            Step::WriteFails => format!("{who}: a write fails"),
            Step::GiveUp => format!("{who}: nothing to read after the failed write"),
            Step::Fin => format!("{who} sends FIN"),
            Step::PeerInput(input) => format!("the peer sends {input}"),
            Step::PeerFin => "the peer sends FIN".into(),
            Step::PeerReset => "the peer sends RST".into(),
            Step::Quiet => format!("{who}: the quiet time passes"),
            Step::Expire(deadline) => format!("{who}: deadline {deadline}"),
            Step::Answer(answer) => format!("{who} {answer}"),
        }
    }

    fn show(&self) -> String {
        self.end().show()
    }
}

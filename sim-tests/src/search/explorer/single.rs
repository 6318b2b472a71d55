//! One connection with an arbitrary peer.
//!
//! There is no network between them, because an input that an arbitrary peer sends now could also have been sent
//! earlier and read now. So the state is that of one end, and all inputs are tried in each state.

use super::end::{Command, Commands, End, NOW, Place, Turn};
use super::observations::{Goal, Observations};
use super::peer_input::{PeerInput, peer_of};
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::search::Model;
use super::setup::Setup;
use super::unit::{Reach, reaches};
use super::{claims, waits};
use echo_core::{Connection, Deadline, Role, Stamp};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// An end with a peer that is not modelled.
#[derive(Clone, Debug)]
pub(super) struct Single {
    setup: Rc<Setup>,
    end: End,
    /// The number of inputs that the peer may still send.
    inputs: u8,
    /// The rest of an input that the peer has begun to send.
    rest: Option<(Vec<u8>, super::unit::Unit)>,
}

impl Hash for Single {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.end, self.inputs, &self.rest).hash(state);
    }
}

/// A possible step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Command(Command),
    Write(Reach, usize),
    WriteFails,
    GiveUp,
    Fin,
    PeerInput(PeerInput),
    PeerFin,
    PeerReset,
    Quiet,
    Expire(Deadline),
}

impl Single {
    pub(super) fn new(setup: Rc<Setup>, role: Role, inputs: u8) -> Result<Self, ExplorerBreach> {
        let config = setup.config();
        let connection = match (role, setup.is_plain()) {
            (Role::Server, _) => Connection::server(config, Stamp(0)),
            (Role::Client, false) => Connection::client(config, Stamp(0)),
            (Role::Client, true) => Connection::plain_client(config, Stamp(0)),
        };
        let end = End::new(role, connection, setup.is_plain(), Commands::of(&setup, role));
        let mut solo = Self { setup, end, inputs, rest: None };
        solo.settle(&mut Observations::default())?;
        Ok(solo)
    }

    fn settle(&mut self, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        while self.end.is_here() {
            match self.end.settle(self.setup.cuts, notes) {
                Turn::Rest => return Ok(()),
                Turn::Abort => self.end.sent.reset = true,
                Turn::Ended(outcome) => {
                    let aborted = self.end.sent.reset || self.end.got.reset || self.end.connection.is_write_closed();
                    let may = self.end.got.fin || aborted || self.end.patience_over;
                    let who = self.end.role.name();
                    ensure(may, ExplorerRule::ReadingOn, || {
                        format!("the {who} closes its socket before it has read FIN")
                    })?;
                    notes.see(Goal::Ended(self.end.role, outcome.end.name()));
                    self.end.place = Place::Over(outcome);
                }
            }
        }
        Ok(())
    }

    fn receive_input(&mut self, input: PeerInput, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        self.inputs -= 1;
        let (bytes, unit) = match self.rest.take() {
            Some(rest) => rest,
            None => input.bytes(peer_of(self.end.role), &self.end),
        };
        self.end.got.inside = matches!(input, PeerInput::Half | PeerInput::HalfLine);
        if input == PeerInput::Half {
            let (half, rest) = bytes.split_at(bytes.len() / 2);
            self.rest = Some((rest.to_vec(), unit));
            return self.end.read(half, &[], notes);
        }
        if input == PeerInput::HalfLine {
            return self.end.read(&bytes, &[], notes);
        }
        // A server chooses the wire by the first byte, and then has the machine of that wire.
        let (first, rest) = bytes.split_at(1);
        self.end.read(first, &[], notes)?;
        self.end.read(rest, &[unit], notes)
    }
}

impl Model for Single {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let end = &self.end;
        let mut steps = Vec::new();
        if !end.is_here() {
            return steps;
        }
        steps.extend(end.left.open().map(Step::Command));
        steps.extend(reaches(&end.outgoing).map(|(reach, count)| Step::Write(reach, count)));
        if end.fin_due {
            steps.push(Step::Fin);
        }
        if !end.outgoing.is_empty() && !end.connection.is_write_closed() {
            steps.push(Step::WriteFails);
        }
        if end.connection.wants_input() {
            let alphabet = PeerInput::alphabet(self.setup.is_plain(), end, self.rest.is_some());
            steps.extend(alphabet.iter().filter(|_| self.inputs > 0).map(|input| Step::PeerInput(*input)));
            steps.extend([Step::PeerFin, Step::PeerReset]);
            if end.connection.is_write_closed() {
                steps.push(Step::GiveUp);
            }
        }
        if end.connection.awaits_quiet() {
            steps.push(Step::Quiet);
        }
        if self.setup.deadlines {
            steps.extend(end.connection.running_deadlines().map(Step::Expire));
        }
        steps
    }

    fn apply(&mut self, step: Step, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        match step {
            Step::Command(command) => self.end.command(command, notes),
            Step::Write(_, count) => drop(self.end.write(count, notes)?),
            Step::WriteFails => self.end.fail_to_write(notes),
            Step::GiveUp | Step::PeerReset => self.end.read_reset(notes),
            Step::Fin => {
                self.end.connection.handle_fin_sent(NOW);
                self.end.sent.record_fin()?;
            }
            Step::PeerInput(input) => self.receive_input(input, notes)?,
            Step::PeerFin => self.end.read_fin(notes),
            Step::Quiet => self.end.fall_quiet(notes),
            Step::Expire(deadline) => self.end.expire(deadline, notes),
        }
        self.settle(notes)
    }

    fn check(&self, steps: &[Step], _: &mut Observations) -> Result<(), ExplorerBreach> {
        claims::check_alone(&self.end)?;
        if self.end.is_here() {
            waits::check(&self.end)?;
            ensure(!steps.is_empty(), ExplorerRule::End, || format!("no step is possible any more: {}", self.show()))?;
        }
        Ok(())
    }

    fn describe(&self, step: Step) -> String {
        let who = self.end.role.name();
        match step {
            Step::Command(command) => format!("{who}: {}", command.name()),
            Step::Write(_, count) => {
                let units: Vec<String> =
                    self.end.outgoing.iter().take(count).map(|piece| piece.unit.to_string()).collect();
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
        }
    }

    fn show(&self) -> String {
        self.end.show()
    }
}

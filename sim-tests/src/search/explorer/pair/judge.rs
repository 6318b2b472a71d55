//! Checks of a pair in a run without faults, and in states without a next step.

use super::super::observations::{Goal, Observations};
use super::super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::{Command, End, Model, Pair, Step};
use echo_core::Role::{Client, Server};
use echo_core::{Deadline, End as Verdict};

impl Pair<'_> {
    pub(super) fn is_peaceful(&self, step: Step) -> bool {
        match step {
            Step::Command(Server, Command::Leave) => self.end(Server).connection.is_plain().is_some(),
            Step::Command(_, Command::Send | Command::Leave) => true,
            Step::Command(_, Command::Fail | Command::Abort) | Step::Fault(_) => false,
            Step::Expire(role, Deadline::Idle) => self.end(role).connection.is_plain() == Some(false),
            Step::Expire(..) => false,
            Step::Write(..) | Step::Fin(_) | Step::Read(..) | Step::ReadFin(_) | Step::ReadReset(_) => true,
            Step::WriteFails(_) | Step::GiveUp(_) | Step::Quiet(_) | Step::Answer(_) => true,
        }
    }

    /// Checks that without faults an ending completes without help: if only commands and deadlines are possible, it
    /// must be over.
    pub(super) fn check_peace(&self, steps: &[Step]) -> Result<(), ExplorerBreach> {
        let ending = self.ends.iter().any(|stored| stored.end().connection.machine().is_ending());
        if !self.peace || !ending || steps.iter().any(|step| step.is_ordinary()) {
            return Ok(());
        }
        for end in [self.end(Client), self.end(Server)] {
            let Some(outcome) = end.outcome() else {
                let what = format!("the ending needs a deadline: {}", self.show());
                return Err(ExplorerBreach { rule: ExplorerRule::Peace, what });
            };
            let plain = self.shared.setup.is_plain();
            let good = match outcome.end {
                Verdict::Clean(_) => !plain,
                Verdict::Unproven => plain,
                Verdict::Failed { .. } | Verdict::Truncated | Verdict::Reset => false,
                Verdict::TimedOut(_) | Verdict::Violation(_) | Verdict::UnexpectedEof => false,
            };
            ensure(good, ExplorerRule::Peace, || format!("without a fault the {} ends {outcome}", end.role.name()))?;
            let account = outcome.account;
            let answered = plain || (account.refused == 0 && account.unknown == 0);
            ensure(answered, ExplorerRule::Peace, || {
                format!("without a fault the {} ends {outcome}", end.role.name())
            })?;
        }
        Ok(())
    }

    /// Checks a state without a next step: both sides must have ended.
    pub(super) fn check_end(&self, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let over = self.ends.iter().all(|stored| !stored.is_here);
        ensure(over, ExplorerRule::End, || format!("no step is possible any more: {}", self.show()))?;
        let (client, server) = (self.end(Client), self.end(Server));
        let clean = |end: &End| matches!(end.outcome().map(|outcome| &outcome.end), Some(Verdict::Clean(_)));
        notes.see_if(clean(client) && clean(server), Goal::BothClean);
        let answered = client.half_closed && client.held > 0 && client.held == server.ran;
        let truncated = server.outcome().is_some_and(|outcome| outcome.end == Verdict::Truncated);
        notes.see_if(answered && truncated, Goal::HalfCloseAnswered);
        notes.see_if(clean(client) && server.outcome().is_some() && !clean(server), Goal::CloseLost);
        Ok(())
    }
}

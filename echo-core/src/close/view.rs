//! Accessors of the close machine.

use super::HalfState::{Closed, Failed, Finished, Leaving, Open};
use super::{Action, CloseHandshake, CloseReason, HalfState, Machine, Policy, Receiving, Role};
use crate::account::Account;
use crate::outcome::{End, Outcome, Side};
use crate::timers::Deadline;

impl Machine {
    /// Returns the state of this side's direction.
    pub fn sent(&self) -> HalfState {
        self.sent
    }

    /// Returns the state of the peer's direction.
    pub fn received(&self) -> HalfState {
        self.received
    }

    /// Returns which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the policy. At a client, the server's CLOSE sets `first_fin`.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns the code and reason for the next GOAWAY or CLOSE.
    pub fn close_reason(&self) -> &CloseReason {
        &self.close_reason
    }

    /// Returns the number for the next GOAWAY or CLOSE. GOAWAY counts requests; CLOSE counts accepted requests or
    /// answers.
    pub fn last(&self, action: Action) -> u64 {
        match (self.role, action) {
            (Role::Client, Action::GoAway) => self.account.asked,
            (Role::Client, _) => self.account.answered.mark(),
            (Role::Server, Action::GoAway) => 0,
            (Role::Server, _) => self.accepted(),
        }
    }

    /// Returns what happened to the requests so far.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the verdict so far: the first one, unless a violation overruled a clean end (clause 7.4).
    pub fn verdict(&self) -> Option<&End> {
        self.end.as_deref()
    }

    /// Returns whether this side drops all input and only waits for FIN.
    pub fn is_discarding(&self) -> bool {
        matches!(self.receiving(), Receiving::Discarding)
    }

    /// Returns whether the ending has begun.
    pub fn is_ending(&self) -> bool {
        self.began.is_some()
    }

    /// Returns the deadline of the present wait, if the machine is in the ending.
    pub fn waiting(&self) -> Option<Deadline> {
        match (self.sent, self.received) {
            (Open, Open) | (Finished, Finished) => None,
            (Leaving, _) | (Open, Leaving | Closed | Failed | Finished) => Some(Deadline::Drain),
            (Closed, Open | Leaving) => match self.policy.handshake {
                CloseHandshake::Acknowledged => Some(Deadline::Close),
                CloseHandshake::Server | CloseHandshake::None => Some(Deadline::Fin),
            },
            (Closed, Closed | Failed | Finished) | (Failed, _) => Some(Deadline::Fin),
            (Finished, Open | Leaving | Closed | Failed) => Some(Deadline::Linger),
        }
    }

    /// Returns whether both directions are finished.
    pub fn is_finished(&self) -> bool {
        (self.sent, self.received) == (Finished, Finished)
    }

    /// Returns the outcome once both directions are finished.
    pub fn outcome(&self) -> Option<Outcome> {
        self.is_finished().then(|| Outcome {
            end: self.end.as_deref().cloned().unwrap_or(End::Unproven),
            began: self.began.unwrap_or(Side::Peer),
            account: self.account.tally(),
        })
    }
}

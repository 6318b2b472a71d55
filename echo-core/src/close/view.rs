//! What can be seen of the close machine: nothing here changes it.

use super::HalfState::{Closed, Failed, Finished, Leaving, Open};
use super::{Action, CloseHandshake, CloseReason, HalfState, Hearing, Machine, Policy, Role};
use crate::account::Account;
use crate::outcome::{End, Outcome, Side};
use crate::timers::Deadline;

impl Machine {
    /// How far this side's own direction has come.
    pub fn sent(&self) -> HalfState {
        self.sent
    }

    /// How far the peer's direction has come.
    pub fn heard(&self) -> HalfState {
        self.heard
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The policy; a client's `first_fin` follows what the server's CLOSE said.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Why this side leaves, for the next GOAWAY or CLOSE.
    pub fn close_reason(&self) -> &CloseReason {
        &self.close_reason
    }

    /// The number for the next GOAWAY or CLOSE: GOAWAY counts requests, a CLOSE what was accepted or answered.
    pub fn last(&self, action: Action) -> u64 {
        match (self.role, action) {
            (Role::Client, Action::GoAway) => self.account.asked,
            (Role::Client, _) => self.account.answered.mark(),
            (Role::Server, Action::GoAway) => 0,
            (Role::Server, _) => self.accepted(),
        }
    }

    /// What became of the requests, so far.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The verdict so far: the first that was reached, unless a violation overruled a clean one (clause 7.4).
    pub fn verdict(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Whether this side only waits for the end of what comes, and drops it unread.
    pub fn is_discarding(&self) -> bool {
        matches!(self.hearing(), Hearing::Discarding)
    }

    /// Whether the ending has begun.
    pub fn is_ending(&self) -> bool {
        self.began.is_some()
    }

    /// The deadline that bounds the present wait of the ending, if it is one.
    pub fn waiting(&self) -> Option<Deadline> {
        match (self.sent, self.heard) {
            (Open, Open) | (Finished, Finished) => None,
            (Leaving, _) | (Open, Leaving | Closed | Failed | Finished) => Some(Deadline::Drain),
            (Closed, Open | Leaving) => match self.policy.words {
                CloseHandshake::Acknowledged => Some(Deadline::Close),
                CloseHandshake::Server | CloseHandshake::None => Some(Deadline::Fin),
            },
            (Closed, Closed | Failed | Finished) | (Failed, _) => Some(Deadline::Fin),
            (Finished, Open | Leaving | Closed | Failed) => Some(Deadline::Linger),
        }
    }

    /// The outcome, once both directions are finished.
    pub fn outcome(&self) -> Option<Outcome> {
        match (self.sent, self.heard) {
            (Finished, Finished) => Some(Outcome {
                end: self.end.clone().unwrap_or(End::Unproven),
                began: self.began.unwrap_or(Side::Peer),
                account: self.account.tally(),
            }),
            (Open | Leaving | Closed | Failed, _) | (Finished, Open | Leaving | Closed | Failed) => None,
        }
    }
}

//! Consequences of what was sent and received: CLOSE, FIN, the verdict.

use super::types::HalfState::{Closed, Failed, Finished, Leaving, Open};
use super::types::{Action, Actions, CloseHandshake, CloseReason, Order, Role};
use super::{Machine, Receiving};
use crate::error::{CloseCode, Violation};
use crate::outcome::{End, Side};
use crate::timers::Deadline;

impl Machine {
    /// Sends CLOSE, or FIN if there are no CLOSE frames, once no more requests follow and no answer is owed.
    pub(super) fn close_if_due(&mut self, out: &mut Actions) {
        if self.owes() || !matches!(self.sent, Open | Leaving) {
            return;
        }
        match (self.role, self.policy.handshake, self.received) {
            (_, CloseHandshake::None, _) if self.sent == Leaving || self.received == Finished => {
                self.sent = Closed;
                self.fin_if_due(out);
            }
            (Role::Server, CloseHandshake::Server | CloseHandshake::Acknowledged, Leaving) => self.close_in_order(out),
            (_, CloseHandshake::Server | CloseHandshake::Acknowledged, Finished) => {
                let close_reason = CloseReason::new(CloseCode::PROTOCOL_ERROR, "FIN before CLOSE");
                self.close_out_of_order(close_reason, out);
            }
            (_, CloseHandshake::None, _) | (_, _, Open | Closed | Failed) | (Role::Client, _, Leaving) => (),
        }
    }

    /// Sends CLOSE in the usual order: the server has answered all it accepted (clause 5.2).
    pub(super) fn close_in_order(&mut self, out: &mut Actions) {
        self.sent = Closed;
        out.push(Action::Close);
        self.fin_if_due(out);
    }

    /// Sends an error CLOSE with its reason, unless a CLOSE was sent before (clause 5.6).
    pub(super) fn close_out_of_order(&mut self, close_reason: CloseReason, out: &mut Actions) {
        match self.sent {
            Open | Leaving => {
                self.close_reason = close_reason;
                self.sent = Failed;
                out.push(Action::Close);
            }
            Closed => self.sent = Failed,
            Failed | Finished => (),
        }
        self.fin_if_due(out);
    }

    /// Sends FIN after the CLOSE frames (clause 5.4). The side that sends FIN first does so at once, the other side
    /// after the peer's FIN.
    pub(super) fn fin_if_due(&mut self, out: &mut Actions) {
        let first = self.policy.first_fin == self.role;
        let due = match (self.policy.handshake, self.sent, self.received) {
            (_, Open | Leaving | Finished, _) => false,
            (CloseHandshake::None, Closed | Failed, _) => true,
            (_, Closed | Failed, Finished) => true,
            (CloseHandshake::Server, Closed, Open | Leaving) => first,
            (CloseHandshake::Acknowledged, Closed, Open | Leaving) => false,
            (_, Closed, Closed | Failed) => first,
            (_, Failed, Open | Leaving | Closed | Failed) => first,
        };
        if due {
            self.sent = Finished;
            out.push(Action::Fin);
        }
    }

    pub(super) fn fail_on(&mut self, deadline: Deadline, code: CloseCode, out: &mut Actions) {
        match self.sent {
            Open | Leaving => {
                self.settle(End::TimedOut(deadline), Side::Local);
                self.close_out_of_order(CloseReason::new(code, format!("{deadline} deadline")), out);
            }
            Closed | Failed | Finished => (),
        }
    }

    pub(super) fn violate(&mut self, expected: impl Into<String>, got: impl Into<String>, out: &mut Actions) {
        self.on_violation(Violation::protocol(expected.into(), got.into()), out);
    }

    /// Records the verdict. The first one stands; only a violation overrules a clean end (clause 5.11).
    pub(super) fn settle(&mut self, end: End, side: Side) {
        self.begin(side);
        match (self.end.as_deref(), &end) {
            (None, _) | (Some(End::Clean(_)), End::Violation(_)) => self.end = Some(Box::new(end)),
            (Some(_), _) => (),
        }
    }

    /// Records what the transport itself says of the end that follows as [`MachineEvent::Fin`](super::MachineEvent::Fin)
    /// or [`MachineEvent::Abort`](super::MachineEvent::Abort). It overrules no verdict, for CLOSE is the better proof
    /// (clause 5.14).
    pub(crate) fn note_end(&mut self, end: End) {
        if self.end.is_none() && self.received != Finished {
            self.settle(end, Side::Peer);
        }
    }

    pub(super) fn begin(&mut self, side: Side) {
        self.began.get_or_insert(side);
    }

    pub(super) fn receiving(&self) -> Receiving {
        match (self.sent, self.received) {
            // Without CLOSE frames a client sends FIN to leave, and still waits for its answers (clause 2.7).
            (Finished, Open) if self.receives_after_fin() => Receiving::Open,
            (_, Finished) | (Failed, _) | (Finished, Open | Leaving | Failed) => Receiving::Discarding,
            (Open | Leaving | Closed, Open) => Receiving::Open,
            (Open | Leaving | Closed, Leaving) => Receiving::Leaving,
            (Open | Leaving | Closed | Finished, Closed) | (Open | Leaving | Closed, Failed) => Receiving::Over,
        }
    }

    pub(super) fn receives_after_fin(&self) -> bool {
        self.role == Role::Client && self.policy.handshake == CloseHandshake::None && self.end.is_none()
    }

    pub(super) fn unexpected_answer(&self, seq: u64) -> Option<String> {
        let answered = &self.account.answered;
        let next = answered.mark() + 1;
        let due = match self.policy.order {
            Order::Asked => seq == next && seq <= self.account.begun,
            Order::Any => seq <= self.account.begun && !answered.contains(seq),
        };
        match (due, answered.count() < self.account.begun) {
            (true, _) => None,
            (false, true) => Some(format!("answer {next}")),
            (false, false) => Some("no answer, none is owed".into()),
        }
    }

    pub(super) fn owes(&self) -> bool {
        self.role == Role::Server && self.queued.count() < self.accepted()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.account.accepted.unwrap_or_default()
    }
}

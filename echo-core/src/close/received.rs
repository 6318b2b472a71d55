//! Handling of what the peer sent.

use super::types::HalfState::{Closed, Failed, Finished, Leaving, Open};
use super::types::{Action, Actions, CloseHandshake, CloseReason, Role};
use super::{Machine, Receiving};
use crate::account::Watermark;
use crate::error::{CloseCode, Violation};
use crate::outcome::{End, Side};

impl Machine {
    pub(super) fn on_request(&mut self, seq: u64, out: &mut Actions) {
        match (self.role, self.receiving()) {
            (Role::Server, Receiving::Open) if seq != self.account.asked + 1 => {
                let expected = format!("request {}", self.account.asked + 1);
                self.violate(expected, format!("request {seq}"), out);
            }
            (Role::Server, Receiving::Open) => {
                self.account.asked = seq;
                self.account.begun = seq;
                match self.sent {
                    Open | Leaving => {
                        self.account.accepted = Some(seq);
                        out.push(Action::Deliver);
                    }
                    Closed | Failed | Finished => out.push(Action::Discard),
                }
            }
            (Role::Server, Receiving::Leaving) => self.violate("CLOSE or FIN", format!("request {seq}"), out),
            (Role::Client, Receiving::Open | Receiving::Leaving) => {
                self.violate("an answer, GOAWAY or CLOSE", format!("request {seq} from a server"), out);
            }
            (_, Receiving::Over) => self.violate("FIN after CLOSE", format!("request {seq}"), out),
            (_, Receiving::Discarding) => out.push(Action::Discard),
        }
    }

    pub(super) fn on_answer(&mut self, seq: u64, out: &mut Actions) {
        match (self.role, self.receiving()) {
            (Role::Client, Receiving::Open | Receiving::Leaving) => match self.unexpected_answer(seq) {
                Some(expected) => self.violate(expected, format!("answer {seq}"), out),
                None => {
                    self.account.answered.insert(seq);
                    out.push(Action::Deliver);
                }
            },
            (Role::Server, Receiving::Open | Receiving::Leaving) => {
                self.violate("a request, GOAWAY or CLOSE", format!("answer {seq} from a client"), out);
            }
            (_, Receiving::Over) => self.violate("FIN after CLOSE", format!("answer {seq}"), out),
            (_, Receiving::Discarding) => out.push(Action::Discard),
        }
    }

    pub(super) fn on_goaway(&mut self, last: u64, out: &mut Actions) {
        match (self.role, self.receiving()) {
            (Role::Server, Receiving::Open) if last != self.account.asked => {
                self.violate(format!("GOAWAY {}", self.account.asked), format!("GOAWAY {last}"), out);
            }
            (Role::Server, Receiving::Open) => {
                self.begin(Side::Peer);
                self.received = Leaving;
                self.close_if_due(out);
            }
            (Role::Client, Receiving::Open) => {
                self.begin(Side::Peer);
                self.received = Leaving;
                if self.sent == Open {
                    self.sent = Leaving;
                    out.push(Action::GoAway);
                }
            }
            (_, Receiving::Leaving) => self.violate("at most one GOAWAY", "another", out),
            (_, Receiving::Over) => self.violate("FIN after CLOSE", "GOAWAY", out),
            (_, Receiving::Discarding) => out.push(Action::Discard),
        }
    }

    pub(super) fn on_close(&mut self, last: u64, close_reason: CloseReason, first_fin: Role, out: &mut Actions) {
        match self.receiving() {
            Receiving::Open | Receiving::Leaving if !close_reason.code.is_clean() => {
                self.note_close(last, first_fin);
                self.received = Failed;
                self.settle(End::Failed { code: close_reason.code, reason: close_reason.text }, Side::Peer);
                self.sent = Failed;
                self.fin_if_due(out);
            }
            Receiving::Open | Receiving::Leaving => match (self.role, self.sent) {
                (Role::Client, Open | Leaving) => self.on_servers_close(last, close_reason.code, first_fin, out),
                (Role::Server, Closed) => self.on_clients_close(last, out),
                (Role::Server, Open | Leaving) => self.violate("GOAWAY first", "CLOSE", out),
                // Unreachable: a client in Closed has received a CLOSE, and a side in Failed or Finished discards
                // input.
                (Role::Client, Closed) | (_, Failed | Finished) => out.push(Action::Discard),
            },
            Receiving::Over => self.violate("FIN after CLOSE", "CLOSE again", out),
            Receiving::Discarding => out.push(Action::Discard),
        }
    }

    /// Handles the server's CLOSE. The client acknowledges only what it holds: exactly the answers through `last`
    /// (clause 5.3).
    pub(super) fn on_servers_close(&mut self, last: u64, code: CloseCode, first_fin: Role, out: &mut Actions) {
        let answered = self.account.answered.count();
        if self.account.answered.mark() != last || answered != last {
            let expected = format!("CLOSE {answered} (the answers so far)");
            return self.violate(expected, format!("CLOSE {last}"), out);
        }
        self.note_close(last, first_fin);
        self.received = Closed;
        self.sent = Closed;
        self.settle(End::Clean(code), Side::Peer);
        match self.policy.handshake {
            CloseHandshake::Acknowledged => out.push(Action::Close),
            CloseHandshake::Server | CloseHandshake::None => (),
        }
        self.fin_if_due(out);
    }

    pub(super) fn on_clients_close(&mut self, last: u64, out: &mut Actions) {
        match self.policy.handshake {
            CloseHandshake::Server | CloseHandshake::None => {
                return self.violate("FIN, no word of the client's", "CLOSE", out);
            }
            CloseHandshake::Acknowledged if last != self.accepted() => {
                return self.violate(format!("CLOSE {}", self.accepted()), format!("CLOSE {last}"), out);
            }
            CloseHandshake::Acknowledged => (),
        }
        self.account.answered = Watermark::through(last);
        self.received = Closed;
        self.settle(End::Clean(self.close_reason.code), Side::Peer);
        self.fin_if_due(out);
    }

    /// Takes the count of a CLOSE into the account, whatever its code, if the count can be true (clause 5.6).
    pub(super) fn note_close(&mut self, last: u64, first_fin: Role) {
        match self.role {
            Role::Client => {
                self.policy.first_fin = first_fin;
                if last <= self.account.begun && self.account.answered.above(last) == 0 {
                    self.account.accepted = Some(last);
                }
            }
            Role::Server if last <= self.queued.mark() => self.account.answered = Watermark::through(last),
            Role::Server => (),
        }
    }

    pub(super) fn on_other(&mut self, out: &mut Actions) {
        match self.receiving() {
            Receiving::Open | Receiving::Leaving | Receiving::Discarding => out.push(Action::Discard),
            Receiving::Over => self.violate("FIN after CLOSE", "another frame", out),
        }
    }

    pub(super) fn on_violation(&mut self, violation: Violation, out: &mut Actions) {
        match self.receiving() {
            Receiving::Open | Receiving::Leaving | Receiving::Over => {
                let close_reason = CloseReason::new(violation.code(), violation.to_string());
                self.settle(End::Violation(violation), Side::Peer);
                if self.received == Closed {
                    self.received = Failed;
                }
                self.close_out_of_order(close_reason, out);
            }
            Receiving::Discarding => out.push(Action::Discard),
        }
    }

    pub(super) fn on_fin(&mut self, out: &mut Actions) {
        match self.received {
            Open | Leaving => match (self.policy.handshake, self.sent) {
                // No CLOSE is expected: on the plain wire, or if the client does not acknowledge the server's CLOSE.
                (CloseHandshake::None, _) | (CloseHandshake::Server, Closed | Finished) => self.begin(Side::Peer),
                (CloseHandshake::Server, Open | Leaving | Failed) | (CloseHandshake::Acknowledged, _) => {
                    self.settle(End::Truncated, Side::Peer);
                }
            },
            Closed | Failed | Finished => (),
        }
        self.received = Finished;
        self.close_if_due(out);
        self.fin_if_due(out);
    }
}

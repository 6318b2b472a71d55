//! The close machine: who has said what, and what follows from it (PROTOCOL.md, sections 5 and 9).
//!
//! ```text
//!     each direction:   Open ──GOAWAY──▶ Leaving ──CLOSE──▶ Closed ──FIN──▶ Finished
//!                         └──────────────────┴──CLOSE(error)──▶ Failed ──FIN──┘
//!
//!     the one order:    GOAWAY (client) → last answers → CLOSE (server) → CLOSE (client) → FIN, FIN
//! ```
//!
//! A [`Machine`] is the product of the two directions of one connection, as one side sees them. It knows no frame
//! and no socket: [`MachineEvent`]s go in, [`Action`]s come out, and another protocol can use it with frames of its own.
//! What such a protocol chooses is its [`Policy`]. The function is total: every state answers every event, and a
//! new state or event does not compile until each has its answer.

use crate::account::{Account, Watermark};
use crate::error::{CloseCode, Violation};
use crate::outcome::{End, Side};
use crate::timers::Deadline;
pub use types::{Action, Actions, CloseHandshake, CloseReason, HalfState, MachineEvent, Order, Policy, Role};

pub mod table;
mod types;
mod view;

use HalfState::{Closed, Failed, Finished, Leaving, Open};

/// One side of a conversation, from its first request to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Machine {
    role: Role,
    policy: Policy,
    sent: HalfState,
    heard: HalfState,
    /// What this side says when it goes.
    close_reason: CloseReason,
    /// The verdict, once there is one.
    end: Option<End>,
    began: Option<Side>,
    account: Account,
    /// Server: the answers queued, of those accepted.
    queued: Watermark,
}

/// How a frame is to be taken in the present state.
enum Hearing {
    /// As in the beginning.
    Open,
    /// After the peer's GOAWAY.
    Leaving,
    /// After the peer's CLOSE: whatever comes is a violation.
    Over,
    /// Nothing that comes matters any more.
    Discarding,
}

impl Machine {
    /// The beginning of a conversation.
    pub fn new(role: Role, policy: Policy) -> Self {
        let accepted = match role {
            Role::Client => None,
            Role::Server => Some(0),
        };
        Self {
            role,
            policy,
            sent: Open,
            heard: Open,
            close_reason: CloseReason::normal(),
            end: None,
            began: None,
            account: Account { accepted, ..Account::default() },
            queued: Watermark::default(),
        }
    }

    /// Takes one event and says what to do.
    pub fn handle(&mut self, event: MachineEvent) -> Actions {
        let mut out = Actions::default();
        match event {
            MachineEvent::Send => self.on_send(&mut out),
            MachineEvent::Answered(seq) => self.on_answered(seq, &mut out),
            MachineEvent::Leave(close_reason) => self.on_leave(close_reason, &mut out),
            MachineEvent::Fail(close_reason) => self.on_fail(close_reason, &mut out),
            MachineEvent::Abort => self.on_gone(End::Reset, Side::Local, &mut out),
            MachineEvent::Request(seq) => self.on_request(seq, &mut out),
            MachineEvent::Answer(seq) => self.on_answer(seq, &mut out),
            MachineEvent::GoAway { last } => self.on_goaway(last, &mut out),
            MachineEvent::Close { last, close_reason, first_fin } => {
                self.on_close(last, close_reason, first_fin, &mut out)
            }
            MachineEvent::Other => self.on_other(&mut out),
            MachineEvent::Violation(violation) => self.on_violation(violation, &mut out),
            MachineEvent::Fin => self.on_fin(&mut out),
            MachineEvent::Reset => self.on_gone(End::Reset, Side::Peer, &mut out),
            MachineEvent::Deadline(deadline) => self.on_deadline(deadline, &mut out),
        }
        out
    }

    /// Tells that the first byte of request `seq`, and of all before it, was taken by the transport (client).
    pub fn note_begun(&mut self, seq: u64) {
        self.account.begun = self.account.begun.max(seq.min(self.account.asked));
    }

    // ---- what the user wants ----

    fn on_send(&mut self, out: &mut Actions) {
        match (self.role, self.sent) {
            (Role::Client, Open) => {
                self.account.asked += 1;
                out.push(Action::Deliver);
            }
            (Role::Client, Leaving | Closed | Failed | Finished) | (Role::Server, _) => out.push(Action::Discard),
        }
    }

    fn on_answered(&mut self, seq: u64, out: &mut Actions) {
        let owed = self.role == Role::Server && seq <= self.accepted();
        match self.sent {
            Open | Leaving if owed && self.queued.insert(seq) => {
                out.push(Action::Deliver);
                self.close_if_due(out);
            }
            Open | Leaving | Closed | Failed | Finished => out.push(Action::Discard),
        }
    }

    fn on_leave(&mut self, close_reason: CloseReason, out: &mut Actions) {
        match (self.sent, self.heard) {
            (Open, Open | Leaving | Finished) => {
                self.begin(Side::Local);
                self.close_reason = if close_reason.code.is_clean() {
                    close_reason
                } else {
                    CloseReason { code: CloseCode::GOING_AWAY, ..close_reason }
                };
                self.sent = Leaving;
                match self.policy.words {
                    CloseHandshake::None => self.close_if_due(out),
                    CloseHandshake::Server | CloseHandshake::Acknowledged => {
                        if self.heard == Open {
                            out.push(Action::GoAway);
                        }
                    }
                }
            }
            (Open, Closed | Failed) | (Leaving | Closed | Failed | Finished, _) => (),
        }
    }

    fn on_fail(&mut self, close_reason: CloseReason, out: &mut Actions) {
        match self.sent {
            Open | Leaving | Closed | Failed if close_reason.code.is_clean() => {
                self.on_fail(CloseReason { code: CloseCode::INTERNAL, ..close_reason }, out);
            }
            Open | Leaving | Closed | Failed => {
                let end = End::Failed { code: close_reason.code, reason: close_reason.text.clone() };
                self.settle(end, Side::Local);
                self.close_out_of_order(close_reason, out);
            }
            // Behind one's own FIN nothing can be said.
            Finished => (),
        }
    }

    // ---- what the peer said ----

    fn on_request(&mut self, seq: u64, out: &mut Actions) {
        match (self.role, self.hearing()) {
            (Role::Server, Hearing::Open) if seq != self.account.asked + 1 => {
                let expected = format!("request {}", self.account.asked + 1);
                self.violate(expected, format!("request {seq}"), out);
            }
            (Role::Server, Hearing::Open) => {
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
            (Role::Server, Hearing::Leaving) => self.violate("CLOSE or FIN", format!("request {seq}"), out),
            (Role::Client, Hearing::Open | Hearing::Leaving) => {
                self.violate("an answer, GOAWAY or CLOSE", format!("request {seq} from a server"), out);
            }
            (_, Hearing::Over) => self.violate("FIN after CLOSE", format!("request {seq}"), out),
            (_, Hearing::Discarding) => out.push(Action::Discard),
        }
    }

    fn on_answer(&mut self, seq: u64, out: &mut Actions) {
        match (self.role, self.hearing()) {
            (Role::Client, Hearing::Open | Hearing::Leaving) => match self.unexpected_answer(seq) {
                Some(expected) => self.violate(expected, format!("answer {seq}"), out),
                None => {
                    self.account.answered.insert(seq);
                    out.push(Action::Deliver);
                }
            },
            (Role::Server, Hearing::Open | Hearing::Leaving) => {
                self.violate("a request, GOAWAY or CLOSE", format!("answer {seq} from a client"), out);
            }
            (_, Hearing::Over) => self.violate("FIN after CLOSE", format!("answer {seq}"), out),
            (_, Hearing::Discarding) => out.push(Action::Discard),
        }
    }

    fn on_goaway(&mut self, last: u64, out: &mut Actions) {
        match (self.role, self.hearing()) {
            (Role::Server, Hearing::Open) if last != self.account.asked => {
                self.violate(format!("GOAWAY {}", self.account.asked), format!("GOAWAY {last}"), out);
            }
            (Role::Server, Hearing::Open) => {
                self.begin(Side::Peer);
                self.heard = Leaving;
                self.close_if_due(out);
            }
            (Role::Client, Hearing::Open) => {
                self.begin(Side::Peer);
                self.heard = Leaving;
                if self.sent == Open {
                    self.sent = Leaving;
                    out.push(Action::GoAway);
                }
            }
            (_, Hearing::Leaving) => self.violate("at most one GOAWAY", "another", out),
            (_, Hearing::Over) => self.violate("FIN after CLOSE", "GOAWAY", out),
            (_, Hearing::Discarding) => out.push(Action::Discard),
        }
    }

    fn on_close(&mut self, last: u64, close_reason: CloseReason, first_fin: Role, out: &mut Actions) {
        match self.hearing() {
            Hearing::Open | Hearing::Leaving if !close_reason.code.is_clean() => {
                self.note_close(last, first_fin);
                self.heard = Failed;
                self.settle(End::Failed { code: close_reason.code, reason: close_reason.text }, Side::Peer);
                self.sent = Failed;
                self.fin_if_due(out);
            }
            Hearing::Open | Hearing::Leaving => match (self.role, self.sent) {
                (Role::Client, Open | Leaving) => self.on_servers_close(last, close_reason.code, first_fin, out),
                (Role::Server, Closed) => self.on_clients_close(last, out),
                (Role::Server, Open | Leaving) => self.violate("GOAWAY first", "CLOSE", out),
                // Not reached: such a side discards what comes, or has heard a CLOSE.
                (Role::Client, Closed) | (_, Failed | Finished) => out.push(Action::Discard),
            },
            Hearing::Over => self.violate("FIN after CLOSE", "CLOSE again", out),
            Hearing::Discarding => out.push(Action::Discard),
        }
    }

    /// The client acknowledges only what it holds: every answer through `last`, and none above (clause 5.3).
    fn on_servers_close(&mut self, last: u64, code: CloseCode, first_fin: Role, out: &mut Actions) {
        let answered = self.account.answered.count();
        if self.account.answered.mark() != last || answered != last {
            let expected = format!("CLOSE {answered} (the answers so far)");
            return self.violate(expected, format!("CLOSE {last}"), out);
        }
        self.note_close(last, first_fin);
        self.heard = Closed;
        self.sent = Closed;
        self.settle(End::Clean(code), Side::Peer);
        match self.policy.words {
            CloseHandshake::Acknowledged => out.push(Action::Close),
            CloseHandshake::Server | CloseHandshake::None => (),
        }
        self.fin_if_due(out);
    }

    fn on_clients_close(&mut self, last: u64, out: &mut Actions) {
        match self.policy.words {
            CloseHandshake::Server | CloseHandshake::None => {
                return self.violate("FIN, no word of the client's", "CLOSE", out);
            }
            CloseHandshake::Acknowledged if last != self.accepted() => {
                return self.violate(format!("CLOSE {}", self.accepted()), format!("CLOSE {last}"), out);
            }
            CloseHandshake::Acknowledged => (),
        }
        self.account.answered = Watermark::through(last);
        self.heard = Closed;
        self.settle(End::Clean(self.close_reason.code), Side::Peer);
        self.fin_if_due(out);
    }

    /// What a CLOSE says of the account holds whatever its code, if it can be true (clause 5.6).
    fn note_close(&mut self, last: u64, first_fin: Role) {
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

    fn on_other(&mut self, out: &mut Actions) {
        match self.hearing() {
            Hearing::Open | Hearing::Leaving | Hearing::Discarding => out.push(Action::Discard),
            Hearing::Over => self.violate("FIN after CLOSE", "another frame", out),
        }
    }

    fn on_violation(&mut self, violation: Violation, out: &mut Actions) {
        match self.hearing() {
            Hearing::Open | Hearing::Leaving | Hearing::Over => {
                let close_reason = CloseReason::new(violation.code(), violation.to_string());
                self.settle(End::Violation(violation), Side::Peer);
                if self.heard == Closed {
                    self.heard = Failed;
                }
                self.close_out_of_order(close_reason, out);
            }
            Hearing::Discarding => out.push(Action::Discard),
        }
    }

    fn on_fin(&mut self, out: &mut Actions) {
        match self.heard {
            Open | Leaving => match (self.policy.words, self.sent) {
                // Plain, and a server whose CLOSE nobody acknowledges: FIN is all there is to come.
                (CloseHandshake::None, _) | (CloseHandshake::Server, Closed | Finished) => self.begin(Side::Peer),
                (CloseHandshake::Server, Open | Leaving | Failed) | (CloseHandshake::Acknowledged, _) => {
                    self.settle(End::Truncated, Side::Peer);
                }
            },
            Closed | Failed | Finished => (),
        }
        self.heard = Finished;
        self.close_if_due(out);
        self.fin_if_due(out);
    }

    // ---- what happened to the transport and the clock ----

    fn on_gone(&mut self, end: End, side: Side, out: &mut Actions) {
        self.finish(end, side);
        out.push(Action::Abort);
    }

    /// The end of this side's patience (clause 5.9). The peer may still be reading what the transport holds.
    fn let_go(&mut self, end: End, side: Side, out: &mut Actions) {
        self.finish(end, side);
        out.push(Action::LetGo);
    }

    /// Nothing more is said or heard.
    fn finish(&mut self, end: End, side: Side) {
        self.settle(end, side);
        self.sent = Finished;
        self.heard = Finished;
    }

    fn on_deadline(&mut self, deadline: Deadline, out: &mut Actions) {
        match deadline {
            Deadline::Connect | Deadline::Write => self.on_gone(End::TimedOut(deadline), Side::Local, out),
            Deadline::Shutdown => self.let_go(End::TimedOut(deadline), Side::Local, out),
            Deadline::Detect => self.fail_on(deadline, CloseCode::PROTOCOL_ERROR, out),
            Deadline::Answer => self.fail_on(deadline, CloseCode::POLICY, out),
            Deadline::Idle => self.on_idle(out),
            // The waits of the ending: one that is over has no deadline any more.
            Deadline::Drain | Deadline::Close | Deadline::Fin | Deadline::Linger
                if self.waiting() != Some(deadline) => {}
            Deadline::Drain => self.on_drain(out),
            Deadline::Close | Deadline::Fin => {
                self.settle(End::TimedOut(deadline), Side::Peer);
                self.sent = Finished;
                out.push(Action::Fin);
            }
            Deadline::Linger => self.let_go(End::TimedOut(deadline), Side::Peer, out),
        }
    }

    /// An idle client is asked to leave, and can still end clean (clause 5.12); where there are no words, FIN must do.
    fn on_idle(&mut self, out: &mut Actions) {
        if self.policy.words == CloseHandshake::None && self.sent == Open {
            self.settle(End::TimedOut(Deadline::Idle), Side::Local);
        }
        self.on_leave(CloseReason::new(CloseCode::GOING_AWAY, "idle"), out);
    }

    /// Clause 5.2: the server says its CLOSE though the client has not said GOAWAY, unless it owes an answer.
    fn on_drain(&mut self, out: &mut Actions) {
        match (self.role, self.sent) {
            (Role::Server, Open | Leaving) if self.owes() => {
                self.on_gone(End::TimedOut(Deadline::Drain), Side::Local, out);
            }
            (Role::Server, Open | Leaving) => self.close_in_order(out),
            (Role::Client, Open | Leaving) => self.fail_on(Deadline::Drain, CloseCode::POLICY, out),
            (_, Closed | Failed | Finished) => (),
        }
    }

    // ---- what follows ----

    /// The server's CLOSE is due when the client asks no more and is owed nothing.
    fn close_if_due(&mut self, out: &mut Actions) {
        if self.owes() || !matches!(self.sent, Open | Leaving) {
            return;
        }
        match (self.role, self.policy.words, self.heard) {
            (_, CloseHandshake::None, _) if self.sent == Leaving || self.heard == Finished => {
                self.sent = Closed;
                self.fin_if_due(out);
            }
            (Role::Server, CloseHandshake::Server | CloseHandshake::Acknowledged, Leaving) => {
                self.close_in_order(out)
            }
            (_, CloseHandshake::Server | CloseHandshake::Acknowledged, Finished) => {
                let close_reason = CloseReason::new(CloseCode::PROTOCOL_ERROR, "FIN before CLOSE");
                self.close_out_of_order(close_reason, out);
            }
            (_, CloseHandshake::None, _) | (_, _, Open | Closed | Failed) | (Role::Client, _, Leaving) => (),
        }
    }

    /// Clause 5.2: the server has answered all it accepted.
    fn close_in_order(&mut self, out: &mut Actions) {
        self.sent = Closed;
        out.push(Action::Close);
        self.fin_if_due(out);
    }

    /// Clause 5.6: an error or a refusal says why first, unless the CLOSE is said.
    fn close_out_of_order(&mut self, close_reason: CloseReason, out: &mut Actions) {
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

    /// FIN follows the CLOSE frames: at once from the side that is to send it first, from the other upon the peer's
    /// (clause 5.4).
    fn fin_if_due(&mut self, out: &mut Actions) {
        let first = self.policy.first_fin == self.role;
        let due = match (self.policy.words, self.sent, self.heard) {
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

    fn fail_on(&mut self, deadline: Deadline, code: CloseCode, out: &mut Actions) {
        match self.sent {
            Open | Leaving => {
                self.settle(End::TimedOut(deadline), Side::Local);
                self.close_out_of_order(CloseReason::new(code, format!("{deadline} deadline")), out);
            }
            Closed | Failed | Finished => (),
        }
    }

    fn violate(&mut self, expected: impl Into<String>, got: impl Into<String>, out: &mut Actions) {
        self.on_violation(Violation::protocol(expected.into(), got.into()), out);
    }

    /// The first verdict stands; only a violation overrules a clean end (clause 5.11).
    fn settle(&mut self, end: End, side: Side) {
        self.begin(side);
        match (&self.end, &end) {
            (None, _) | (Some(End::Clean(_)), End::Violation(_)) => self.end = Some(end),
            (Some(_), _) => (),
        }
    }

    fn begin(&mut self, side: Side) {
        self.began.get_or_insert(side);
    }

    fn hearing(&self) -> Hearing {
        match (self.sent, self.heard) {
            // Where FIN is the only goodbye, a client that has said it still waits for its answers (clause 2.7).
            (Finished, Open) if self.hears_behind_fin() => Hearing::Open,
            (_, Finished) | (Failed, _) | (Finished, Open | Leaving | Failed) => Hearing::Discarding,
            (Open | Leaving | Closed, Open) => Hearing::Open,
            (Open | Leaving | Closed, Leaving) => Hearing::Leaving,
            (Open | Leaving | Closed | Finished, Closed) | (Open | Leaving | Closed, Failed) => Hearing::Over,
        }
    }

    fn hears_behind_fin(&self) -> bool {
        self.role == Role::Client && self.policy.words == CloseHandshake::None && self.end.is_none()
    }

    fn unexpected_answer(&self, seq: u64) -> Option<String> {
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

    fn owes(&self) -> bool {
        self.role == Role::Server && self.queued.count() < self.accepted()
    }

    fn accepted(&self) -> u64 {
        self.account.accepted.unwrap_or_default()
    }
}

//! The close machine: what each side has sent, and what follows from it (PROTOCOL.md, sections 5 and 9).
//!
//! ```text
//!     each direction:   Open ──GOAWAY──▶ Leaving ──CLOSE──▶ Closed ──FIN──▶ Finished
//!                         └──────────────────┴──CLOSE(error)──▶ Failed ──FIN──┘
//!
//!     the one order:    GOAWAY (client) → last answers → CLOSE (server) → CLOSE (client) → FIN, FIN
//! ```
//!
//! A [`Machine`] is the product of the two directions of one connection, as one side sees them. It handles
//! [`MachineEvent`]s and returns [`Action`]s. It uses no frames and no sockets, so another protocol can use it with its
//! own frames and its own [`Policy`]. The function is total: each state handles each event, and a new state or event
//! does not compile until all cases are handled.

mod follow;
mod received;

use crate::account::{Account, Watermark};
use crate::error::CloseCode;
use crate::outcome::{End, Side};
use crate::timers::Deadline;
pub use types::{Action, Actions, CloseHandshake, CloseReason, HalfState, MachineEvent, Order, Policy, Role};

#[cfg(feature = "explore")]
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
    received: HalfState,
    /// The code and reason for this side's GOAWAY or CLOSE.
    close_reason: CloseReason,
    /// The verdict, once there is one. In a box, because most of the time there is none.
    end: Option<Box<End>>,
    began: Option<Side>,
    account: Account,
    /// Server: the accepted requests whose answers are queued.
    queued: Watermark,
}

/// How to handle a received frame in the present state.
enum Receiving {
    /// No GOAWAY or CLOSE was received.
    Open,
    /// GOAWAY was received.
    Leaving,
    /// CLOSE was received: any other frame is a violation.
    Over,
    /// All input is discarded.
    Discarding,
}

impl Machine {
    /// Creates the machine for a new conversation.
    pub fn new(role: Role, policy: Policy) -> Self {
        let accepted = match role {
            Role::Client => None,
            Role::Server => Some(0),
        };
        Self {
            role,
            policy,
            sent: Open,
            received: Open,
            close_reason: CloseReason::normal(),
            end: None,
            began: None,
            account: Account { accepted, ..Account::default() },
            queued: Watermark::default(),
        }
    }

    /// Handles one event and returns the actions that follow.
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

    /// Server: returns the number of the next request, if nothing has ended and all requests so far are answered. Then it
    /// can be accepted and answered in one step, without a decision.
    #[inline]
    pub(crate) fn next_in_order(&self) -> Option<u64> {
        let asked = self.account.asked;
        let is_open = self.role == Role::Server && (self.sent, self.received) == (Open, Open);
        let is_even = self.queued.mark() == asked && self.account.accepted == Some(asked);
        (is_open && is_even).then_some(asked + 1)
    }

    /// Server: accepts the next `count` requests and notes that their answers are queued. That is what
    /// [`MachineEvent::Request`] and [`MachineEvent::Answered`] do if [`next_in_order`](Self::next_in_order) returns a
    /// number.
    #[inline]
    pub(crate) fn note_served(&mut self, count: u64) {
        let last = self.account.asked + count;
        self.account.asked = last;
        self.account.begun = last;
        self.account.accepted = Some(last);
        self.queued.extend(count);
    }

    /// Client: returns the number of the next request, if nothing has ended.
    #[inline]
    pub(crate) fn next_request(&self) -> Option<u64> {
        let is_open = self.role == Role::Client && (self.sent, self.received) == (Open, Open);
        is_open.then_some(self.account.asked + 1)
    }

    /// Client: makes the next `count` requests. That is what [`MachineEvent::Send`] does if
    /// [`next_request`](Self::next_request) returns a number.
    #[inline]
    pub(crate) fn note_asked(&mut self, count: u64) {
        self.account.asked += count;
    }

    /// Client: returns the numbers of the answers that are owed, if nothing has ended and none is missing before them.
    #[inline]
    pub(crate) fn owed_in_order(&self) -> Option<std::ops::RangeInclusive<u64>> {
        let is_open = self.role == Role::Client && (self.sent, self.received) == (Open, Open);
        let answered = self.account.answered.in_order().filter(|_| is_open)?;
        Some(answered + 1..=self.account.begun)
    }

    /// Client: notes the next `count` answers. That is what [`MachineEvent::Answer`] does if
    /// [`owed_in_order`](Self::owed_in_order) contains them.
    #[inline]
    pub(crate) fn note_answers(&mut self, count: u64) {
        self.account.answered.extend(count);
    }

    /// Notes that the transport took the first byte of request `seq`, and so of all before it (client).
    pub fn note_begun(&mut self, seq: u64) {
        self.account.begun = self.account.begun.max(seq.min(self.account.asked));
    }

    // ---- commands of the user ----

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
        match (self.sent, self.received) {
            (Open, Open | Leaving | Finished) => {
                self.begin(Side::Local);
                self.close_reason = if close_reason.code.is_clean() {
                    close_reason
                } else {
                    CloseReason { code: CloseCode::GOING_AWAY, ..close_reason }
                };
                self.sent = Leaving;
                match self.policy.handshake {
                    CloseHandshake::None => self.close_if_due(out),
                    CloseHandshake::Server | CloseHandshake::Acknowledged => {
                        if self.received == Open {
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
            // Nothing can be sent after FIN.
            Finished => (),
        }
    }

    // ---- events of the transport and the clock ----

    fn on_gone(&mut self, end: End, side: Side, out: &mut Actions) {
        self.finish(end, side);
        out.push(Action::Abort);
    }

    /// Closes without an abort when a last deadline passes (clause 5.9): the peer may still read what the transport
    /// holds.
    fn let_go(&mut self, end: End, side: Side, out: &mut Actions) {
        self.finish(end, side);
        out.push(Action::CloseTransport);
    }

    /// Ends both directions.
    fn finish(&mut self, end: End, side: Side) {
        self.settle(end, side);
        self.sent = Finished;
        self.received = Finished;
    }

    fn on_deadline(&mut self, deadline: Deadline, out: &mut Actions) {
        match deadline {
            Deadline::Connect | Deadline::Write => self.on_gone(End::TimedOut(deadline), Side::Local, out),
            Deadline::Shutdown => self.let_go(End::TimedOut(deadline), Side::Local, out),
            Deadline::Detect => self.fail_on(deadline, CloseCode::PROTOCOL_ERROR, out),
            Deadline::Answer => self.fail_on(deadline, CloseCode::POLICY, out),
            Deadline::Idle => self.on_idle(out),
            // A wait of the ending that is over has no deadline.
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

    /// Asks an idle client to leave; the end can still be clean (clause 5.12). Without CLOSE frames it sends FIN.
    fn on_idle(&mut self, out: &mut Actions) {
        if self.policy.handshake == CloseHandshake::None && self.sent == Open {
            self.settle(End::TimedOut(Deadline::Idle), Side::Local);
        }
        self.on_leave(CloseReason::new(CloseCode::GOING_AWAY, "idle"), out);
    }

    /// Sends the server's CLOSE although the client sent no GOAWAY, unless the server owes an answer (clause 5.2).
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
}

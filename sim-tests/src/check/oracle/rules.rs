//! The rules of PROTOCOL.md. Each has a condition and an effect. A rule stops applying once it is applied. When no rule
//! applies, the side waits.

use super::message::Message;
use super::mutation::Mutation;
use super::side::{Fin, Side};
use super::wait_conditions::has_sent_all;
use crate::record::reported::EndKind;
use echo_core::{Deadline, Role};

struct Rule {
    clause: &'static str,
    when: fn(&Side) -> bool,
    then: fn(&mut Side),
}

const fn rule(clause: &'static str, when: fn(&Side) -> bool, then: fn(&mut Side)) -> Rule {
    Rule { clause, when, then }
}

/// The rules of both wires: how a side ends.
const BOTH: [Rule; 5] = [
    rule("8.1 connect", |side| passed(side, Deadline::Connect), |side| give_up(side, Deadline::Connect)),
    rule("8.1 write", |side| passed(side, Deadline::Write), |side| give_up(side, Deadline::Write)),
    rule("8.1 shutdown", |side| passed(side, Deadline::Shutdown), |side| end_at(side, Deadline::Shutdown)),
    rule("8.1 linger", |side| passed(side, Deadline::Linger), |side| end_at(side, Deadline::Linger)),
    rule(
        "5.5",
        |side| side.fin == Fin::Left && (side.received.fin || side.is_bent(Mutation::NoLinger)),
        |side| {
            side.verdict.get_or_insert(EndKind::Unproven);
            side.over = true;
        },
    ),
];

const FRAMED: [Rule; 22] = [
    rule("1.2", |side| side.role == Role::Client && !side.sent.preface, |side| side.send(Message::Preface)),
    rule("1.1", leaves_before_input, |side| {
        side.bare = true;
        side.sent.fin = true;
        if passed(side, Deadline::Idle) {
            side.verdict = Some(EndKind::TimedOut(Deadline::Idle));
        }
    }),
    rule(
        "1.4",
        |side| is_server(side) && side.received.preface && !side.sent.preface,
        |side| side.send(Message::Preface),
    ),
    rule("1.8", may_send_request, |side| side.send(Message::Request(side.sent.requests + 1))),
    rule("5.8", owes, |side| side.send(Message::Answer(side.sent.answers + 1))),
    rule(
        "5.11",
        |side| side.received.wrong && matches!(side.verdict, Some(EndKind::Clean(_))),
        |side| {
            side.verdict = Some(EndKind::Violation);
            side.failed = true;
        },
    ),
    rule("6.2", |side| side.received.wrong && side.verdict.is_none(), |side| fail(side, EndKind::Violation, 1002)),
    rule(
        "5.6",
        |side| is_open(side) && received_error(side),
        |side| {
            let code = side.received.close.map_or(0, |close| close.code);
            side.verdict = Some(EndKind::Failed(code));
            side.failed = true;
            side.take_back();
        },
    ),
    rule(
        "5.3",
        |side| is_server(side) && is_open(side) && side.received.close.is_some(),
        |side| {
            let code = side.sent.close.map_or(0, |close| close.code);
            side.verdict = Some(EndKind::Clean(code));
        },
    ),
    rule(
        "5.3",
        |side| !is_server(side) && is_open(side) && side.received.close.is_some(),
        |side| {
            let code = side.received.close.map_or(0, |close| close.code);
            side.send_close(1000);
            side.verdict = Some(EndKind::Clean(code));
        },
    ),
    rule(
        "5.7",
        |side| is_open(side) && side.received.fin,
        |side| {
            let verdict = if side.is_bent(Mutation::FinIsClean) { EndKind::Clean(1000) } else { EndKind::Truncated };
            side.verdict = Some(verdict);
            side.truncated = true;
        },
    ),
    // It answers what it accepted before.
    rule(
        "5.7",
        |side| side.truncated && !side.sent.fin && !side.awaits_calls(),
        |side| {
            send_reason(side, 1002);
            side.sent.fin = true;
        },
    ),
    rule(
        "8.1 drain",
        |side| is_server(side) && side.awaits_calls() && passed(side, Deadline::Drain),
        |side| give_up(side, Deadline::Drain),
    ),
    rule(
        "8.1 detect",
        |side| is_open(side) && passed(side, Deadline::Detect),
        |side| {
            fail(side, EndKind::TimedOut(Deadline::Detect), 1002);
        },
    ),
    rule(
        "8.1 answer",
        |side| is_open(side) && passed(side, Deadline::Answer),
        |side| {
            fail(side, EndKind::TimedOut(Deadline::Answer), 1008);
        },
    ),
    rule(
        "5.12",
        |side| side.close_command.is_none() && is_open(side) && passed(side, Deadline::Idle),
        |side| {
            side.close_command = Some(1001);
        },
    ),
    rule("5.1", must_send_goaway, |side| {
        let last = if is_server(side) { 0 } else { side.sent.requests };
        side.send(Message::GoAway { last, code: side.close_command.unwrap_or(1000) });
    }),
    rule("5.2", must_send_close, |side| {
        let code = side.sent.goaway.or(side.received.goaway).unwrap_or(1000);
        side.send_close(code);
    }),
    rule(
        "8.1 drain",
        |side| !is_server(side) && is_open(side) && passed(side, Deadline::Drain),
        |side| {
            fail(side, EndKind::TimedOut(Deadline::Drain), 1008);
        },
    ),
    rule(
        "8.1 close",
        |side| is_open(side) && passed(side, Deadline::Close),
        |side| {
            side.verdict = Some(EndKind::TimedOut(Deadline::Close));
            side.sent.fin = true;
        },
    ),
    rule("5.4", |side| may_send_fin(side) && !passed(side, Deadline::Fin), |side| side.sent.fin = true),
    rule(
        "8.1 fin",
        |side| may_send_fin(side) && passed(side, Deadline::Fin),
        |side| {
            if side.is_bent(Mutation::VerdictFalls) {
                side.verdict = Some(EndKind::TimedOut(Deadline::Fin));
            }
            side.sent.fin = true;
        },
    ),
];

const PLAIN: [Rule; 8] = [
    rule(
        "2.1",
        |side| side.sent.requests < side.asked && !side.is_ending(),
        |side| {
            side.send(Message::Request(side.sent.requests + 1));
            side.received.answers = side.sent.requests - 1;
        },
    ),
    rule("2.5", |side| side.received.piece && side.received.fin, Side::fall_quiet),
    rule(
        "2.1",
        |side| side.calls.ended > side.sent.answers,
        |side| {
            let next = side.sent.answers + 1;
            side.send(if next <= side.received.accepted { Message::Answer(next) } else { Message::Text });
        },
    ),
    rule(
        "8.1 answer",
        |side| is_open(side) && !side.sent.fin && passed(side, Deadline::Answer),
        |side| {
            side.verdict = Some(EndKind::TimedOut(Deadline::Answer));
        },
    ),
    rule(
        "8.1 idle",
        |side| is_open(side) && !side.sent.fin && passed(side, Deadline::Idle),
        |side| {
            side.verdict = Some(EndKind::TimedOut(Deadline::Idle));
        },
    ),
    rule(
        "2.7",
        |side| !side.sent.fin && (side.close_command.is_some() || side.verdict.is_some()) && !side.awaits_calls(),
        |side| {
            side.sent.fin = true;
        },
    ),
    rule("2.5", |side| !side.sent.fin && side.received.fin && !side.awaits_calls(), |side| side.sent.fin = true),
    rule(
        "8.1 drain",
        |side| side.awaits_calls() && passed(side, Deadline::Drain),
        |side| give_up(side, Deadline::Drain),
    ),
];

impl Side {
    /// Applies rules until none applies, then updates the waits.
    pub(super) fn follow_the_rules(&mut self) {
        // Otherwise nobody can be answered any more.
        if !self.lost && !self.failed {
            self.calls.end(self.now);
        }
        while !self.over && self.apply_one() {}
        self.mind_waits();
    }

    fn apply_one(&mut self) -> bool {
        let wire: &[Rule] = if self.is_framed() { &FRAMED } else { &PLAIN };
        let Some(rule) = BOTH.iter().chain(wire).find(|rule| (rule.when)(self)) else { return false };
        self.clauses.push(rule.clause);
        (rule.then)(self);
        true
    }
}

fn is_server(side: &Side) -> bool {
    side.role == Role::Server
}

fn is_open(side: &Side) -> bool {
    side.verdict.is_none()
}

fn passed(side: &Side, deadline: Deadline) -> bool {
    side.waits.has_passed(deadline)
}

fn leaves_before_input(side: &Side) -> bool {
    let ends = side.close_command.is_some() || side.received.fin || passed(side, Deadline::Idle);
    is_server(side) && !side.received.begun && is_open(side) && ends
}

fn may_send_request(side: &Side) -> bool {
    side.received.preface && side.sent.requests < side.asked && is_open(side) && side.sent.goaway.is_none()
}

fn owes(side: &Side) -> bool {
    side.sent.answers < side.calls.ended && side.sent.close.is_none()
}

fn received_error(side: &Side) -> bool {
    !side.is_bent(Mutation::ErrorIsClean) && side.received.close.is_some_and(|close| !close.is_usual())
}

fn must_send_goaway(side: &Side) -> bool {
    let wants = side.close_command.is_some() || (!is_server(side) && side.received.goaway.is_some());
    let may = is_open(side) && side.sent.goaway.is_none() && side.sent.close.is_none() && side.received.preface;
    // A server that has the client's GOAWAY sends CLOSE instead (5.2).
    may && wants && !(is_server(side) && side.received.goaway.is_some())
}

fn must_send_close(side: &Side) -> bool {
    let is_due = side.received.goaway.is_some() || passed(side, Deadline::Drain);
    is_server(side) && is_open(side) && side.sent.close.is_none() && is_due && !side.awaits_calls()
}

fn may_send_fin(side: &Side) -> bool {
    let is_due = side.first_fin() == side.role || side.received.fin || passed(side, Deadline::Fin);
    has_sent_all(side) && !side.sent.fin && is_due
}

/// Clause 5.6: sends the reason, discards input and leaves.
fn fail(side: &mut Side, verdict: EndKind, code: u16) {
    side.verdict = Some(verdict);
    side.failed = true;
    send_reason(side, code);
}

fn send_reason(side: &mut Side, code: u16) {
    if !side.sent.preface {
        side.send(Message::Preface);
    }
    // 1.8: a client that fails before it has the server's preface sends the GOAWAY that it held back. If it held back
    // requests, it takes these back, and the GOAWAY that counts them.
    if let (Role::Client, false, 0, Some(code)) = (side.role, side.received.preface, side.asked, side.close_command) {
        side.send(Message::GoAway { last: 0, code });
    }
    if side.sent.close.is_none() {
        side.send_close(code);
    }
}

/// Ends at once with RST (9.3).
fn give_up(side: &mut Side, deadline: Deadline) {
    end_at(side, deadline);
    side.aborts = true;
}

/// Ends with an ordinary close (5.9).
fn end_at(side: &mut Side, deadline: Deadline) {
    match side.verdict {
        Some(_) if !side.is_bent(Mutation::VerdictFalls) => (),
        Some(_) | None => side.verdict = Some(EndKind::TimedOut(deadline)),
    }
    side.out.clear();
    side.aborts |= side.is_bent(Mutation::LetsGoByReset);
    side.over = true;
}

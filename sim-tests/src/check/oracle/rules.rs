//! The rules of PROTOCOL.md. Each has a condition and an effect. A rule stops applying once it is applied. When no rule
//! applies, the side waits.

use super::message::Message;
use super::mutation::Mutation;
use super::side::{Fin, Side};
use super::wait_conditions::has_said_it_all;
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
    rule("8.1 shutdown", |side| passed(side, Deadline::Shutdown), |side| let_go(side, Deadline::Shutdown)),
    rule("8.1 linger", |side| passed(side, Deadline::Linger), |side| let_go(side, Deadline::Linger)),
    rule(
        "5.5",
        |side| side.fin == Fin::Left && (side.heard.fin || side.is_bent(Mutation::NoLinger)),
        |side| {
            side.verdict.get_or_insert(EndKind::Unproven);
            side.over = true;
        },
    ),
];

const FRAMED: [Rule; 20] = [
    rule("1.2", |side| side.role == Role::Client && !side.said.preface, |side| side.say(Message::Preface)),
    rule("1.1", leaves_unspoken_to, |side| {
        side.bare = true;
        side.said.fin = true;
        if passed(side, Deadline::Idle) {
            side.verdict = Some(EndKind::TimedOut(Deadline::Idle));
        }
    }),
    rule("1.4", |side| is_server(side) && side.heard.preface && !side.said.preface, |side| side.say(Message::Preface)),
    rule("1.8", may_ask, |side| side.say(Message::Request(side.said.requests + 1))),
    rule("5.8", owes, |side| side.say(Message::Answer(side.said.answers + 1))),
    rule(
        "5.11",
        |side| side.heard.wrong && matches!(side.verdict, Some(EndKind::Clean(_))),
        |side| {
            side.verdict = Some(EndKind::Violation);
            side.failed = true;
        },
    ),
    rule("6.2", |side| side.heard.wrong && side.verdict.is_none(), |side| fail(side, EndKind::Violation, 1002)),
    rule(
        "5.6",
        |side| is_open(side) && heard_error(side),
        |side| {
            let code = side.heard.close.map_or(0, |close| close.code);
            side.verdict = Some(EndKind::Failed(code));
            side.failed = true;
            side.take_back();
        },
    ),
    rule(
        "5.3",
        |side| is_server(side) && is_open(side) && side.heard.close.is_some(),
        |side| {
            let code = side.said.close.map_or(0, |close| close.code);
            side.verdict = Some(EndKind::Clean(code));
        },
    ),
    rule(
        "5.3",
        |side| !is_server(side) && is_open(side) && side.heard.close.is_some(),
        |side| {
            let code = side.heard.close.map_or(0, |close| close.code);
            side.say_close(1000);
            side.verdict = Some(EndKind::Clean(code));
        },
    ),
    rule(
        "5.7",
        |side| is_open(side) && side.heard.fin,
        |side| {
            let verdict = if side.is_bent(Mutation::FinIsClean) { EndKind::Clean(1000) } else { EndKind::Truncated };
            end_upon_fin(side, verdict);
        },
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
        |side| side.wish.is_none() && is_open(side) && passed(side, Deadline::Idle),
        |side| {
            side.wish = Some(1001);
        },
    ),
    rule("5.1", must_say_goaway, |side| {
        let last = if is_server(side) { 0 } else { side.said.requests };
        side.say(Message::GoAway { last, code: side.wish.unwrap_or(1000) });
    }),
    rule("5.2", must_say_close, |side| {
        let code = side.said.goaway.or(side.heard.goaway).unwrap_or(1000);
        side.say_close(code);
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
            side.said.fin = true;
        },
    ),
    rule("5.4", |side| may_send_fin(side) && !passed(side, Deadline::Fin), |side| side.said.fin = true),
    rule(
        "8.1 fin",
        |side| may_send_fin(side) && passed(side, Deadline::Fin),
        |side| {
            if side.is_bent(Mutation::VerdictFalls) {
                side.verdict = Some(EndKind::TimedOut(Deadline::Fin));
            }
            side.said.fin = true;
        },
    ),
];

const PLAIN: [Rule; 7] = [
    rule(
        "2.1",
        |side| side.said.requests < side.asked && !side.is_ending(),
        |side| {
            side.say(Message::Request(side.said.requests + 1));
            side.heard.answers = side.said.requests - 1;
        },
    ),
    rule("2.5", |side| side.heard.piece && side.heard.fin, Side::fall_quiet),
    rule(
        "2.1",
        |side| side.heard.accepted + side.heard.texts > side.said.answers,
        |side| {
            let next = side.said.answers + 1;
            side.say(if next <= side.heard.accepted { Message::Answer(next) } else { Message::Text });
        },
    ),
    rule(
        "8.1 answer",
        |side| is_open(side) && !side.said.fin && passed(side, Deadline::Answer),
        |side| {
            side.verdict = Some(EndKind::TimedOut(Deadline::Answer));
        },
    ),
    rule(
        "8.1 idle",
        |side| is_open(side) && !side.said.fin && passed(side, Deadline::Idle),
        |side| {
            side.verdict = Some(EndKind::TimedOut(Deadline::Idle));
        },
    ),
    rule(
        "2.7",
        |side| !side.said.fin && (side.wish.is_some() || side.verdict.is_some()),
        |side| {
            side.said.fin = true;
        },
    ),
    rule("2.5", |side| !side.said.fin && side.heard.fin, |side| side.said.fin = true),
];

impl Side {
    /// Applies rules until none applies, then updates the waits.
    pub(super) fn follow_the_rules(&mut self) {
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

fn leaves_unspoken_to(side: &Side) -> bool {
    let ends = side.wish.is_some() || side.heard.fin || passed(side, Deadline::Idle);
    is_server(side) && !side.heard.begun && is_open(side) && ends
}

fn may_ask(side: &Side) -> bool {
    side.heard.preface && side.said.requests < side.asked && is_open(side) && side.said.goaway.is_none()
}

fn owes(side: &Side) -> bool {
    side.said.answers < side.heard.accepted && side.said.close.is_none()
}

fn heard_error(side: &Side) -> bool {
    !side.is_bent(Mutation::ErrorIsClean) && side.heard.close.is_some_and(|close| !close.is_usual())
}

fn must_say_goaway(side: &Side) -> bool {
    let wants = side.wish.is_some() || (!is_server(side) && side.heard.goaway.is_some());
    let may = is_open(side) && side.said.goaway.is_none() && side.said.close.is_none() && side.heard.preface;
    // A server that has the client's GOAWAY sends CLOSE instead (5.2).
    may && wants && !(is_server(side) && side.heard.goaway.is_some())
}

fn must_say_close(side: &Side) -> bool {
    let is_due = side.heard.goaway.is_some() || passed(side, Deadline::Drain);
    is_server(side) && is_open(side) && side.said.close.is_none() && is_due
}

fn may_send_fin(side: &Side) -> bool {
    let is_due = side.first_fin() == side.role || side.heard.fin || passed(side, Deadline::Fin);
    has_said_it_all(side) && !side.said.fin && is_due
}

/// Clause 5.6: sends the reason, discards input and leaves.
fn fail(side: &mut Side, verdict: EndKind, code: u16) {
    side.verdict = Some(verdict);
    side.failed = true;
    say_why(side, code);
}

fn end_upon_fin(side: &mut Side, verdict: EndKind) {
    side.verdict = Some(verdict);
    say_why(side, 1002);
    side.said.fin = true;
}

fn say_why(side: &mut Side, code: u16) {
    if !side.said.preface {
        side.say(Message::Preface);
    }
    // 1.8: a client that fails before it has the server's preface sends the GOAWAY that it held back. If it held back
    // requests, it takes these back, and the GOAWAY that counts them.
    if let (Role::Client, false, 0, Some(code)) = (side.role, side.heard.preface, side.asked, side.wish) {
        side.say(Message::GoAway { last: 0, code });
    }
    if side.said.close.is_none() {
        side.say_close(code);
    }
}

/// Ends at once with RST (9.3).
fn give_up(side: &mut Side, deadline: Deadline) {
    let_go(side, deadline);
    side.aborts = true;
}

/// Ends with an ordinary close (5.9).
fn let_go(side: &mut Side, deadline: Deadline) {
    match side.verdict {
        Some(_) if !side.is_bent(Mutation::VerdictFalls) => (),
        Some(_) | None => side.verdict = Some(EndKind::TimedOut(deadline)),
    }
    side.out.clear();
    side.aborts |= side.is_bent(Mutation::LetsGoByReset);
    side.over = true;
}

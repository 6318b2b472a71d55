//! Checks a record against the close contract.

use super::contract_rule::{ContractBreach, ContractRule};
use crate::network::READ_INTERVAL;
use crate::record::event_log::{LogEntry, LogEvent, Unit};
use crate::record::{Ending, Record};
use crate::scenario::Backend;
use crate::scenario::Wire;
use crate::scenario::defaults;
use crate::scenario::network::Network;
use crate::scenario::plan::Action;
use crate::support::Millis;
use echo_core::{Deadline, End, Role, Tally};

/// The longest CLOSE of a run without faults, in bytes.
const CLOSE_FRAME: usize = 64;

/// Checks `record` against the contract, and returns all breaches.
pub fn check(record: &Record) -> Vec<ContractBreach> {
    let mut checker = ContractChecker { record, breaches: Vec::new() };
    checker.servers_proof();
    checker.clients_proof();
    checker.answers();
    for side in Role::BOTH {
        checker.fin_is_no_proof(side);
        checker.account(side);
        checker.close_frame(side);
        checker.violation(side);
        checker.end(side);
        checker.wire(side);
    }
    checker.care();
    checker.breaches
}

struct ContractChecker<'a> {
    record: &'a Record,
    breaches: Vec<ContractBreach>,
}

impl ContractChecker<'_> {
    fn breach(&mut self, rule: ContractRule, what: impl Into<String>) {
        self.breaches.push(ContractBreach { rule, what: what.into() });
    }

    fn does(&self, side: Role, actions: &[Action]) -> bool {
        self.record.scenario.plan(side).steps.iter().any(|step| actions.contains(&step.action))
    }

    fn is_clean(&self, side: Role) -> bool {
        matches!(self.record.ending(side), Ending::Outcome(outcome) if outcome.end.is_clean())
    }

    /// Returns the count in the clean CLOSE that `side` received, if any.
    fn clean_close(&self, side: Role) -> Option<u64> {
        self.record.got(side).find_map(|unit| match unit {
            Unit::Close { last, code, .. } if echo_core::CloseCode(*code).is_clean() => Some(*last),
            Unit::Close { .. } | Unit::Preface | Unit::Request(_) | Unit::Answer(_) | Unit::GoAway { .. } => None,
            Unit::Other(_) | Unit::Broken(_) | Unit::Fin | Unit::Reset => None,
        })
    }

    /// Returns the numbers of the answers in `units`.
    fn answers_of(units: impl Iterator<Item = Unit>) -> Vec<u64> {
        units.filter_map(|unit| if let Unit::Answer(seq) = unit { Some(seq) } else { None }).collect()
    }

    fn servers_proof(&mut self) {
        if !self.is_clean(Role::Server) {
            return;
        }
        let Some(last) = self.clean_close(Role::Server) else {
            return self.breach(ContractRule::ServersProof, "the server is clean without the client's CLOSE");
        };
        let accepted = self.record.accepted();
        if accepted != last {
            self.breach(
                ContractRule::ServersProof,
                format!("the server accepted {accepted} requests, but the client's CLOSE acknowledges {last}"),
            );
        }
        let got = Self::answers_of(self.record.got(Role::Client).cloned());
        if got != (1..=last).collect::<Vec<_>>() {
            self.breach(
                ContractRule::ServersProof,
                format!("the client's CLOSE acknowledges {last} answers, but the client received {got:?}"),
            );
        }
        if let Ending::Outcome(outcome) = self.record.ending(Role::Server)
            && (outcome.account.answered != last || outcome.account.unknown != 0)
        {
            self.breach(
                ContractRule::ServersProof,
                format!("the server is clean, but its account is {}", outcome.account),
            );
        }
    }

    fn clients_proof(&mut self) {
        if !self.is_clean(Role::Client) {
            return;
        }
        let Some(last) = self.clean_close(Role::Client) else {
            return self.breach(ContractRule::ClientsProof, "the client is clean without the server's CLOSE");
        };
        let handed = self.record.handed();
        if handed != (1..=last).collect::<Vec<_>>() {
            self.breach(
                ContractRule::ClientsProof,
                format!("the server's CLOSE counts {last} answers, but the client's user received {handed:?}"),
            );
        }
        let accepted = self.record.accepted();
        if accepted > last {
            self.breach(
                ContractRule::ClientsProof,
                format!("the server's CLOSE counts {last} requests, but the server accepted {accepted}"),
            );
        }
    }

    fn fin_is_no_proof(&mut self, side: Role) {
        let close_frame = |unit: &Unit| matches!(unit, Unit::Close { .. });
        let first = self.record.got(side).find(|unit| close_frame(unit) || **unit == Unit::Fin);
        if self.is_clean(side) && first == Some(&Unit::Fin) {
            self.breach(
                ContractRule::FinIsNoProof,
                format!("the {} is clean, but received FIN and no CLOSE before it", side.name()),
            );
        }
    }

    fn answers(&mut self) {
        let (mut sent, mut got, mut handed, mut requests) = (0, 0, 0, 0);
        // A plain line that a slow network splits is answered in pieces (clause 2.2), and no piece is its answer.
        let may_skip = self.record.scenario.wire == Wire::Plain;
        let out_of_order = |last: &mut u64, seq: u64| {
            let next = std::mem::replace(last, seq) + 1;
            if may_skip { seq < next } else { seq != next }
        };
        for LogEntry { at, side, what } in &self.record.entries {
            let wrong = match (side, what) {
                (Role::Server, LogEvent::Sent(Unit::Answer(seq))) => out_of_order(&mut sent, *seq) || *seq > requests,
                (Role::Server, LogEvent::Got(Unit::Request(seq))) => out_of_order(&mut requests, *seq),
                (Role::Client, LogEvent::Got(Unit::Answer(seq))) => out_of_order(&mut got, *seq) || *seq > sent,
                (Role::Client, LogEvent::Handed(seq)) => out_of_order(&mut handed, *seq) || *seq > got,
                // A violation that is sent before the preface decodes as broken.
                (side, LogEvent::Sent(Unit::Broken(_))) => !self.does(*side, &[Action::Violate]),
                (side, LogEvent::Got(Unit::Broken(_))) => !self.does(side.peer(), &[Action::Violate]),
                (
                    _,
                    LogEvent::Sent(_)
                    | LogEvent::Got(_)
                    | LogEvent::Handed(_)
                    | LogEvent::Did(_)
                    | LogEvent::Accepted(_),
                ) => false,
                (
                    _,
                    LogEvent::Ended(_)
                    | LogEvent::Held
                    | LogEvent::Cut
                    | LogEvent::DroppedUnread
                    | LogEvent::Stalled(_)
                    | LogEvent::Relayed(_),
                ) => false,
            };
            if wrong {
                self.breach(ContractRule::Answers, format!("at {at} ms the {} {what}", side.name()));
            }
        }
        // A client that ends clean has handed over every answer that it read.
        let over = matches!(self.record.ending(Role::Client), Ending::Outcome(_));
        if over && self.is_clean(Role::Client) && handed != got {
            self.breach(
                ContractRule::Answers,
                format!("the client received {got} answers, but its user received {handed}"),
            );
        }
    }

    fn account(&mut self, side: Role) {
        let Ending::Outcome(outcome) = self.record.ending(side) else { return };
        let Tally { answered, refused, unknown } = outcome.account;
        let asked = answered + refused + unknown;
        let holds = match side {
            Role::Client => self.record.handed().len() as u64,
            Role::Server => Self::answers_of(self.record.got(Role::Client).cloned()).len() as u64,
        };
        if answered > holds {
            let text = format!(
                "the {} counts {answered} requests as answered, but the client received {holds} answers",
                side.name()
            );
            self.breach(ContractRule::Account, text);
        }
        let ran = self.record.accepted();
        if refused > 0 && ran > asked - refused {
            let text = format!(
                "the {} counts {refused} of {asked} requests as refused, but the server accepted {ran}",
                side.name()
            );
            self.breach(ContractRule::Account, text);
        }
        let most = self.record.scenario.talk.len() as u64;
        // On the plain wire a server counts messages, and a line that a slow network splits is more than one.
        if asked > most && !(side == Role::Server && self.record.scenario.wire == Wire::Plain) {
            self.breach(
                ContractRule::Account,
                format!("the {} counts {asked} requests, but there are {most}", side.name()),
            );
        }
    }

    fn close_frame(&mut self, side: Role) {
        if self.does(side, &[Action::Violate]) {
            return;
        }
        let (mut close, mut fin, mut reset) = (false, false, false);
        let mut wrong = Vec::new();
        for unit in self.record.sent(side) {
            match unit {
                Unit::Reset => reset = true,
                Unit::Fin if fin || reset => wrong.push(unit),
                Unit::Fin => fin = true,
                Unit::Close { .. } => {
                    if close || fin || reset {
                        wrong.push(unit);
                    }
                    close = true;
                }
                Unit::Preface | Unit::Request(_) | Unit::Answer(_) | Unit::GoAway { .. } => {
                    if close || fin || reset {
                        wrong.push(unit);
                    }
                }
                Unit::Other(_) | Unit::Broken(_) => {
                    if close || fin || reset {
                        wrong.push(unit);
                    }
                }
            }
        }
        for unit in wrong {
            self.breach(ContractRule::Close, format!("the {} sent {unit} after its CLOSE, FIN or RST", side.name()));
        }
    }

    /// Checks that no side reports a violation, unless its peer half-closes below the protocol, violates, or exceeds
    /// the limit.
    fn violation(&mut self, side: Role) {
        let peer = side.peer();
        let too_much = peer == Role::Client && self.record.scenario.asks_too_much();
        let strange = too_much || self.does(peer, &[Action::HalfClose, Action::Violate]);
        let ending = self.record.ending(side);
        if ending.name() == "violation" && !strange {
            let text = match ending {
                Ending::Outcome(outcome) => outcome.to_string(),
                Ending::Killed(_) | Ending::Open => "violation".to_owned(),
            };
            self.breach(ContractRule::NoViolation, format!("at the {}: {text}", side.name()));
        }
    }

    fn end(&mut self, side: Role) {
        let slack = match self.record.backend {
            // A simulation's clock may lag a few steps behind its hosts' clocks.
            Backend::Pair | Backend::Turmoil | Backend::Packet => 5,
            // Time is real there, and a process of a busy machine may stand still.
            Backend::Linux => 100,
        };
        if self.record.over_at.is_none() && side == Role::Client {
            self.breach(ContractRule::End, format!("not over after {} ms", self.record.budget));
        }
        if self.record.ending(side) == Ending::Open {
            self.breach(ContractRule::End, format!("the {} never ended", side.name()));
        }
        let cap = defaults::config(&self.record.scenario, side).deadlines.length(Deadline::Shutdown).as_millis();
        if let (Some(began), Some(ended)) = (self.ending_began(side), self.ended_at(side))
            && u128::from(ended.saturating_sub(began)) > cap + slack
        {
            let text = format!("the {}'s ending lasts too long: from {began} ms to {ended} ms", side.name());
            self.breach(ContractRule::End, text);
        }
    }

    /// Returns when the ending began for `side`: the first close command, or the first frame or event of an ending that
    /// it sent or received.
    fn ending_began(&self, side: Role) -> Option<Millis> {
        if self.does(side, &[Action::HalfClose, Action::DropUnread, Action::Violate]) {
            return None;
        }
        let begins = |unit: &Unit| matches!(unit, Unit::GoAway { .. } | Unit::Close { .. } | Unit::Fin | Unit::Reset);
        let began = |what: &LogEvent| match what {
            LogEvent::Sent(unit) | LogEvent::Got(unit) => begins(unit),
            LogEvent::Did(action) => *action == Action::Close,
            LogEvent::Accepted(_) | LogEvent::Handed(_) | LogEvent::Ended(_) | LogEvent::Held | LogEvent::Cut => false,
            LogEvent::DroppedUnread | LogEvent::Stalled(_) | LogEvent::Relayed(_) => false,
        };
        self.record.entries.iter().find(|entry| entry.side == side && began(&entry.what)).map(|entry| entry.at)
    }

    fn ended_at(&self, side: Role) -> Option<Millis> {
        let ended = |what: &LogEvent| matches!(what, LogEvent::Ended(_));
        self.record.entries.iter().find(|entry| entry.side == side && ended(&entry.what)).map(|entry| entry.at)
    }

    fn wire(&mut self, side: Role) {
        let relayed = self.record.scenario.network.relay.is_some();
        // RST may overtake data, and a relay sends FINs of its own.
        let counts = |unit: &&Unit| **unit != Unit::Reset && !(relayed && **unit == Unit::Fin);
        let mut sent = self.record.sent(side.peer()).filter(counts);
        let got = self.record.got(side).filter(counts);
        for unit in got {
            if sent.next() != Some(unit) {
                let text = format!("the {} received {unit}, but the peer sent something else", side.name());
                return self.breach(ContractRule::Wire, text);
            }
        }
    }

    /// Checks runs in which no side misbehaves, no fault happens and no deadline of the ending expires.
    fn care(&mut self) {
        let timed_out = Role::BOTH.into_iter().any(|side| self.timed_out_in_the_ending(side));
        if !self.record.scenario.is_peaceful() || timed_out || self.is_hurried() {
            return;
        }
        for side in Role::BOTH {
            if self.record.sent(side).any(|unit| *unit == Unit::Reset) {
                self.breach(ContractRule::Care, format!("the {} sent RST without a fault", side.name()));
            }
            let (sent, got) = (self.record.sent(side).count(), self.record.got(side.peer()).count());
            if got < sent {
                let text = format!("the {} sent {sent} items, but the peer read only {got}", side.name());
                self.breach(ContractRule::Care, text);
            }
        }
        let first_fin = self.record.entries.iter().find(|entry| entry.what == LogEvent::Sent(Unit::Fin));
        // A server that leaves before the client has sent anything does not know the wire, and sends FIN alone (clause
        // 1.1).
        let met = self.record.sent(Role::Server).any(|unit| *unit == Unit::Preface);
        if let (Some(named), Some(entry)) = (self.record.scenario.wire.first_fin(), first_fin)
            && entry.side != named
            && met
        {
            self.breach(
                ContractRule::Care,
                format!("the {} sent FIN first, not the {}", entry.side.name(), named.name()),
            );
        }
    }

    /// Returns whether time was so short that a deadline may have expired after a clean verdict, which the outcome does
    /// not show. This is so if the round trips of a CLOSE take as long as the linger, fin or shutdown deadline, if a
    /// slow reader or a handler takes too long, or if an ending used up its shutdown deadline.
    fn is_hurried(&self) -> bool {
        let Network { latency, batch, takes, window, .. } = self.record.scenario.network;
        // Data that does not fit the window waits until the peer has read. Each piece takes a round trip.
        let round_trips = 1 + if window > 0 { CLOSE_FRAME.div_ceil(window) as u128 } else { 0 };
        // A client's deadlines are never shorter than a server's.
        let deadlines = defaults::deadlines_of(&self.record.scenario, Role::Server);
        let patience = deadlines.linger.min(deadlines.fin).min(deadlines.shutdown);
        let cap = deadlines.shutdown.as_millis();
        let used_up = |side| match (self.ending_began(side), self.ended_at(side)) {
            (Some(began), Some(ended)) => u128::from(ended - began) >= cap,
            (None, _) | (_, None) => false,
        };
        // An end waits for a slow reader while the reader makes progress, but no longer than an ending may take.
        let reading = |bytes: u64| if takes == 0 { 0 } else { u128::from(bytes * READ_INTERVAL / takes as u64) };
        let stalls = takes > 0 && reading(defaults::PROGRESS as u64) >= patience.as_millis();
        // An end that waits for answers cannot see whether they are on their way.
        let wait = deadlines.drain.min(deadlines.answer).as_millis();
        let slow = stalls || 2 * reading(defaults::all_bytes(&self.record.scenario)) >= cap.min(wait);
        // A peer that waits for the answer, or for FIN after it, waits for the handler, too.
        let handler = self.record.scenario.overrides.handler.unwrap_or(0);
        let far = round_trips * u128::from(2 * (latency + batch)) + u128::from(handler) >= patience.as_millis();
        slow || far || Role::BOTH.into_iter().any(used_up)
    }

    /// Returns whether `side` ended by a deadline. The idle deadline does not count: it ends a conversation regularly.
    fn timed_out_in_the_ending(&self, side: Role) -> bool {
        match self.record.ending(side) {
            Ending::Outcome(outcome) => match outcome.end {
                End::TimedOut(deadline) => deadline != Deadline::Idle,
                End::Clean(_) | End::Unproven | End::Failed { .. } | End::Truncated | End::Reset => false,
                End::Violation(_) | End::UnexpectedEof => false,
            },
            Ending::Killed(_) | Ending::Open => false,
        }
    }
}

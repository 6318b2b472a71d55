//! The combinations of the product that are no sequence, and why.

use crate::check::oracle::{self, Expectation};
use crate::network::relay::Relay;
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Plan, Point};
use crate::scenario::{Scenario, Wire};
use std::fmt;

/// A rule that removes combinations from the product.
#[derive(Debug)]
pub struct Exclusion {
    /// Its letter in the matrices.
    pub letter: char,
    /// Its name.
    pub name: &'static str,
    /// Why the removed combinations are no sequences of their own.
    pub reason: &'static str,
    applies: Applies,
}

/// The condition of a rule, by what it depends on.
#[derive(Debug)]
enum Applies {
    /// Depends on the combination alone.
    ByPlan(fn(&Scenario) -> bool),
    /// Also depends on the oracle's expectation.
    ByOutcome(fn(&Scenario, &Expectation) -> bool),
}

/// All rules. The first that applies counts.
pub static EXCLUSIONS: [Exclusion; 11] = [
    Exclusion {
        letter: 'w',
        name: "no such frame",
        reason: "the plain wire has no preface, GOAWAY or CLOSE, so nothing can wait for one, hold one or break a rule with one",
        applies: Applies::ByPlan(has_no_such_frame),
    },
    Exclusion {
        letter: 'b',
        name: "broken bytes",
        reason: "violate breaks the order of messages; inside a preface or a frame it would break bytes, which the frame tests cover",
        applies: Applies::ByPlan(breaks_bytes),
    },
    Exclusion {
        letter: 't',
        name: "three faults",
        reason: "both sides misbehave and the network is not clear: the random scenarios cover this",
        applies: Applies::ByPlan(has_three_faults),
    },
    Exclusion {
        letter: 's',
        name: "the same setting",
        reason: "framed-server-fin only sets who sends FIN first: the framed wire covers more than one fault",
        applies: Applies::ByPlan(is_the_setting_again),
    },
    Exclusion {
        letter: 'k',
        name: "a crash is a drop",
        reason: "for the peer and the network a crash is a drop: with a second fault, the drop covers it",
        applies: Applies::ByPlan(is_a_drop),
    },
    Exclusion {
        letter: 'e',
        name: "the end already",
        reason: "a side that has received the peer's FIN ends because of it, with or without a close command",
        applies: Applies::ByPlan(ends_anyway),
    },
    Exclusion {
        letter: 'n',
        name: "never",
        reason: "its point is never reached: the conversation is over before, or takes another course",
        applies: Applies::ByOutcome(never_comes),
    },
    Exclusion {
        letter: 'f',
        name: "no such packet",
        reason: "the fault of the network waits for a packet or a point that never occurs",
        applies: Applies::ByOutcome(fault_never_comes),
    },
    Exclusion {
        letter: 'u',
        name: "unchanged",
        reason: "there is no data that a RST can overtake, or nothing that the relay can change: the same as on the clear network",
        applies: Applies::ByOutcome(is_unchanged),
    },
    Exclusion {
        letter: 'a',
        name: "a second close",
        reason: "the close command comes after the side's ending has begun, and has no effect",
        applies: Applies::ByOutcome(closes_again),
    },
    Exclusion {
        letter: 'p',
        name: "only the timing",
        reason: "both sides have plans, at least one side misbehaves, and everything happens in the order of the clear \
                 network or, for relay-cuts-off, of relay-rst-to-fin",
        applies: Applies::ByOutcome(changes_only_the_timing),
    },
];

impl Exclusion {
    /// Returns the first rule that removes `scenario` without the oracle, as an index into [`EXCLUSIONS`].
    pub(super) fn by_plan(scenario: &Scenario) -> Option<usize> {
        EXCLUSIONS.iter().position(|rule| match rule.applies {
            Applies::ByPlan(applies) => applies(scenario),
            Applies::ByOutcome(_) => false,
        })
    }

    /// Returns the first rule that removes `scenario` because of its expectation, as an index into [`EXCLUSIONS`].
    pub(super) fn by_outcome(scenario: &Scenario, expectation: &Expectation) -> Option<usize> {
        EXCLUSIONS.iter().position(|rule| match rule.applies {
            Applies::ByPlan(_) => false,
            Applies::ByOutcome(applies) => applies(scenario, expectation),
        })
    }

    /// Returns whether it needs the oracle.
    pub fn asks_the_oracle(&self) -> bool {
        match self.applies {
            Applies::ByPlan(_) => false,
            Applies::ByOutcome(_) => true,
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.letter, self.name, self.reason)
    }
}

fn plans(scenario: &Scenario) -> [&Plan; 2] {
    [&scenario.client, &scenario.server]
}

fn has_no_such_frame(scenario: &Scenario) -> bool {
    let steps = || plans(scenario).into_iter().flat_map(|plan| &plan.steps);
    let faults = &scenario.network.faults;
    scenario.wire == Wire::Plain
        && (steps().any(|step| step.action == Action::Violate || step.point.is_framed())
            || faults.iter().any(|fault| fault.needs_words()))
}

fn breaks_bytes(scenario: &Scenario) -> bool {
    plans(scenario).into_iter().flat_map(|plan| &plan.steps).any(|step| {
        let inside =
            matches!(step.point, Point::Connecting | Point::InPreface | Point::InsideFrame | Point::PeerNotReading);
        step.action == Action::Violate && inside
    })
}

fn misbehaving_sides(scenario: &Scenario) -> usize {
    plans(scenario).into_iter().filter(|plan| plan.misbehaves()).count()
}

fn is_clear(network: &Network) -> bool {
    Network::named("clear").as_ref() == Some(network)
}

fn has_three_faults(scenario: &Scenario) -> bool {
    misbehaving_sides(scenario) == 2 && !is_clear(&scenario.network)
}

fn is_the_setting_again(scenario: &Scenario) -> bool {
    let faults = misbehaving_sides(scenario) + usize::from(!is_clear(&scenario.network));
    scenario.wire == Wire::FramedServerFin && faults > 1
}

fn is_a_drop(scenario: &Scenario) -> bool {
    let crashes = plans(scenario).into_iter().flat_map(|plan| &plan.steps).any(|step| step.action == Action::Crash);
    // Of two steps at the same point, a crash of the server runs first, and its drop does not.
    let together = scenario.client.points().any(|point| scenario.server.points().any(|other| other == point));
    crashes && !together && (misbehaving_sides(scenario) == 2 || !is_clear(&scenario.network))
}

fn ends_anyway(scenario: &Scenario) -> bool {
    plans(scenario).contains(&&Plan::one(Action::Close, Point::AfterFin))
}

fn never_comes(_: &Scenario, expectation: &Expectation) -> bool {
    expectation.unreached.iter().any(|part| part.contains(':'))
}

fn fault_never_comes(_: &Scenario, expectation: &Expectation) -> bool {
    expectation.unreached.iter().any(|part| !part.contains(':'))
}

fn is_unchanged(_: &Scenario, expectation: &Expectation) -> bool {
    expectation.is_unchanged
}

fn closes_again(_: &Scenario, expectation: &Expectation) -> bool {
    expectation.asked_again
}

fn changes_only_the_timing(scenario: &Scenario, expectation: &Expectation) -> bool {
    let both = plans(scenario).into_iter().all(|plan| !plan.steps.is_empty());
    let simpler = scenario.simpler_networks();
    both && misbehaving_sides(scenario) > 0 && simpler.iter().any(|simpler| expectation.is_as(&oracle::expect(simpler)))
}

impl Scenario {
    /// Returns the same scenario on the networks that may give the same sequence.
    pub(super) fn simpler_networks(&self) -> Vec<Self> {
        let on = |name| Some(Self { network: Network::named(name)?, ..self.clone() });
        let names: &[&str] = match self.network.relay {
            _ if is_clear(&self.network) => &[],
            Some(Relay::CutsOff(_)) => &["clear", "relay-rst-to-fin"],
            Some(Relay::PassesHalfClose | Relay::ClosesBoth) | None => &["clear"],
        };
        names.iter().filter_map(|name| on(name)).collect()
    }
}

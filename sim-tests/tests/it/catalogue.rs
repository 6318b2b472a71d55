//! The catalogue and the oracle, compared with the runs of the pair.

use echo_core::{Deadline, Role};
use sim_tests::catalogue::{self, Exclusion, Place, Sequence};
use sim_tests::oracle::{AllowedEnding, Mutation, Oracle, Reported};
use sim_tests::record::canonical_trace;
use sim_tests::{Action, Backend, Network, Plan, Point, Record, Scenario, Unit};
use std::collections::BTreeSet;

fn run(scenario: &Scenario) -> Record {
    Backend::Pair.run(scenario).unwrap_or_else(|refusal| panic!("{scenario}: {refusal}"))
}

/// The step through a long list: 1 in a release build, `debug` in other builds.
fn stride(debug: usize) -> usize {
    if cfg!(debug_assertions) { debug } else { 1 }
}

fn on(scenario: &Scenario, network: &str) -> Scenario {
    Scenario { network: Network::named(network).expect("a network"), ..scenario.clone() }
}

fn excluded(letter: char) -> (&'static Exclusion, impl Iterator<Item = Scenario>) {
    let rule = catalogue::EXCLUSIONS.iter().find(|rule| rule.letter == letter).expect("a rule");
    (rule, catalogue::excluded(rule))
}

#[test]
fn ids_are_unique_and_say_all_there_is() {
    let mut known = BTreeSet::new();
    for sequence in catalogue::all() {
        assert_eq!(sequence.id.parse(), Ok(sequence.scenario.clone()), "{}", sequence.id);
        assert_eq!(sequence.scenario.to_string(), sequence.id, "in its shortest form");
        assert!(known.insert(&sequence.id), "{} stands there twice", sequence.id);
        assert!(catalogue::find(&sequence.id).is_some_and(|found| std::ptr::eq(found, sequence)));
    }
}

/// A sequence that is looked up without the whole product is equal to the one of the list.
#[test]
fn a_sequence_is_found_alone() {
    for sequence in catalogue::all().iter().step_by(stride(20)) {
        let alone = catalogue::of_run(&sequence.scenario).expect("it is one");
        assert_eq!((&alone.id, &alone.expectation), (&sequence.id, &sequence.expectation));
        let [first, ..] = &sequence.scenario.runs()[..] else { panic!("{} has no run", sequence.id) };
        assert!(catalogue::of_run(first).is_some(), "{first} is a run of {}", sequence.id);
    }
    let other = "framed/client:none/server:none/latency-5".parse().expect("a scenario");
    assert!(catalogue::of_run(&other).is_none(), "it is not of the catalogue");
}

/// Sound: what is observed is allowed. Tight: what is allowed is observed in a named run.
#[test]
fn the_pair_does_what_the_oracle_says_and_all_of_it() {
    for sequence in catalogue::all() {
        let records: Vec<_> = sequence.scenario.runs().iter().map(run).collect();
        for record in &records {
            assert_eq!(sequence.judge(record), [], "{}", record.trace());
        }
        for member in &sequence.expectation.allowed {
            assert!(records.iter().any(|record| is_witness(member, record)), "{}: nobody saw {member}", sequence.id);
        }
    }
}

fn is_witness(member: &AllowedEnding, record: &Record) -> bool {
    let report = |side| Reported::of(&record.ending(side));
    member.client == report(Role::Client) && member.server == report(Role::Server)
}

#[test]
fn a_clear_network_leaves_no_choice() {
    let mut several = 0;
    for Sequence { id, expectation, .. } in catalogue::all() {
        assert!(!expectation.allowed.is_empty(), "{id}");
        assert!(!id.ends_with("/clear") || expectation.allowed.len() == 1, "{id}: {:?}", expectation.allowed);
        several += usize::from(expectation.allowed.len() > 1);
    }
    assert!(several > 20, "only {several} races can go either way");
}

#[test]
fn every_member_cites_clauses_that_are_there() {
    let protocol = include_str!("../../../echo-core/PROTOCOL.md");
    let mut cited: BTreeSet<&'static str> = BTreeSet::new();
    for sequence in catalogue::all() {
        for member in &sequence.expectation.allowed {
            let nobody_tells = member.client == Reported::Killed && member.server == Reported::Killed;
            assert!(nobody_tells || !member.clauses.is_empty(), "{}: {member} for no reason", sequence.id);
            cited.extend(&member.clauses);
        }
    }
    for clause in &cited {
        let (number, deadline) = clause.split_once(' ').unwrap_or((clause, ""));
        assert!(protocol.contains(&format!("\n{number} ")), "there is no clause {number}");
        let known = Deadline::ALL.iter().any(|known| known.name() == deadline);
        assert!(deadline.is_empty() || known, "there is no deadline {deadline}");
    }
    assert!(cited.len() >= 20, "{cited:?}");
}

#[test]
fn the_figures() {
    let counts = catalogue::statistics();
    let out: usize = counts.excluded.iter().map(|(_, count)| count).sum();
    assert_eq!(counts.product - out + counts.extra, counts.remaining);
    assert!(counts.distinct >= 1000);
    insta::assert_snapshot!(counts);
}

#[test]
fn a_sequence_that_is_told_by_another_tells_the_same() {
    for sequence in catalogue::filter(&["framed/client:drop@"]).step_by(stride(50)) {
        let Some(teller) = sequence.same_trace_as() else { continue };
        let tell = |sequence: &Sequence| -> Vec<_> {
            sequence.scenario.runs().iter().map(|scenario| canonical_trace(&run(scenario))).collect()
        };
        assert_eq!(tell(sequence), tell(teller), "{} and {}", sequence.id, teller.id);
    }
}

/// The exclusions that need no oracle cover exactly the scenarios that `check` rejects.
#[test]
fn what_is_no_scenario_is_excluded_and_nothing_else_is_refused() {
    for letter in ['w', 'b'] {
        for scenario in excluded(letter).1.step_by(stride(20)) {
            assert!(scenario.check().is_err(), "{scenario} could be run");
        }
    }
    for letter in ['t', 's', 'k', 'e', 'n', 'f', 'u', 'a', 'p'] {
        for scenario in excluded(letter).1.step_by(stride(20)) {
            assert_eq!(scenario.check(), Ok(()), "{scenario} cannot be run, and rule {letter} takes it out");
        }
    }
}

#[test]
fn a_moment_that_never_comes_never_comes_on_the_pair() {
    for letter in ['n', 'f'] {
        let (rule, scenarios) = excluded(letter);
        for scenario in scenarios.step_by(stride(9)) {
            for record in scenario.runs().iter().map(run) {
                let reached = record.unreached.is_empty() && !is_stopped_too_early(&record);
                assert!(!reached, "{} is taken out: {rule}", record.scenario);
            }
        }
    }
}

/// Whether a side stopped before its first request or answer. The write limit counts bytes from the beginning, so a
/// CLOSE with a long reason reaches the limit, too.
fn is_stopped_too_early(record: &Record) -> bool {
    let first = |side| match side {
        Role::Client => Unit::Request(1),
        Role::Server => Unit::Answer(1),
    };
    let stops = |point: Point| matches!(point, Point::InsideFrame | Point::PeerNotReading);
    Role::BOTH.into_iter().any(|side| {
        record.scenario.plan(side).points().any(stops) && !record.sent(side).any(|unit| *unit == first(side))
    })
}

/// Canonical traces of all runs of a scenario.
fn stories(scenario: &Scenario) -> Vec<String> {
    scenario.runs().iter().map(|one| canonical_trace(&run(one))).collect()
}

#[test]
fn what_changes_nothing_changes_nothing_on_the_pair() {
    for scenario in excluded('u').1.step_by(stride(5)) {
        let clear = stories(&on(&scenario, "clear"));
        for trace in stories(&scenario) {
            assert_eq!([trace], clear[..], "{scenario}");
        }
    }
    for scenario in excluded('k').1.step_by(stride(9)) {
        let drops = with_drops(&scenario);
        assert_eq!(sides(&scenario), sides(&drops), "{scenario}");
    }
    for scenario in excluded('p').1.step_by(stride(9)) {
        let simpler = ["clear", "relay-rst-to-fin"].map(|network| stories(&on(&scenario, network)).concat());
        let told: BTreeSet<_> = stories(&scenario).into_iter().collect();
        assert!(told.iter().all(|trace| simpler.contains(trace)), "{scenario}");
    }
}

/// The trace of each end. With both ends in one trace, a crash at the same moment would come before a drop.
fn sides(scenario: &Scenario) -> Vec<Vec<String>> {
    let told = |side: &str| {
        let of_side = |trace: String| trace.lines().filter(|line| line.starts_with(side)).map(str::to_owned).collect();
        stories(scenario).into_iter().map(of_side).collect::<Vec<Vec<_>>>().concat()
    };
    ["client", "server"].map(told).to_vec()
}

fn with_drops(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    for step in scenario.client.steps.iter_mut().chain(&mut scenario.server.steps) {
        if step.action == Action::Crash {
            step.action = Action::Drop;
        }
    }
    scenario
}

/// A second close changes neither what a side sends nor how it ends. It may change only when, within the same moment,
/// the side acts on its input, because the side waits for its plan.
#[test]
fn to_be_asked_again_is_no_event_on_the_pair() {
    let said = |scenario: &Scenario| -> Vec<Vec<String>> {
        let acts = |line: &String| line.contains(" handed over ") || line.contains(" accepted ");
        let side = |lines: Vec<String>| lines.into_iter().filter(|line| !acts(line)).collect();
        sides(scenario).into_iter().map(side).collect()
    };
    for scenario in excluded('a').1.step_by(stride(5)) {
        let told = said(&scenario);
        let without = |unasked: Scenario| said(&Scenario { talk: scenario.talk.clone(), ..unasked });
        let closes = |plan: &Plan| plan.steps.iter().any(|step| step.action == Action::Close);
        let client = Scenario { client: Plan::none(), ..scenario.clone() };
        let server = Scenario { server: Plan::none(), ..scenario.clone() };
        let by_client = closes(&scenario.client) && without(client) == told;
        let by_server = closes(&scenario.server) && without(server) == told;
        assert!(by_client || by_server, "{scenario}: the second close changes something");
    }
}

#[test]
fn every_combination_has_its_place() {
    let mut sequences = 0;
    for sequence in catalogue::all() {
        match catalogue::place(&sequence.scenario) {
            Some(Place::Sequence(found)) => {
                assert!(std::ptr::eq(found, sequence), "{} is at the place of {}", sequence.id, found.id);
                sequences += 1;
            }
            Some(Place::Excluded(rule)) => panic!("{} is excluded: {rule}", sequence.id),
            None => (),
        }
    }
    assert_eq!(sequences, catalogue::all().len() - catalogue::statistics().extra);
}

/// Whether `sequence` shows the mutation: the oracle forbids what happens, or allows what never happens.
fn is_noticed(mutation: Option<Mutation>, sequence: &Sequence) -> bool {
    let expectation = Oracle { mutation }.expect(&sequence.scenario);
    let records: Vec<_> = sequence.scenario.runs().iter().map(run).collect();
    let sound = records.iter().all(|record| expectation.allows(record));
    let tight = expectation.allowed.iter().all(|member| records.iter().any(|record| is_witness(member, record)));
    !sound || !tight
}

#[test]
fn a_bent_oracle_is_noticed_and_the_straight_one_is_not() {
    let every = |network: &'static str| catalogue::all().iter().filter(move |one| one.id.contains(network));
    // A sample of all, and more of the networks that alone show some mutations.
    let few = catalogue::all().iter().step_by(stride(11));
    let sample: Vec<_> = few.chain(every("/rst-race").step_by(stride(2))).chain(every("-reader/")).collect();
    let noticed = |mutation| sample.iter().filter(|sequence| is_noticed(mutation, sequence)).count();
    assert_eq!(noticed(None), 0);
    for mutation in Mutation::ALL {
        assert!(noticed(Some(mutation)) > 0, "{mutation:?} goes unnoticed");
    }
}

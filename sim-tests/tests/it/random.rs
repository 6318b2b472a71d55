//! Random scenarios are checked against the contract. Planted bugs test the search and the shrinking.
//!
//! Every seed is one scenario. `echo-sim random --seeds A..B` runs more of them, `echo-sim replay --seed N` shows one.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sim_tests::file::Saved;
use sim_tests::random::{self, Found, Run};
use sim_tests::{Action, Backend, ContractRule, Plan, Record, Scenario, ScenarioError, Wire, ladder};
use std::collections::BTreeSet;
use std::ops::Range;

/// Runs the search, and fails with the first thing that it finds.
fn nothing_is_found(backend: Backend, seeds: Range<u64>) {
    let count = seeds.end - seeds.start;
    let seeds: Vec<u64> = seeds.collect();
    let hunt = random::hunt(&|scenario| backend.run(scenario), &seeds, &|| ());
    assert!(hunt.broken.is_empty(), "{} of {count} seeds\n{}", hunt.broken.len(), shown(backend, &hunt.found[0]));
    assert_eq!(hunt.scenarios, count);
}

fn shown(backend: Backend, found: &Found) -> String {
    let saved = Saved { scenario: found.scenario.clone(), backend: Some(backend), seed: Some(found.seed) };
    let ladder = found.record.as_ref().map(|record| ladder::ladder(record, true)).unwrap_or_default();
    format!("{}\n{saved}{ladder}", found.flaw)
}

#[test]
fn the_pair_keeps_the_contract() {
    nothing_is_found(Backend::Pair, 0..1500);
}

#[test]
fn turmoil_keeps_the_contract() {
    nothing_is_found(Backend::Turmoil, 0..300);
}

/// Random scenarios vary: the seeds above contain everything that a scenario can have.
#[test]
fn the_seeds_meet_everything() {
    let all: Vec<Scenario> = (0..1500).map(|seed| random::drawn(seed).expect("every seed draws")).collect();
    let text: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert!(text.len() > 1400, "{} different scenarios", text.len());
    let met = |part: &str| text.iter().filter(|id| id.contains(part)).count();
    let actions = Action::ALL.map(|action| format!(":{}@", action.id()));
    let points = sim_tests::Point::ALL.map(|point| format!("@{}", point.id()));
    let deadlines = echo_core::Deadline::ALL.map(|deadline| format!("/deadline-{deadline}-"));
    let rest = ["plain/", "framed-server-fin/", "+hold-", "+cut-", "-ever", "/limit-", "+relay-", "+batch-", "+reads-"];
    let rest = rest.into_iter().chain(["+writes-", "+rst-overtakes", "client:none", "server:none"]).map(str::to_owned);
    for part in actions.into_iter().chain(points).chain(deadlines).chain(rest) {
        assert!(met(&part) >= 5, "{part} is met {} times", met(&part));
    }
    assert!(all.iter().any(|scenario| scenario.client.steps.len() == 3 && scenario.network.faults.len() == 3));
}

/// A program with a bug: where its client has to close the conversation, it closes the socket.
fn rude(scenario: &Scenario) -> Result<Record, ScenarioError> {
    let mut played = scenario.clone();
    for step in played.client.steps.iter_mut().filter(|step| step.action == Action::Close) {
        step.action = Action::Drop;
    }
    Ok(Record { scenario: scenario.clone(), ..Backend::Pair.run(&played)? })
}

/// A program with a bug: it does not report an end that takes 400 ms or longer.
fn forgetful(scenario: &Scenario) -> Result<Record, ScenarioError> {
    let mut record = Backend::Pair.run(scenario)?;
    record.entries.retain(|entry| entry.at < 400 || !matches!(entry.what, sim_tests::LogEvent::Ended(_)));
    Ok(record)
}

fn steps(scenario: &Scenario) -> usize {
    scenario.client.steps.len() + scenario.server.steps.len() + scenario.network.faults.len()
}

/// A planted bug is found, shrinks to almost nothing, and is replayed from the printed text.
#[test]
fn a_planted_bug_is_found_shrunk_and_replayed() {
    for (run, rule, most) in [(&rude as Run<'_>, ContractRule::Care, 1), (&forgetful, ContractRule::End, 1)] {
        let hunt = random::hunt(run, &(0..300).collect::<Vec<_>>(), &|| ());
        let found = hunt.found.first().expect("a planted bug is found");
        let random::RandomFailure::Breach(breach) = &found.flaw else { panic!("{}", found.flaw) };
        assert_eq!(breach.rule, rule, "{breach}");
        assert!(steps(&found.scenario) <= most, "{}", found.scenario);
        assert!(steps(&found.drawn) >= steps(&found.scenario));
        let text = Saved::from(found.scenario.clone()).to_string();
        let again: Saved = text.parse().expect("what is printed is read");
        assert_eq!(random::judge(run, &again.scenario).expect_err("it is still broken"), found.flaw);
    }
}

/// A run that differs when it is repeated is detected.
#[test]
fn a_run_that_differs_from_itself_is_found() {
    let runs = std::sync::atomic::AtomicU64::new(0);
    let moody = |scenario: &Scenario| {
        let mut record = Backend::Pair.run(scenario)?;
        let odd = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2;
        record.entries.iter_mut().for_each(|entry| entry.at += odd);
        Ok(record)
    };
    let scenario: Scenario = "framed/client:close@idle/server:none/clear".parse().expect("an id");
    let flaw = random::judge(&moody, &scenario).expect_err("times differ").to_string();
    assert_eq!(flaw, r#"harness: a second run differs: "at 0 ms sent preface" became "at 1 ms sent preface""#);
}

/// Uses the same schedules every time, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` is set.
fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(4007) } else { asked.rng_seed };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config(800))]

    /// Without faults and violations, and with enough time, every framed conversation ends clean at both ends.
    #[test]
    fn peace_ends_clean(scenario in random::peace()) {
        let record = Backend::Pair.run(&scenario).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        let name = if scenario.wire == Wire::Plain { "unproven" } else { "clean" };
        for side in [echo_core::Role::Client, echo_core::Role::Server] {
            let ending = record.ending(side).name();
            let idle = scenario.wire == Wire::Plain && ending == "timed out";
            prop_assert!(ending == name || idle, "{}", ladder::ladder(&record, true));
        }
    }

    #[test]
    fn ids_and_files_say_all_there_is_to_say(scenario in random::scenario()) {
        let id = scenario.to_string();
        prop_assert_eq!(id.parse::<Scenario>(), Ok(scenario.clone()), "{}", id);
        let saved = Saved { scenario, backend: Some(Backend::Turmoil), seed: Some(1) };
        let text = saved.to_string();
        prop_assert_eq!(text.parse::<Saved>(), Ok(saved), "{}", text);
    }
}

/// The generator of peaceful scenarios makes only peaceful ones.
#[test]
fn peace_means_peace() {
    proptest::test_runner::TestRunner::new(config(200))
        .run(&random::peace(), |scenario| {
            prop_assert!(scenario.is_peaceful(), "{scenario}");
            let polite = |plan: &Plan| plan.steps.iter().all(|step| step.action == Action::Close);
            prop_assert!(polite(&scenario.client) && polite(&scenario.server));
            Ok(())
        })
        .expect("peace");
}

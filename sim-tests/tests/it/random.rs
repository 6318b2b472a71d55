//! Random schedules: scenarios drawn from everything a scenario can say, held against the contract.
//!
//! A counterexample shrinks to a scenario, and its id replays it: `echo-sim replay ID`.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use sim_tests::{Action, Backend, Fault, Mark, Network, Plan, Point, Scenario, Span, Whose, Wire, check, report};

/// The same schedules every time, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` asks for others.
fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(4007) } else { asked.rng_seed };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked }
}

fn points(wire: Wire) -> Vec<Point> {
    let known = |point: &Point| wire != Wire::Plain || !matches!(point, Point::Draining | Point::LastWordInFlight);
    Point::ALL.into_iter().filter(known).collect()
}

fn marks(wire: Wire) -> Vec<Mark> {
    Mark::ALL.into_iter().filter(|mark| wire != Wire::Plain || *mark == Mark::Fin).collect()
}

fn plan(wire: Wire) -> impl Strategy<Value = Plan> {
    prop_oneof![
        2 => Just(Plan::Nothing),
        3 => select(points(wire)).prop_map(|point| Plan::Do(Action::Close, point)),
        3 => (select(&Action::ALL[..]), select(points(wire))).prop_map(|(action, point)| Plan::Do(action, point)),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![(0..1500_u64).prop_map(Span::For), Just(Span::Ever)]
}

fn fault(wire: Wire) -> impl Strategy<Value = Fault> {
    prop_oneof![
        (select(&Whose::ALL[..]), select(marks(wire)), span()).prop_map(|(from, mark, span)| Fault::Hold {
            from,
            mark,
            span
        }),
        (select(points(wire)), span()).prop_map(|(point, span)| Fault::Cut { point, span }),
    ]
}

fn network(wire: Wire, faults: usize) -> impl Strategy<Value = Network> {
    let size = || prop_oneof![2 => Just(0_usize), 1 => 1..40_usize, 1 => 40..4000_usize];
    (2..70_u64, size(), size(), prop::collection::vec(fault(wire), 0..=faults))
        .prop_map(|(latency, reads, writes, faults)| Network { latency, reads, writes, faults })
}

fn scenario(faults: usize) -> impl Strategy<Value = Scenario> {
    select(&Wire::ALL[..]).prop_flat_map(move |wire| {
        let talk = prop::collection::vec(prop_oneof![4 => 0..64_usize, 1 => 64..9000_usize], 1..6);
        (plan(wire), plan(wire), network(wire, faults), talk)
            .prop_map(move |(client, server, network, talk)| Scenario { wire, client, server, network, talk })
    })
}

fn hold_to_the_contract(backend: Backend, scenario: &Scenario) -> Result<(), TestCaseError> {
    let record = backend.run(scenario).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
    let breaches = check(&record);
    prop_assert!(breaches.is_empty(), "{breaches:?}\n{}", report::ladder(&record, true));
    prop_assert_eq!(Ok(record), backend.run(scenario), "a second run differs");
    Ok(())
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn the_pair_keeps_the_contract(scenario in scenario(2)) {
        hold_to_the_contract(Backend::Pair, &scenario)?;
    }

    /// Without faults and misdeeds, and with enough time, every framed conversation ends clean at both ends.
    #[test]
    fn peace_ends_clean(scenario in scenario(0)) {
        let polite = |plan: Plan| match plan {
            Plan::Nothing => plan,
            Plan::Do(_, point) => Plan::Do(Action::Close, point),
        };
        let scenario = Scenario { client: polite(scenario.client), server: polite(scenario.server), ..scenario };
        let record = Backend::Pair.run(&scenario).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        let name = if scenario.wire == Wire::Plain { "unproven" } else { "clean" };
        for side in [echo_core::Role::Client, echo_core::Role::Server] {
            let ending = record.ending(side).name();
            let idle = scenario.wire == Wire::Plain && ending == "timed out";
            prop_assert!(ending == name || idle, "{}", report::ladder(&record, true));
        }
    }

    #[test]
    fn an_id_says_all_there_is_to_say(scenario in scenario(3)) {
        let id = scenario.to_string();
        let read = id.parse::<Scenario>();
        prop_assert_eq!(read, Ok(scenario), "{}", id);
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn turmoil_keeps_the_contract(scenario in scenario(2)) {
        hold_to_the_contract(Backend::Turmoil, &scenario)?;
    }
}

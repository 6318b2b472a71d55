//! Random schedules: scenarios drawn from everything a scenario can say, held against the contract.
//!
//! A counterexample shrinks to a scenario, and its id replays it: `echo-sim replay ID`.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use sim_tests::{
    Action, Backend, Fault, Mark, Network, Plan, Point, Relay, Rst, Scenario, Span, Step, Whose, Wire, check, report,
};

/// The same schedules every time, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` asks for others.
fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(4007) } else { asked.rng_seed };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked }
}

fn points(wire: Wire) -> Vec<Point> {
    Point::ALL.into_iter().filter(|point| wire != Wire::Plain || !point.is_framed()).collect()
}

fn cuts(wire: Wire) -> Vec<Point> {
    let all = points(wire).into_iter();
    all.filter(|point| !point.is_of_one_side() && *point != Point::Connecting).collect()
}

fn marks(wire: Wire) -> Vec<Mark> {
    Mark::ALL.into_iter().filter(|mark| wire != Wire::Plain || *mark == Mark::Fin).collect()
}

fn steps(wire: Wire) -> Vec<Step> {
    let all =
        Action::ALL.into_iter().flat_map(|action| points(wire).into_iter().map(move |point| Step { action, point }));
    let plan = |step: &Step| Plan { steps: vec![*step] };
    all.filter(|step| Scenario::new(wire, plan(step), Plan::none(), Network::clear(4)).check().is_ok()).collect()
}

fn plan(wire: Wire) -> impl Strategy<Value = Plan> {
    let polite: Vec<_> = steps(wire).into_iter().filter(|step| step.action == Action::Close).collect();
    prop_oneof![
        2 => Just(Plan::none()),
        3 => select(polite).prop_map(|step| Plan { steps: vec![step] }),
        3 => prop::collection::vec(select(steps(wire)), 1..3).prop_map(|steps| Plan { steps }),
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
        (select(cuts(wire)), span()).prop_map(|(point, span)| Fault::Cut { point, span }),
    ]
}

fn network(wire: Wire, faults: usize) -> impl Strategy<Value = Network> {
    let trouble = faults > 0;
    let size = || prop_oneof![2 => Just(0_usize), 1 => 1..40_usize, 1 => 40..4000_usize];
    let relay = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Relay::PassesHalfClose)),
        1 => Just(Some(Relay::ClosesBoth)),
        1 => (0..200_u64).prop_map(|span| Some(Relay::CutsOff(span))),
    ];
    let batch = prop_oneof![3 => Just(0_u64), 1 => 1..30_u64];
    let rst = prop_oneof![2 => Just(Rst::InOrder), 1 => Just(Rst::Overtakes)];
    (2..30_u64, size(), size(), batch, rst, relay, prop::collection::vec(fault(wire), 0..=faults)).prop_map(
        move |(latency, reads, writes, batch, rst, relay, faults)| {
            let relay = relay.filter(|_| trouble);
            let rst = if trouble { rst } else { Rst::InOrder };
            Network { latency, reads, writes, batch, rst, relay, faults }
        },
    )
}

fn scenario(faults: usize) -> impl Strategy<Value = Scenario> {
    select(&Wire::ALL[..]).prop_flat_map(move |wire| {
        let talk = prop::collection::vec(prop_oneof![4 => 0..64_usize, 1 => 64..9000_usize], 1..6);
        (plan(wire), plan(wire), network(wire, faults), talk).prop_map(move |(client, server, network, talk)| {
            Scenario { wire, client, server, network, talk, tuning: Default::default() }
        })
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
        let polite = |mut plan: Plan| {
            plan.steps.retain(|step| !matches!(step.point, Point::Connecting | Point::InPreface | Point::PeerNotReading));
            plan.steps.iter_mut().for_each(|step| step.action = Action::Close);
            plan
        };
        let (client, server) = (polite(scenario.client.clone()), polite(scenario.server.clone()));
        let scenario = Scenario { client, server, ..scenario };
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

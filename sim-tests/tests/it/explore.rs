//! Every state of a conversation: all set-ups of the explorer's quick list.

use sim_tests::explorer::{self, CALM, Exploration, ExplorerRule, Limits, Setup, Summary, TransportFault};
use std::fmt::Write;

fn run(setup: &Setup) -> Exploration {
    explorer::run(setup, Limits::default(), &mut |_| ())
}

/// All states are visited and no rule is broken. Every pair of the table is reached, or has a reason why it cannot be;
/// every goal is reached. The counts change only with the machine.
#[test]
fn quick_visits_every_state() {
    let reports: Vec<Exploration> = explorer::quick().iter().map(run).collect();
    let mut text = String::new();
    for report in &reports {
        assert!(report.holds(), "{report}");
        let _ = writeln!(text, "{report}");
    }
    let summary = Summary::of(&reports);
    assert!(summary.is_good(), "{summary}");
    insta::assert_snapshot!("explore_counts", format!("{text}\n{summary}"));
    for (subject, coverage) in &summary.coverage {
        insta::assert_snapshot!(
            format!("explore_unreachable_{}", subject.name().replace(' ', "_")),
            coverage.listing()
        );
    }
}

/// The full list has each kind of set-up of the quick list, more of everything, and up to three requests.
#[test]
fn full_is_more_than_quick() {
    let most = |setups: &[Setup]| setups.iter().map(|setup| setup.requests).max();
    assert_eq!(most(&explorer::full()), Some(3));
    for list in [explorer::full(), explorer::quick()] {
        let mut names: Vec<_> = list.iter().map(|setup| setup.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), list.len(), "each has a name of its own");
    }
}

#[test]
fn a_limit_is_no_success() {
    let report = explorer::run(&CALM, Limits { states: 100 }, &mut |_| ());
    assert!(!report.holds() && report.counterexample.is_none());
    assert!(report.to_string().contains("STOPPED at the limit"), "{report}");
}

/// Without deadlines, a cut network is waited for for ever. The explorer reports it with the path to that state.
#[test]
fn a_wait_for_ever_is_found() {
    let report = run(&Setup { faults: &[TransportFault::Cut], faults_at_most: 1, ..CALM });
    let found = report.counterexample.as_ref().expect("nothing ends a wait for what is lost");
    assert_eq!(found.breach.rule, ExplorerRule::End, "{report}");
    assert!(found.ladder.iter().any(|line| line.starts_with("the network is cut")), "{report}");
}

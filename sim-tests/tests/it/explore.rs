//! Every state of a conversation: the explorer's quick list, whole.

use sim_tests::explorer::{self, CALM, Exploration, ExplorerRule, Limits, Setup, Summary, TransportFault};
use std::fmt::Write;

fn run(setup: &Setup) -> Exploration {
    explorer::run(setup, Limits::default(), &mut |_| ())
}

/// All states visited, no promise broken, every pair of the table that can be reached reached, nothing that has to be
/// possible unseen; and the counts, which change only when the machine does.
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

/// The long list has each quick set-up's kind, more of everything, and up to three requests.
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

/// Without deadlines a cut network is a wait for ever: the explorer says so, and how to get there.
#[test]
fn a_wait_for_ever_is_found() {
    let report = run(&Setup { faults: &[TransportFault::Cut], faults_at_most: 1, ..CALM });
    let found = report.counterexample.as_ref().expect("nothing ends a wait for what is lost");
    assert_eq!(found.breach.rule, ExplorerRule::End, "{report}");
    assert!(found.ladder.iter().any(|line| line.starts_with("the network is cut")), "{report}");
}

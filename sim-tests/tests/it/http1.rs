//! hyper on every network: which truncated responses are taken for complete.

#[path = "../../examples/http1.rs"]
mod example;

use self::example::{Framing, Handler, trial};
use sim_tests::trial::{FindingKind, InjectedFault, TrialNetwork, TrialReport};
use std::collections::BTreeSet;

const TRUNCATED: &str = "a truncated response passes for complete";

/// The networks on which a truncated response is taken for complete. Any other failure panics.
fn fooled(report: &TrialReport) -> BTreeSet<TrialNetwork> {
    assert!(report.failures.iter().all(|failure| failure.finding.what == TRUNCATED), "{report}");
    report.of(FindingKind::Check).flat_map(|failure| failure.networks()).collect()
}

/// Without a length, a response ends with the connection. A RST shows the truncation, but no relay forwards it.
#[test]
fn without_either_a_reset_is_taken_for_the_end_behind_every_relay() {
    let report = trial(Framing::End, Handler::Sound).faults(&[InjectedFault::Abort]).run();
    assert_eq!(fooled(&report), TrialNetwork::RELAYS.into(), "{report}");
    assert_eq!(report.failures[0].scenario.to_string(), "server:abort@2/relay-rst-to-fin");
    // A server that crashes sends FIN, so the truncation is also missed on a cable.
    let report =
        trial(Framing::End, Handler::Sound).faults(&[InjectedFault::Crash]).networks(&[TrialNetwork::CLEAR]).run();
    assert_eq!(fooled(&report), [TrialNetwork::CLEAR].into(), "{report}");
}

/// A length or a last chunk shows that something is missing. This holds also when the handler dies and hyper closes
/// with FIN, for which no network fault is needed. `Ok` of hyper's server does not mean that the client has read
/// anything.
#[test]
fn only_a_length_or_a_last_chunk_is_proof() {
    let [(_, length), (_, chunked), (_, end), (_, dies_length), (_, dies_chunked), (_, dies_end), (_, server)] =
        example::reports();
    for clean in [length, chunked, dies_length, dies_chunked] {
        assert_eq!(fooled(&clean), BTreeSet::new());
    }
    // On a cable that is cut for ever, no end arrives, so none is wrong.
    let all_but =
        |cut: &[TrialNetwork]| TrialNetwork::ALL.into_iter().filter(|network| !cut.contains(network)).collect();
    assert_eq!(fooled(&end), all_but(&[TrialNetwork::CUT]), "{end}");
    // Without a fault, nothing is cut.
    let uncut = all_but(&[TrialNetwork::CUT, TrialNetwork::CUT_HEALED]);
    assert_eq!(fooled(&dies_end), uncut, "{dies_end}");
    assert_eq!(dies_end.failures[0].scenario.to_string(), "undisturbed/coalesced");
    assert_eq!(end.failures[0].scenario.to_string(), "server:drop@2/clear");
    let [failure] = &server.failures[..] else { panic!("{server}") };
    assert_eq!(failure.finding.what, "the server reports success, and the client has not read all");
    assert_eq!(failure.scenario.to_string(), "client:drop-unread@4/clear");
}

#[test]
fn it_is_deterministic() {
    let report = trial(Framing::Chunked, Handler::Sound)
        .networks(&[TrialNetwork::CLEAR, TrialNetwork::RELAY_CUTS_OFF])
        .strict()
        .run();
    assert!(report.is_clean(), "{report}");
}

//! tokio-tungstenite on every network: what its closing handshake proves, and what not.

#[path = "../../examples/websocket.rs"]
mod example;

#[path = "../shared/careless.rs"]
mod careless;

use self::example::{Manner, Word, networks, trial};
use sim_tests::trial::{FindingKind, TrialNetwork};
use std::collections::BTreeSet;

/// A client that closes after the last answer acknowledges it by its CLOSE, and the results of both sides are right. If
/// a client closes right after its last message, its own result is right; but the server takes the conversation for
/// complete as soon as its answers are written.
#[test]
fn closing_at_once_proves_nothing_to_the_server() {
    let [(_, answered), (_, clients), (_, both)] = example::reports();
    assert!(answered.is_clean(), "{answered}");
    assert!(answered.distinct > 300, "{answered}");
    assert!(clients.is_clean(), "{clients}");
    let [failure] = &both.failures[..] else { panic!("{both}") };
    assert_eq!(failure.finding.what, "the server says complete, and the client has not read all of its answers");
    assert_eq!(failure.networks(), networks().into_iter().collect::<BTreeSet<_>>());
    assert_eq!(failure.scenario.to_string(), "client:vanish@6/clear");
}

/// Masks and keys are random, but only their sizes have an effect.
#[test]
fn it_is_deterministic() {
    let report = trial(Manner::Answered, Word::Both)
        .networks(&[TrialNetwork::CLEAR, TrialNetwork::RELAY_CUTS_OFF])
        .strict()
        .run();
    assert!(report.is_clean(), "{report}");
}

/// tungstenite rejects a handshake that arrives in many small reads.
#[test]
fn one_byte_at_a_time_is_an_attack() {
    let run = example::byte_by_byte();
    assert!(run.server.to_string().contains("Attack attempt detected"), "{}", run.ladder());
}

/// The client sends all its messages before it reads the first answer.
#[test]
fn both_sides_write_before_they_read() {
    let trial = trial(Manner::Answered, Word::Both);
    let small = trial.replay("undisturbed/buffer-4").expect("a scenario");
    assert!(small.client.to_string().contains("out of patience"), "{}", small.ladder());
    let large = trial.replay("undisturbed/buffer-100").expect("a scenario");
    assert!(large.client.to_string().contains("complete: Ok"), "{}", large.ladder());
}

#[test]
fn a_careless_client_is_caught_through_each_relay() {
    let report = careless::trial(&TrialNetwork::RELAYS).run();
    let caught: BTreeSet<_> = report.of(FindingKind::Check).flat_map(|failure| failure.networks()).collect();
    assert_eq!(caught, TrialNetwork::RELAYS.into(), "{report}");
}

//! Bugs planted in a client or a server: each must be caught, also through each relay.

use super::{ANSWER, Answer, PATIENCE, answer, whole_or_nothing};
use sim_tests::trial::{FindingKind, Trial, TrialNetwork, TrialStream};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Takes the end of the connection for the end of the answer, and ignores its length.
async fn ask_for_all(mut stream: TrialStream) -> Answer {
    timeout(PATIENCE, async {
        stream.write_all(b"?").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer.split_off(1.min(answer.len())))
    })
    .await?
}

/// Answers, and closes.
async fn answer_and_close(mut stream: TrialStream) -> io::Result<()> {
    timeout(PATIENCE, async {
        stream.read_u8().await?;
        stream.write_all(&[ANSWER.len() as u8]).await?;
        stream.write_all(&ANSWER[..7]).await?;
        stream.write_all(&ANSWER[7..]).await
    })
    .await?
}

/// A handler that dies in the middle of its answer; what it has written is sent.
async fn answer_half(mut stream: TrialStream) -> io::Result<()> {
    stream.read_u8().await?;
    stream.write_all(&[ANSWER.len() as u8]).await?;
    stream.write_all(&ANSWER[..7]).await
}

/// Half-closes after its question. That is correct, but some relays take it for a close.
async fn ask_and_half_close(mut stream: TrialStream) -> Answer {
    timeout(PATIENCE, async {
        stream.write_all(b"?").await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer.split_off(1.min(answer.len())))
    })
    .await?
}

/// The networks on which a client takes a part for the whole.
fn caught<CF, SF>(
    client: impl Fn(TrialStream) -> CF + 'static,
    server: impl Fn(TrialStream) -> SF + 'static,
    undisturbed: bool,
) -> Vec<TrialNetwork>
where
    CF: Future<Output = Answer> + 'static,
    SF: Future<Output = io::Result<()>> + 'static,
{
    let report = Trial::new(client, server, whole_or_nothing).run();
    let all = report.of(FindingKind::Check).flat_map(|failure| &failure.all);
    let mut networks: Vec<_> =
        all.filter(|scenario| scenario.injection.is_none() || !undisturbed).map(|scenario| scenario.network).collect();
    networks.sort();
    networks.dedup();
    networks
}

#[test]
fn a_client_that_takes_the_end_for_the_whole_is_caught_through_each_relay() {
    let networks = caught(ask_for_all, answer_and_close, false);
    for relay in TrialNetwork::RELAYS {
        assert!(networks.contains(&relay), "{networks:?}");
    }
    // On a cable that is cut for ever, no end arrives, so none is wrong.
    assert!(!networks.contains(&TrialNetwork::CUT), "{networks:?}");
}

#[test]
fn a_server_that_dies_in_the_middle_is_caught_through_each_relay_without_any_fault() {
    let networks = caught(ask_for_all, answer_half, true);
    for relay in TrialNetwork::RELAYS {
        assert!(networks.contains(&relay), "{networks:?}");
    }
}

#[test]
fn half_closing_loses_the_answer_where_a_relay_closes_both() {
    assert_eq!(caught(ask_and_half_close, answer_and_close, true), [TrialNetwork::RELAY_CLOSES_BOTH]);
}

/// A relay that waits half a second is noticed only if an answer takes longer.
#[test]
fn half_closing_loses_a_slow_answer_where_a_relay_cuts_off() {
    async fn answer_late(mut stream: TrialStream) -> io::Result<()> {
        stream.read_u8().await?;
        sleep(Duration::from_millis(700)).await;
        stream.write_all(&[ANSWER.len() as u8]).await?;
        stream.write_all(ANSWER).await
    }
    let expected = [TrialNetwork::RELAY_CLOSES_BOTH, TrialNetwork::RELAY_CUTS_OFF];
    assert_eq!(caught(ask_and_half_close, answer_late, true), expected);
}

/// With the same server, the client that counts has no failure: so the trials above caught the client.
#[test]
fn a_client_that_counts_is_never_fooled() {
    assert_eq!(caught(super::ask, answer_half, false), []);
    assert_eq!(caught(super::ask, answer, false), []);
}

//! Bugs of clients with several connections: each is caught by the default trial, and the right program beside it is not
//! accused.

use super::caught;
use super::network_programs::{ANSWER, Answered, request, serve};
use sim_tests::trial::{Role, Trial, TrialEvent, TrialNet, TrialRun, TrialStream, note};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);

/// A server whose requests do something: it notes each that it runs.
async fn pay(net: TrialNet) -> io::Result<()> {
    let listener = net.listen(80)?;
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, stream.read_u8()).await??;
            note("paid");
            timeout(PATIENCE, stream.write_all(ANSWER)).await?
        });
    }
}

fn pays_once(run: &TrialRun<Answered, io::Result<()>>) -> Result<(), String> {
    match run.notes(Role::Server).count() {
        0 | 1 => Ok(()),
        paid => Err(format!("paid {paid} times")),
    }
}

#[test]
fn a_retry_of_a_request_that_may_have_run() {
    /// Tries each request three times.
    async fn retries(net: TrialNet) -> Answered {
        let mut last = Err(ErrorKind::NotConnected.into());
        for _ in 0..3 {
            let attempt = async { request(&mut net.connect(80).await?).await };
            last = timeout(PATIENCE, attempt).await.unwrap_or_else(|late| Err(late.into()));
            if last.is_ok() {
                break;
            }
        }
        last
    }
    /// Tries again only what was never sent.
    async fn retries_to_connect(net: TrialNet) -> Answered {
        let mut stream = Err(ErrorKind::NotConnected.into());
        for _ in 0..3 {
            stream = timeout(PATIENCE, net.connect(80)).await.unwrap_or_else(|late| Err(late.into()));
            if stream.is_ok() {
                break;
            }
        }
        timeout(PATIENCE, request(&mut stream?)).await?
    }
    insta::assert_snapshot!(caught(&Trial::of_network(retries, pay, pays_once).run()), @"check: paid 2 times | client:abort@2/clear");
    let report = Trial::of_network(retries_to_connect, pay, pays_once).run();
    assert!(report.is_clean(), "{report}");
}

/// A client with a pool of one connection, which makes three requests. `keeps` decides, by the result of a request, whether
/// its connection goes back to the pool.
async fn with_a_pool(net: TrialNet, keeps: fn(&Answered) -> bool) -> Vec<bool> {
    let mut idle: Option<TrialStream> = None;
    let mut answered = Vec::new();
    for _ in 0..3 {
        let mut stream = match idle.take() {
            Some(stream) => stream,
            None => match timeout(PATIENCE, net.connect(80)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) | Err(_) => {
                    answered.push(false);
                    continue;
                }
            },
        };
        let answer = timeout(PATIENCE, request(&mut stream)).await.unwrap_or_else(|late| Err(late.into()));
        answered.push(answer.is_ok());
        idle = Some(stream).filter(|_| keeps(&answer));
    }
    answered
}

/// One fault may cost one request. The server itself has to be there.
fn costs_one(run: &TrialRun<Vec<bool>, io::Result<()>>) -> Result<(), String> {
    use sim_tests::trial::InjectedFault::{Crash, Vanish};
    let server_is_gone = run.scenario.injection.is_some_and(|one| matches!(one.fault, Crash | Vanish));
    let is_cut = run.log.iter().any(|entry| entry.what == TrialEvent::Cut);
    let failed = run.client.returned().map_or(0, |answered| answered.iter().filter(|is_good| !**is_good).count());
    match failed {
        0 | 1 => Ok(()),
        _ if server_is_gone || is_cut => Ok(()),
        failed => Err(format!("{failed} of 3 requests failed")),
    }
}

#[test]
fn a_pool_that_hands_out_a_dead_connection_twice() {
    let any = |net| with_a_pool(net, |_| true);
    insta::assert_snapshot!(caught(&Trial::of_network(any, serve, costs_one).run()), @"check: 3 of 3 requests failed | client:accept-and-close@0/clear");
    let good = |net| with_a_pool(net, |answer| answer.is_ok());
    let report = Trial::of_network(good, serve, costs_one).run();
    assert!(report.is_clean(), "{report}");
}

/// A client that tries twice, and gives up for good after a second failure: two faults in one run show it, and one never
/// does.
#[test]
fn what_only_two_faults_show() {
    async fn tries_twice(net: TrialNet) -> bool {
        for _ in 0..2 {
            let attempt = async { request(&mut net.connect(80).await?).await };
            if timeout(PATIENCE, attempt).await.is_ok_and(|answer| answer.is_ok()) {
                return true;
            }
        }
        false
    }
    let gives_up = |run: &TrialRun<bool, io::Result<()>>| match run.client.returned() {
        Some(false) => Err("the client has given up".to_owned()),
        Some(true) | None => Ok(()),
    };
    use sim_tests::trial::InjectedFault::{Abort, Drop, Refuse};
    let clear = [sim_tests::trial::TrialNetwork::CLEAR];
    let trial = Trial::of_network(tries_twice, serve, gives_up).networks(&clear).faults(&[Drop, Abort, Refuse]);
    assert!(trial.run().is_clean(), "one fault is survived");
    let report = trial.combinations(1, 200);
    insta::assert_snapshot!(caught(&report), @"check: the client has given up | client:refuse@0+client:abort@3/clear");
    assert_eq!(report, trial.combinations(1, 200), "the same seed, the same runs");
    let run = trial.replay(&report.failures[0].scenario.to_string()).expect("its own id");
    assert!(matches!(run.client.returned(), Some(false)), "{}", run.ladder());
}

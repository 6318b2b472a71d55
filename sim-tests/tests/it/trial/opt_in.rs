//! Faults that a trial has only if it names them.

use super::caught;
use super::question::PATIENCE;
use sim_tests::trial::{InjectedFault, Role, Trial, TrialNetwork, TrialRun, TrialStream, cancellable};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

type Sent = io::Result<()>;
type Received = io::Result<u32>;

async fn send(mut stream: TrialStream) -> Sent {
    timeout(PATIENCE, async {
        stream.write_u32(7).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await?
}

async fn receive(mut stream: TrialStream) -> Received {
    timeout(PATIENCE, stream.read_u32()).await?
}

/// A sender that reports a success has flushed, and shut down.
fn sent(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    use sim_tests::trial::TrialEvent::{FlushFailed, ShutdownFailed};
    let failed = run.of(Role::Client).any(|what| matches!(what, FlushFailed | ShutdownFailed));
    match run.client.returned() {
        Some(Ok(())) if failed => Err("a call that failed passes for sent".to_owned()),
        _ => Ok(()),
    }
}

#[test]
fn a_flush_or_a_shutdown_that_fails() {
    async fn ignores(mut stream: TrialStream) -> Sent {
        timeout(PATIENCE, async {
            stream.write_u32(7).await?;
            let _ = stream.flush().await;
            let _ = stream.shutdown().await;
            Ok(())
        })
        .await?
    }
    for (fault, expected) in [
        (InjectedFault::FailFlush, "check: a call that failed passes for sent | client:fail-flush@0/clear"),
        (InjectedFault::FailShutdown, "check: a call that failed passes for sent | client:fail-shutdown@0/clear"),
    ] {
        assert_eq!(caught(&Trial::new(ignores, receive, sent).faults(&[fault]).run()), expected);
        let report = Trial::new(send, receive, sent).faults(&[fault]).run();
        assert!(report.is_clean(), "{report}");
    }
}

/// A receiver that is told nothing else has the number.
fn seven(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    let fault = run.scenario.injection.map(|injection| injection.fault);
    match (fault, run.server.returned()) {
        (_, Some(Ok(number))) if *number != 7 => Err(format!("{number} for seven")),
        (Some(InjectedFault::Cancel) | None, Some(Err(error))) => {
            Err(format!("nothing was lost, and it failed: {error}"))
        }
        _ => Ok(()),
    }
}

#[test]
fn a_future_that_is_cancelled() {
    async fn loses(mut stream: TrialStream) -> Received {
        timeout(PATIENCE, async {
            loop {
                if let Some(number) = cancellable(stream.read_u32()).await {
                    return number;
                }
            }
        })
        .await?
    }
    async fn keeps(mut stream: TrialStream) -> Received {
        timeout(PATIENCE, async {
            let (mut bytes, mut filled) = ([0; 4], 0);
            while filled < 4 {
                // `read` is safe to cancel.
                match cancellable(stream.read(&mut bytes[filled..])).await {
                    Some(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Some(Ok(count)) => filled += count,
                    Some(Err(error)) => return Err(error),
                    None => (),
                }
            }
            Ok(u32::from_be_bytes(bytes))
        })
        .await?
    }
    let networks = [TrialNetwork::CLEAR, TrialNetwork::TRICKLE];
    let trial = |report: Trial<Sent, Received>| report.faults(&[InjectedFault::Cancel]).networks(&networks).run();
    let report = trial(Trial::new(send, loses, seven));
    assert_eq!(
        caught(&report),
        "check: nothing was lost, and it failed: unexpected end of file | server:cancel@1/trickle",
        "on the clear network the number arrives at once"
    );
    let report = trial(Trial::new(send, keeps, seven));
    assert!(report.is_clean(), "{report}");
}

/// The clock of one side only.
#[test]
fn a_clock_that_jumps() {
    async fn waits(mut stream: TrialStream) -> (bool, Duration) {
        let begun = Instant::now();
        let is_late = timeout(Duration::from_secs(60), stream.read_u8()).await.is_err();
        (is_late, begun.elapsed())
    }
    async fn speaks(mut stream: TrialStream) -> Duration {
        let begun = Instant::now();
        let _ = stream.write_u8(1).await;
        begun.elapsed()
    }
    let trial = Trial::new(speaks, waits, |_| Ok(()));
    let run = trial.replay("server:clock-jump@0/slow").expect("a scenario");
    let (is_late, waited) = run.server.returned().expect("it returns");
    assert!(*is_late && *waited >= Duration::from_secs(3600), "{}", run.ladder());
    assert!(*run.client.returned().expect("it returns") < Duration::from_secs(1));
    let run = trial.replay("undisturbed/slow").expect("a scenario");
    assert!(!run.server.returned().expect("it returns").0);
}

//! Bugs that everybody writes once: each is caught by the default trial, and the right program beside it is not accused.

use super::caught;
use sim_tests::trial::{Role, Trial, TrialEvent, TrialReport, TrialRun, TrialStream};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::time::{sleep, timeout};

const MESSAGE: &[u8] = b"all of it";

type Sent = io::Result<()>;
type Received = io::Result<Vec<u8>>;

/// What a sender must not claim, and what a receiver must not take for the message.
fn honest(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    let write_failed = run.of(Role::Client).any(|what| matches!(what, TrialEvent::WriteFailed(_)));
    match (run.client.returned(), run.server.returned()) {
        (Some(Ok(())), _) if write_failed => Err("a write that failed passes for sent".to_owned()),
        (Some(Ok(())), Some(Ok(got))) if got != MESSAGE && run.scenario.injection.is_none() => {
            Err(format!("sent, and received as {:?}", String::from_utf8_lossy(got)))
        }
        (Some(Ok(())), Some(Err(error))) if run.scenario.injection.is_none() => {
            Err(format!("sent without a fault, and not received: {error}"))
        }
        _ => Ok(()),
    }
}

fn trial<CF, SF>(
    client: impl Fn(TrialStream) -> CF + 'static,
    server: impl Fn(TrialStream) -> SF + 'static,
) -> TrialReport
where
    CF: Future<Output = Sent> + 'static,
    SF: Future<Output = Received> + 'static,
{
    Trial::new(client, server, honest).run()
}

const PATIENCE: Duration = Duration::from_secs(5);

async fn send(mut stream: TrialStream) -> Sent {
    timeout(PATIENCE, async {
        stream.write_all(MESSAGE).await?;
        stream.shutdown().await?;
        // The end says that it was read.
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await?
}

async fn receive(mut stream: TrialStream) -> Received {
    let mut got = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut got)).await??;
    Ok(got)
}

#[test]
fn the_right_programs_are_not_accused() {
    let report = trial(send, receive);
    assert!(report.of(sim_tests::trial::FindingKind::Panic).next().is_none(), "{report}");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn write_for_write_all() {
    async fn write(mut stream: TrialStream) -> Sent {
        let _ = stream.write(MESSAGE).await?;
        stream.shutdown().await
    }
    insta::assert_snapshot!(caught(&trial(write, receive)), @r#"check: sent, and received as "a" | undisturbed/one-byte-writes"#);
}

#[test]
fn bytes_lost_by_a_read_exact_that_is_cancelled() {
    async fn with_a_heartbeat(mut stream: TrialStream) -> Received {
        let mut got = [0; MESSAGE.len()];
        for _ in 0..100 {
            tokio::select! { biased;
                read = stream.read_exact(&mut got) => return read.map(|_| got.to_vec()),
                () = sleep(Duration::from_millis(20)) => (), // it would say that it is alive
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
    insta::assert_snapshot!(caught(&trial(send, with_a_heartbeat)), @"check: sent without a fault, and not received: early eof | undisturbed/buffer-4");
}

#[test]
fn a_panic_in_a_spawned_task() {
    async fn in_a_task(stream: TrialStream) -> Received {
        let task = tokio::spawn(async { receive(stream).await.expect("a message") });
        Ok(task.await.unwrap_or_default())
    }
    insta::assert_snapshot!(caught(&trial(send, in_a_task)), @r#"panic: a task of the server panicked: a message: Os { code: 104, kind: ConnectionReset, message: "Connection reset by peer" } (sim-tests/tests/it/trial/bugs.rs:93) | client:abort@0/clear"#);
}

#[test]
fn a_task_that_is_left_running() {
    async fn with_a_watchdog(stream: TrialStream) -> Received {
        tokio::spawn(async {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        });
        receive(stream).await
    }
    insta::assert_snapshot!(caught(&trial(send, with_a_watchdog)), @"task: the server has returned, and a task of it does not end (Trial::exit_on_return) | client:vanish@0/clear");
    let report = Trial::new(send, with_a_watchdog, honest).exit_on_return().run();
    assert!(report.is_clean(), "it ends with the process: {report}");
}

#[test]
fn a_task_that_is_left_running_on_its_own_thread() {
    async fn with_a_watchdog(stream: TrialStream) -> Received {
        tokio::task::spawn_local(std::future::pending::<()>());
        receive(stream).await
    }
    insta::assert_snapshot!(caught(&trial(send, with_a_watchdog)), @"task: the server has returned, and a task of it does not end (Trial::exit_on_return) | client:vanish@0/clear");
}

#[test]
fn an_error_of_flush_that_is_ignored() {
    async fn buffered(stream: TrialStream) -> Sent {
        let mut stream = BufWriter::new(stream);
        stream.write_all(MESSAGE).await?;
        let _ = stream.flush().await;
        Ok(())
    }
    insta::assert_snapshot!(caught(&trial(buffered, receive)), @"check: a write that failed passes for sent | server:drop-unread@0/buffer-4");
}

#[test]
fn a_shutdown_before_the_last_write() {
    async fn too_early(mut stream: TrialStream) -> Sent {
        stream.write_all(&MESSAGE[..4]).await?;
        stream.shutdown().await?;
        let _ = stream.write_all(&MESSAGE[4..]).await;
        Ok(())
    }
    insta::assert_snapshot!(caught(&trial(too_early, receive)), @"check: a write that failed passes for sent | server:vanish@0/clear");
}

#[test]
fn what_a_buffer_has_read_is_lost_at_an_upgrade() {
    async fn upgrade(mut stream: TrialStream) -> Sent {
        stream.write_all(b"upgrade\n").await?;
        send(stream).await
    }
    async fn upgraded(stream: TrialStream) -> Received {
        let mut reader = BufReader::new(stream);
        timeout(PATIENCE, reader.read_line(&mut String::new())).await??;
        receive(reader.into_inner()).await
    }
    insta::assert_snapshot!(caught(&trial(upgrade, upgraded)), @r#"check: sent, and received as "" | undisturbed/clear"#);
}

#[test]
fn the_end_taken_for_success() {
    async fn to_the_end(mut stream: TrialStream) -> Sent {
        timeout(PATIENCE, async {
            stream.write_all(MESSAGE).await?;
            stream.read_to_end(&mut Vec::new()).await.map(drop)
        })
        .await?
    }
    async fn first_bytes(mut stream: TrialStream) -> Received {
        let mut got = vec![0; MESSAGE.len()];
        timeout(PATIENCE, stream.read_exact(&mut got)).await??;
        sim_tests::trial::note("has it");
        Ok(got)
    }
    let unseen = |run: &TrialRun<Sent, Received>| match run.client.returned() {
        Some(Ok(())) if run.notes(Role::Server).next().is_none() => Err("nobody has it, and it is sent".to_owned()),
        _ => Ok(()),
    };
    insta::assert_snapshot!(caught(&Trial::new(to_the_end, first_bytes, unseen).run()), @"check: nobody has it, and it is sent | server:drop@0/clear");
}

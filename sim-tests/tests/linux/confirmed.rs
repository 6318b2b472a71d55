//! Confirming findings on the Linux kernel: what holds there, what does not, and what cannot be done there.

#[path = "../shared/question.rs"]
mod question;

use self::question::{Answer, answer, ask, whole_or_nothing};
use crate::worker::possible;
use sim_tests::trial::{InjectedFault, OnLinux, Trial, TrialNetwork, TrialRun, TrialStream};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Takes whatever comes until the end for the answer.
async fn ask_carelessly(mut stream: TrialStream) -> Answer {
    stream.write_all(b"?").await?;
    stream.read_u8().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// What the report says about Linux; there has to be one finding.
fn on_linux(trial: Trial<Answer, io::Result<()>>) -> OnLinux {
    let mut report = trial.confirm_on_linux().run();
    let failure = report.failures.pop().unwrap_or_else(|| panic!("no finding: {report}"));
    assert!(report.failures.is_empty(), "{report}");
    failure.on_linux.expect("Linux was asked")
}

fn with(
    check: impl Fn(&TrialRun<Answer, io::Result<()>>) -> Result<(), String> + 'static,
) -> Trial<Answer, io::Result<()>> {
    Trial::new(ask, answer, check).faults(&[InjectedFault::Abort]).networks(&[TrialNetwork::CLEAR])
}

/// A truncated answer passes for whole on the kernel, too: by a crash, and through each relay also by a RST.
#[test]
fn a_real_mistake_is_confirmed() {
    if !possible() {
        return;
    }
    for (fault, network) in [
        (InjectedFault::Crash, TrialNetwork::CLEAR),
        (InjectedFault::Drop, TrialNetwork::ONE_BYTE_READS),
        (InjectedFault::Crash, TrialNetwork::SLOW),
        (InjectedFault::Crash, TrialNetwork::COALESCED),
        (InjectedFault::Abort, TrialNetwork::RELAY_RST_TO_FIN),
        (InjectedFault::Abort, TrialNetwork::RELAY_CLOSES_BOTH),
        (InjectedFault::Abort, TrialNetwork::RELAY_CUTS_OFF),
    ] {
        let careless = Trial::new(ask_carelessly, answer, whole_or_nothing).may_hang();
        let result = on_linux(careless.faults(&[fault]).networks(&[network]));
        assert!(matches!(result, OnLinux::Confirmed { .. }), "{fault:?} on {network:?}: {result:?}");
    }
}

/// A finding that the kernel does not have: here, one that the simulated network alone shows.
#[test]
fn what_only_the_simulation_shows_is_not_confirmed() {
    if !possible() {
        return;
    }
    let simulated = |_: &TrialRun<_, _>| match std::env::var_os("ECHO_TRIAL_ON_LINUX") {
        None => Err("only here".to_owned()),
        Some(_) => Ok(()),
    };
    let result = on_linux(with(simulated));
    assert!(matches!(&result, OnLinux::NotConfirmed { ladder, .. } if ladder.contains("abort")), "{result:?}");
}

#[test]
fn a_reset_that_overtakes_cannot_be_done() {
    let always = |_: &TrialRun<_, _>| Err("always".to_owned());
    let result = on_linux(with(always).networks(&[TrialNetwork::RST_OVERTAKES]));
    let why = "not expressible: a RST that overtakes data; Linux takes none (RFC 5961)";
    assert_eq!(result.to_string(), why);
}

//! The findings of the trial of hyper, on the kernel.

#[allow(dead_code, reason = "it has trials that find nothing, too")]
#[path = "../../examples/http1.rs"]
mod example;

use self::example::{Framing, Handler, trial};
use crate::worker::{all_confirmed, possible};
use sim_tests::trial::{InjectedFault, TrialNetwork};

const TRUNCATED: &str = "a truncated response passes for complete";

/// Each finding of ARCHITECTURE.md's table, on the kernel.
#[test]
fn the_findings_are_confirmed_on_linux() {
    if !possible() {
        return;
    }
    // A server that crashes or drops sends FIN.
    let drops = trial(Framing::End, Handler::Sound).faults(&[InjectedFault::Drop, InjectedFault::Crash]);
    all_confirmed(&drops.networks(&[TrialNetwork::CLEAR]).confirm_on_linux().run(), TRUNCATED);
    // A relay turns RST into FIN.
    let aborts = trial(Framing::End, Handler::Sound).faults(&[InjectedFault::Abort]);
    for relay in TrialNetwork::RELAYS {
        all_confirmed(&aborts.clone().networks(&[relay]).confirm_on_linux().run(), TRUNCATED);
    }
    // The handler fails, without any fault.
    let dies = trial(Framing::End, Handler::Dies).faults(&[]).networks(&[TrialNetwork::CLEAR]);
    all_confirmed(&dies.confirm_on_linux().run(), TRUNCATED);
    let server = example::servers_trial(Framing::Length).faults(&[InjectedFault::DropUnread]);
    let report = server.networks(&[TrialNetwork::CLEAR]).confirm_on_linux().run();
    all_confirmed(&report, "the server reports success, and the client has not read all");
}

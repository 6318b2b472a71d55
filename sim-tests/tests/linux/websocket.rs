//! The findings of the trial of tokio-tungstenite, on the kernel.

#[allow(dead_code, reason = "it has trials that find nothing, too")]
#[path = "../../examples/websocket.rs"]
mod example;

#[path = "../shared/careless.rs"]
mod careless;

use self::example::{Manner, Word, trial};
use crate::worker::{all_confirmed, possible};
use sim_tests::trial::{InjectedFault, TrialNetwork};

/// Each finding of ARCHITECTURE.md's table, on the kernel.
#[test]
fn the_findings_are_confirmed_on_linux() {
    if !possible() {
        return;
    }
    let at_once = trial(Manner::AtOnce, Word::Both).faults(&[InjectedFault::Vanish]).networks(&[TrialNetwork::CLEAR]);
    let said = "the server says complete, and the client has not read all of its answers";
    all_confirmed(&at_once.confirm_on_linux().run(), said);
    for relay in TrialNetwork::RELAYS {
        all_confirmed(&careless::trial(&[relay]).confirm_on_linux().run(), "a part passes for the whole");
    }
}

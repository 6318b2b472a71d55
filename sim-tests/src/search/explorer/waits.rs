//! The deadlines that must run, by the table in section 8 of PROTOCOL.md.

use super::end::End;
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use echo_core::Deadline;
use echo_core::Role::{Client, Server};
use echo_core::close::CloseHandshake;
use echo_core::close::HalfState::{Closed, Failed, Finished, Leaving, Open};

/// Checks that every wait has its deadline (clause 5.9), and that a deadline runs until the side has ended.
pub(super) fn check(end: &End) -> Result<(), ExplorerBreach> {
    let runs = |deadline: Deadline| end.connection.running_deadlines().any(|other| other == deadline);
    // A side whose write failed reads what is there, and waits for nothing.
    let waiting = !end.connection.is_write_closed();
    for (waits, deadline) in waits(end) {
        ensure(!waits || !waiting || runs(deadline), ExplorerRule::Deadlines, || {
            let machine = end.connection.machine();
            let (sent, heard) = (machine.sent(), machine.received());
            format!("the {} waits in {sent:?} / {heard:?}, but deadline {deadline} does not run", end.role.name())
        })?;
    }
    // The user of a service limits its own time.
    let alive = end.owes() || end.connection.running_deadlines().next().is_some();
    ensure(alive, ExplorerRule::Deadlines, || format!("the {} has not ended, but no deadline runs", end.role.name()))
}

/// Returns for each deadline whether the side waits for what it limits.
fn waits(end: &End) -> [(bool, Deadline); 10] {
    let machine = end.connection.machine();
    let (role, sent, heard) = (end.role, machine.sent(), machine.received());
    let acknowledged = machine.policy().handshake == CloseHandshake::Acknowledged;
    let ending = machine.is_ending();
    let greeted = end.got.preface;
    let due = machine.account().answered.count() < machine.account().asked;
    let drain = match role {
        Server => matches!((sent, heard), (Leaving, _) | (Open, Leaving | Finished)),
        Client => sent == Leaving,
    };
    let fin = matches!((sent, heard), (Closed, Closed | Failed) | (Failed, Open | Leaving | Closed | Failed));
    let fin_left = end.outgoing.is_empty() && !end.fin_due;
    [
        (acknowledged && role == Client && !greeted, Deadline::Connect),
        (acknowledged && role == Server && !greeted && !ending, Deadline::Detect),
        (acknowledged && role == Client && greeted && due && !ending, Deadline::Answer),
        ((greeted || !acknowledged) && !ending && !end.owes(), Deadline::Idle),
        (!end.outgoing.is_empty(), Deadline::Write),
        (acknowledged && drain, Deadline::Drain),
        (acknowledged && role == Server && sent == Closed && matches!(heard, Open | Leaving), Deadline::Close),
        (fin, Deadline::Fin),
        (sent == Finished && heard != Finished && fin_left && ending, Deadline::Linger),
        (ending, Deadline::Shutdown),
    ]
}

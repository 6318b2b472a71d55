//! Rules for connections that hold whatever happens (PROTOCOL.md, sections 5, 7 and 8). Each check panics if its rule
//! is broken.

use crate::in_memory::{CLOSE, ECHO, Pair, REPLY, Solo, frames};
use echo_core::close::HalfState;
use echo_core::{CloseCode, Config, Connection, Deadline, End, Fate, HIGH_WATER, Outcome, Role};

/// The size of a frame's header and of the timestamps of a REPLY.
const OVERHEAD: usize = 12 + 24;

/// Checks clauses 5.9, 8.2 and 8.4 at any moment: every wait has its deadline, and the ending has its cap.
pub(super) fn deadlines(solo: &Solo) {
    let connection = &solo.connection;
    if solo.outcome.is_some() || connection.outcome().is_some() || solo.aborted {
        return;
    }
    let machine = connection.machine();
    let runs = |deadline| connection.running_deadlines().any(|other| other == deadline);
    let (sent, received) = (machine.sent(), machine.received());
    if !connection.is_write_closed() {
        assert!(connection.next_time().is_some(), "{sent:?} / {received:?}: nothing is waited for");
        assert!(!machine.is_ending() || runs(Deadline::Shutdown), "{sent:?} / {received:?}: an ending without a cap");
        let waits = connection.waiting_output() > 0 && solo.stalled;
        let held = runs(Deadline::Connect);
        assert!(!waits || held || runs(Deadline::Write), "{sent:?} / {received:?}: output waits without a deadline");
    }
    for deadline in [Deadline::Idle, Deadline::Answer] {
        assert!(!(machine.is_ending() && runs(deadline)), "{sent:?} / {received:?}: {deadline} runs in the ending");
    }
}

/// Checks clause 4.9 and back-pressure: a connection owns at most one incomplete message, one answer and the output
/// that may wait.
pub(super) fn memory(connection: &Connection, config: &Config) {
    let message = OVERHEAD + config.limit.max(123);
    let server = connection.machine().role() == Role::Server;
    let waiting = connection.waiting_output();
    assert!(!server || waiting < HIGH_WATER + message + 200, "{waiting} bytes wait to be sent");
    // A growing buffer doubles its size. A queue entry takes up to 48 bytes for each frame of at least 12.
    let most = 2 * message + 8 * (waiting + message) + 4096;
    let owned = connection.owned_memory();
    assert!(owned <= most, "{owned} bytes are owned, with {waiting} waiting and messages of {message} bytes");
}

/// Checks clauses 5.8 and 5.10: there is at most one CLOSE, nothing follows it, and no request starts after CLOSE was
/// due.
pub(super) fn close_is_last(solo: &Solo) {
    let frames = solo.frames();
    let closes = frames.iter().filter(|frame| frame.0 == CLOSE).count();
    assert!(closes <= 1, "{closes} CLOSE frames");
    let mut at = 8;
    for (index, (kind, seq, body)) in frames.iter().enumerate() {
        if *kind == ECHO && solo.connection.machine().role() == Role::Client {
            let due = solo.closed_at.unwrap_or(usize::MAX);
            assert!(at < due, "request {seq} was not begun when CLOSE was due, and was sent all the same");
        }
        at += 12 + body.len();
        if *kind == CLOSE {
            assert_eq!((index + 1, at), (frames.len(), solo.sent.len()), "something follows CLOSE");
        }
    }
}

/// Checks clauses 5.3 and 7.3 with any peer: a clean end has its proof, and an account claims no more than what was
/// received.
pub(super) fn truth_alone(solo: &Solo, outcome: &Outcome) {
    let machine = solo.connection.machine();
    let (sent, came) = (solo.frames(), frames(solo.came.get(8..).unwrap_or_default()));
    let count = |kind| sent.iter().filter(|frame| frame.0 == kind).count() as u64;
    let numbers = solo.numbers();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "out of order: {numbers:?}");
    let close = came.iter().find(|frame| frame.0 == CLOSE);
    if let End::Clean(_) = outcome.end {
        let (_, last, body) = close.expect("clean without the peer's CLOSE");
        let code = CloseCode(u16::from_be_bytes([body[0], body[1]]));
        assert!(code.is_clean(), "clean by CLOSE {code}");
        assert_eq!(*last, numbers.len() as u64, "clean, and the peer's CLOSE has another count");
        if machine.role() == Role::Server {
            assert!(solo.was_closed_first, "clean by an acknowledgement of what had not left");
            assert_eq!(*last, count(REPLY), "clean, and not every answer was acknowledged");
        }
    }
    let account = machine.account();
    for seq in 1..=account.asked {
        let named = close.is_some_and(|(_, last, _)| seq > *last);
        let fits = match (account.fate(seq), machine.role()) {
            (Fate::Answered, Role::Client) => numbers.contains(&seq),
            (Fate::Answered, Role::Server) => close.is_some() && seq <= count(REPLY),
            (Fate::Refused, Role::Client) => !numbers.contains(&seq) && (account.begun < seq || named),
            (Fate::Refused, Role::Server) => !numbers.contains(&seq),
            (Fate::Unknown, _) => true,
        };
        assert!(fits, "{seq} is called {:?} without a reason: {outcome}", account.fate(seq));
    }
}

/// Checks clauses 5.3 and 7.3 between two correct peers: neither claims more than what happened.
pub(super) fn truth(pair: &Pair, client: &Outcome, server: &Outcome) {
    let (ran, held) = (pair.server.numbers(), pair.client.numbers());
    assert!(held.iter().copied().eq(1..=held.len() as u64), "an answer is missing, doubled or out of order: {held:?}");
    assert!(ran.iter().copied().eq(1..=ran.len() as u64), "a request is missing, doubled or out of order: {ran:?}");
    assert!(ran.starts_with(&held), "an answer to what did not run");
    for (outcome, who) in [(client, "client"), (server, "server")] {
        if let End::Clean(_) = outcome.end {
            assert_eq!(held, ran, "the {who} is clean, and an answer is missing");
        }
        assert!(!matches!(outcome.end, End::Violation(_)), "two correct peers: {outcome}");
    }
    for (who, solo) in [("client", &pair.client), ("server", &pair.server)] {
        let account = solo.connection.machine().account();
        for seq in 1..=account.asked {
            match account.fate(seq) {
                Fate::Answered => {
                    assert!(held.contains(&seq), "{who}: {seq} is answered, and the client has no answer")
                }
                Fate::Refused => assert!(!ran.contains(&seq), "{who}: {seq} is refused, and ran"),
                Fate::Unknown => (),
            }
        }
    }
}

/// Checks clauses 5.9 and 8.2: an ending takes no longer than its cap, and a side ends only after FIN was sent or a
/// write failed.
pub(super) fn duration(solo: &Solo, config: &Config) {
    if let (Some(began), Some(ended)) = (solo.ending, solo.ended) {
        let most = config.deadlines.shutdown;
        assert!(ended - began <= most, "the ending took from {began:?} to {ended:?}, and {most:?} is the most");
    }
    let machine = solo.connection.machine();
    assert!(machine.sent() == HalfState::Finished || solo.connection.is_write_closed(), "ended without FIN");
}

//! The account: section 7 of PROTOCOL.md.

use echo_core::account::{Account, Watermark};
use echo_core::close::{Action, CloseHandshake, Machine, MachineEvent, Order, Policy};
use echo_core::{CloseCode, CloseReason, Fate, Role, Tally};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn watermark(numbers: &[u64]) -> Watermark {
    let mut watermark = Watermark::default();
    for number in numbers {
        watermark.insert(*number);
    }
    watermark
}

#[test]
fn watermark_closes_gaps() {
    let mut marks = watermark(&[2, 4, 5]);
    assert_eq!((marks.mark(), marks.count()), (0, 3));
    assert!(marks.insert(1));
    assert_eq!((marks.mark(), marks.count()), (2, 4));
    assert!(!marks.insert(4) && !marks.insert(1) && !marks.insert(0));
    assert!(marks.insert(3));
    assert_eq!((marks.mark(), marks.count()), (5, 5));
    assert_eq!(marks, Watermark::through(5));
}

proptest! {
    /// clause 7.2: a watermark is equal to a plain set, whatever the order of insertion.
    #[test]
    fn watermark_is_a_set(numbers in prop::collection::vec(1_u64..20, 0..30)) {
        let set: BTreeSet<u64> = numbers.iter().copied().collect();
        let marks = watermark(&numbers);
        prop_assert_eq!(marks.count(), set.len() as u64);
        prop_assert_eq!(marks.mark(), (1..).take_while(|number| set.contains(number)).count() as u64);
        prop_assert!((1..25).all(|number| marks.contains(number) == set.contains(&number)));
    }

    /// clause 7.2: each request has exactly one fate, and the tally counts the fates.
    #[test]
    fn the_tally_counts_the_fates(
        asked in 0_u64..12,
        begun in 0_u64..12,
        accepted in prop::option::of(0_u64..14),
        answered in prop::collection::vec(1_u64..12, 0..12),
    ) {
        let begun = begun.min(asked);
        let answered: Vec<u64> = answered.into_iter().filter(|seq| *seq <= begun).collect();
        let account = Account { asked, begun, accepted, answered: watermark(&answered) };
        let count = |fate| (1..=asked).filter(|seq| account.fate(*seq) == fate).count() as u64;
        let tally = Tally { answered: count(Fate::Answered), refused: count(Fate::Refused), unknown: count(Fate::Unknown) };
        prop_assert_eq!(account.tally(), tally);
        prop_assert_eq!(tally.answered + tally.refused + tally.unknown, asked);
    }
}

/// clause 7.2: the order in which the rules apply.
#[test]
fn fates() {
    let account = Account { asked: 6, begun: 5, accepted: Some(3), answered: watermark(&[1, 2]) };
    let fates: Vec<Fate> = (1..=6).map(|seq| account.fate(seq)).collect();
    use Fate::{Answered, Refused, Unknown};
    assert_eq!(fates, [Answered, Answered, Unknown, Refused, Refused, Refused]);
    assert_eq!(account.tally().to_string(), "2 answered, 3 refused, 1 unknown");
    let unheard = Account { accepted: None, ..account };
    assert_eq!((unheard.fate(5), unheard.fate(6)), (Unknown, Refused));
}

fn unordered() -> Policy {
    Policy { order: Order::Any, handshake: CloseHandshake::Acknowledged, first_fin: Role::Client }
}

fn client_with(policy: Policy, asked: u64, answers: &[u64]) -> Machine {
    let mut client = Machine::new(Role::Client, policy);
    for _ in 0..asked {
        assert!(client.handle(MachineEvent::Send).contains(Action::Deliver));
    }
    client.note_begun(asked);
    for seq in answers {
        assert!(client.handle(MachineEvent::Answer(*seq)).contains(Action::Deliver));
    }
    client
}

fn close(last: u64, code: CloseCode) -> MachineEvent {
    MachineEvent::Close { last, close_reason: CloseReason::new(code, ""), first_fin: Role::Client }
}

/// clause 7.3, clause 5.3: with unordered answers, a gap is not "through", and an answer above the count is a
/// violation.
#[test]
fn unordered_answers() {
    let mut whole = client_with(unordered(), 3, &[2, 1]);
    whole.handle(close(2, CloseCode::NORMAL));
    assert_eq!(whole.verdict().map(echo_core::End::name), Some("clean"));
    for (answers, last) in [(&[2][..], 2), (&[1, 3], 1), (&[1, 3], 2), (&[1, 3], 3)] {
        let mut broken = client_with(unordered(), 3, answers);
        broken.handle(close(last, CloseCode::NORMAL));
        assert_eq!(broken.verdict().map(echo_core::End::name), Some("violation"), "CLOSE {last} with {answers:?}");
    }
    let mut double = client_with(unordered(), 2, &[2]);
    assert!(!double.handle(MachineEvent::Answer(2)).contains(Action::Deliver));
}

/// clause 7.3: a server's count that cannot be true changes no account, not even in an error.
#[test]
fn impossible_counts() {
    for (answers, last) in [(&[1, 2][..], 1), (&[], 4), (&[3], 2)] {
        let mut client = client_with(unordered(), 3, answers);
        client.handle(close(last, CloseCode::INTERNAL));
        let held = answers.len() as u64;
        assert_eq!(client.account().tally(), Tally { answered: held, refused: 0, unknown: 3 - held });
    }
    let mut server = Machine::new(Role::Server, Policy::FRAMED);
    server.handle(MachineEvent::Request(1));
    server.handle(close(1, CloseCode::INTERNAL));
    assert_eq!(server.account().tally().answered, 0, "the answer was never queued");
}

/// clause 7.3: a server that answers out of order sends CLOSE after the last gap is filled.
#[test]
fn slow_handlers() {
    let mut server = Machine::new(Role::Server, unordered());
    for seq in 1..=3 {
        server.handle(MachineEvent::Request(seq));
    }
    server.handle(MachineEvent::GoAway { last: 3 });
    assert!(!server.handle(MachineEvent::Answered(3)).contains(Action::Close));
    assert!(!server.handle(MachineEvent::Answered(3)).contains(Action::Deliver), "no answer twice");
    assert!(!server.handle(MachineEvent::Answered(4)).contains(Action::Deliver), "none that was not asked");
    assert!(!server.handle(MachineEvent::Answered(1)).contains(Action::Close));
    let last = server.handle(MachineEvent::Answered(2));
    assert_eq!(last.into_iter().collect::<Vec<_>>(), [Action::Deliver, Action::Close]);
    assert_eq!(server.last(Action::Close), 3);
}

/// clause 5.8, clause 5.2: a server that owes answers at the drain deadline sends no CLOSE.
#[test]
fn a_server_that_owes_aborts() {
    let mut server = Machine::new(Role::Server, Policy::FRAMED);
    server.handle(MachineEvent::Request(1));
    server.handle(MachineEvent::Leave(CloseReason::normal()));
    let actions = server.handle(MachineEvent::Deadline(echo_core::Deadline::Drain));
    assert_eq!(actions.into_iter().collect::<Vec<_>>(), [Action::Abort]);
    assert_eq!(server.outcome().map(|outcome| outcome.account.refused), Some(0), "what ran is not called refused");
}

/// In a protocol in which only the server has a CLOSE, the client can end clean. The server's end is unproven.
#[test]
fn only_the_servers_word() {
    for first_fin in Role::BOTH {
        let policy = Policy { handshake: CloseHandshake::Server, order: Order::Asked, first_fin };
        let mut server = Machine::new(Role::Server, policy);
        let close = server.handle(MachineEvent::GoAway { last: 0 });
        assert!(close.contains(Action::Close));
        assert_eq!(close.contains(Action::Fin), first_fin == Role::Server);
        server.handle(MachineEvent::Fin);
        assert_eq!(server.outcome().map(|outcome| outcome.end), Some(echo_core::End::Unproven));
        let mut wrong = Machine::new(Role::Server, Policy { first_fin: Role::Client, ..policy });
        wrong.handle(MachineEvent::GoAway { last: 0 });
        wrong.handle(self::close(0, CloseCode::NORMAL));
        let text = wrong.verdict().map(ToString::to_string);
        assert_eq!(text.as_deref(), Some("violation (expected FIN, no word of the client's, got CLOSE)"));
    }
}

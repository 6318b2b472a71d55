//! Random schedules and random bytes: what must hold in every run.

use echo_core::{CloseCode, Config, Connection, End, Farewell, Fate, HIGH_WATER, Outcome, Role};
use proptest::prelude::*;
use sim_tests::in_memory::{CLOSE, EPOCH, HELLO, Pair, Solo, WELCOME, frames};
use std::time::Duration;

/// What may happen to a pair.
#[derive(Clone, Debug)]
enum Op {
    Send(usize),
    Leave(Role),
    Fail(Role),
    Abort(Role),
    /// Up to so many bytes reach this side.
    Carry(Role, usize),
    /// Both sides wait until the next deadline of either.
    Step,
    Wait(u64),
    /// A relay cuts the way to this side, and says FIN.
    Cut(Role),
    /// RST reaches this side, whatever was in flight.
    Reset(Role),
    WriteFails(Role),
    Stall(Role, bool),
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0_usize..20).prop_map(Op::Send),
        1 => (4090_usize..4110).prop_map(Op::Send),
        10 => (role(), prop_oneof![1_usize..60, Just(usize::MAX)]).prop_map(|(to, most)| Op::Carry(to, most)),
        2 => role().prop_map(Op::Leave),
        1 => role().prop_map(Op::Fail),
        1 => role().prop_map(Op::Abort),
        2 => Just(Op::Step),
        2 => (0_u64..3_000).prop_map(Op::Wait),
        1 => role().prop_map(Op::Cut),
        1 => role().prop_map(Op::Reset),
        1 => role().prop_map(Op::WriteFails),
        2 => (role(), any::<bool>()).prop_map(|(side, on)| Op::Stall(side, on)),
    ]
}

fn side(pair: &mut Pair, role: Role) -> &mut Solo {
    match role {
        Role::Client => &mut pair.client,
        Role::Server => &mut pair.server,
    }
}

fn apply(pair: &mut Pair, op: &Op) {
    match op {
        Op::Send(len) => pair.client.wish(|client, now| {
            let _ = client.send(now, &vec![b'x'; *len]);
        }),
        Op::Leave(role) => side(pair, *role).wish(|side, now| side.leave(now, Farewell::normal())),
        Op::Fail(role) => side(pair, *role).wish(|side, now| side.fail(now, Farewell::new(CloseCode::INTERNAL, "no"))),
        Op::Abort(role) => side(pair, *role).wish(Connection::abort),
        Op::Carry(Role::Server, most) => drop(pair.carry_to_server(*most)),
        Op::Carry(Role::Client, most) => drop(pair.carry_to_client(*most)),
        Op::Step => pair.step(),
        Op::Wait(millis) => {
            let at = pair.client.now.max(pair.server.now) + Duration::from_millis(*millis);
            pair.advance_to(at);
        }
        Op::Cut(Role::Server) => pair.cut_to_server(),
        Op::Cut(Role::Client) => pair.cut_to_client(),
        Op::Reset(role) => side(pair, *role).reset(),
        Op::WriteFails(role) => side(pair, *role).wish(|side, now| side.handle_write_failed(now)),
        Op::Stall(role, on) => {
            let side = side(pair, *role);
            side.stalled = *on;
            side.settle();
        }
    }
}

/// Nothing follows a last word (clause 5.10).
fn check_last_word(side: &Solo) {
    let frames = side.frames();
    let words = frames.iter().filter(|frame| frame.0 == CLOSE).count();
    assert!(words <= 1, "one last word");
    if let Some(at) = frames.iter().position(|frame| frame.0 == CLOSE) {
        let length: usize = frames.iter().map(|frame| 12 + frame.2.len()).sum();
        assert_eq!((at + 1, 8 + length), (frames.len(), side.sent.len()), "nothing follows a last word");
    }
}

/// clause 5.3, clause 7.3: what is claimed is no rosier than what happened.
fn check_truth(pair: &Pair, client: &Outcome, server: &Outcome) {
    let (ran, held) = (pair.server.numbers(), pair.client.numbers());
    assert!(held.iter().copied().eq(1..=held.len() as u64), "no answer is missing, doubled or out of order");
    assert!(ran.iter().copied().eq(1..=ran.len() as u64));
    assert!(ran.starts_with(&held), "no answer to what did not run");
    if let End::Clean(_) = server.end {
        assert_eq!(held, ran, "a clean server's client holds every answer");
    }
    if let End::Clean(_) = client.end {
        assert_eq!(held, ran, "a clean client's server owes none");
    }
    for (name, machine) in [("client", pair.client.connection.machine()), ("server", pair.server.connection.machine())]
    {
        let account = machine.account();
        for seq in 1..=account.asked {
            match account.fate(seq) {
                Fate::Answered => assert!(held.contains(&seq), "{name}: {seq} is answered"),
                Fate::Refused => assert!(!ran.contains(&seq), "{name}: {seq} is refused, and ran"),
                Fate::Unknown => (),
            }
        }
    }
    for outcome in [client, server] {
        assert!(!matches!(outcome.end, End::Violation(_)), "two correct peers: {outcome}");
    }
}

/// clause 5.9, clause 8.2: the ending of each side takes no longer than shutdown.
fn check_duration(side: &Solo) {
    let (Some(began), Some(ended)) = (side.ending, side.ended) else { panic!("who has ended has begun to") };
    assert!(ended - began <= Config::default().deadlines.shutdown, "from {began:?} to {ended:?}");
}

/// Runs `ops`, then lets everything come to its end.
fn run(pair: &mut Pair, ops: &[Op]) -> (Outcome, Outcome) {
    ops.iter().for_each(|op| apply(pair, op));
    for _ in 0..10_000 {
        pair.exchange(usize::MAX);
        // A transport that failed to write says so to its reader in the end.
        for role in [Role::Client, Role::Server] {
            let side = side(pair, role);
            if side.connection.is_write_closed() && side.outcome.is_none() {
                side.reset();
            }
        }
        if let (Some(client), Some(server)) = (pair.client.outcome.clone(), pair.server.outcome.clone()) {
            check_duration(&pair.client);
            check_duration(&pair.server);
            return (client, server);
        }
        pair.step();
    }
    panic!("no end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// clause 5.2, clause 5.3, clause 5.9, clause 5.10, clause 5.13, clause 7.3, clause 8.2, on any schedule with any
    /// faults of the network: see the checks.
    #[test]
    fn any_schedule(ops in prop::collection::vec(op(), 0..40), server_first in any::<bool>()) {
        let first_fin = if server_first { Role::Server } else { Role::Client };
        let mut pair = Pair::with(Config { first_fin, ..Config::default() });
        let (client, server) = run(&mut pair, &ops);
        check_last_word(&pair.client);
        check_last_word(&pair.server);
        check_truth(&pair, &client, &server);
    }

    /// clause 5.4, clause 5.5, clause 5.13: without faults both ends are clean, nobody aborts, and the right side has
    /// TIME_WAIT, wherever the transport cuts.
    #[test]
    fn any_schedule_without_faults(
        sizes in prop::collection::vec(0_usize..6_000, 0..6),
        cuts in prop::collection::vec((role(), 1_usize..100), 0..60),
        who in prop::collection::vec(role(), 1..3),
        server_first in any::<bool>(),
    ) {
        let first_fin = if server_first { Role::Server } else { Role::Client };
        let mut pair = Pair::with(Config { first_fin, ..Config::default() });
        sizes.iter().for_each(|len| apply(&mut pair, &Op::Send(*len)));
        for (role, most) in &cuts {
            apply(&mut pair, &Op::Carry(*role, *most));
        }
        pair.exchange(1_000);
        for role in &who {
            apply(&mut pair, &Op::Leave(*role));
            apply(&mut pair, &Op::Carry(Role::Server, 9));
        }
        let (other, mut in_order) = (if server_first { Role::Client } else { Role::Server }, false);
        while pair.client.outcome.is_none() || pair.server.outcome.is_none() {
            let (before, was) = (side(&mut pair, other).fin, side(&mut pair, first_fin).fin);
            prop_assert!(was.is_some() || before.is_none(), "the setting names who sends FIN first");
            in_order |= was.is_some() && before.is_none();
            prop_assert!(pair.carry_to_server(1) || pair.carry_to_client(1));
        }
        prop_assert!(in_order);
        let (client, server) = pair.finish(1);
        prop_assert!(matches!(client.end, End::Clean(_)) && matches!(server.end, End::Clean(_)));
        prop_assert_eq!((client.account.answered, server.account.answered), (sizes.len() as u64, sizes.len() as u64));
        prop_assert!(!pair.client.aborted && !pair.server.aborted);
        check_truth(&pair, &client, &server);
    }

    /// clause 4.9: random bytes: no panic, no hoarding, an end in time, nothing behind a last word.
    #[test]
    fn any_bytes_to_a_server(bytes in bytes(), start in prefix(HELLO), size in 1_usize..50, stalled in any::<bool>()) {
        any_bytes(Solo::server(), &[start, bytes].concat(), size, stalled);
    }

    #[test]
    fn any_bytes_to_a_client(bytes in bytes(), start in prefix(WELCOME), size in 1_usize..50, plain in any::<bool>()) {
        let connection = match plain {
            true => Connection::plain_client(Config::default(), EPOCH),
            false => Connection::client(Config::default(), EPOCH),
        };
        let mut client = Solo::new(connection);
        client.wish(|client, now| {
            client.send(now, b"x").expect("open");
        });
        any_bytes(client, &[start, bytes].concat(), size, false);
    }
}

/// Bytes that are frames now and then.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let frame = (0_u8..7, 0_u64..4, prop::collection::vec(any::<u8>(), 0..30))
        .prop_map(|(kind, seq, body)| sim_tests::in_memory::raw(kind, seq, &body));
    let farewell = (3_u8..5, 0_u64..3, 998_u16..1014, any::<u8>())
        .prop_map(|(kind, last, code, flags)| sim_tests::in_memory::raw_farewell(kind, last, code, flags, b"why"));
    let piece = prop_oneof![
        4 => frame,
        4 => farewell,
        4 => (1_u64..4).prop_map(|seq| sim_tests::in_memory::raw_echo(seq, b"ask")),
        2 => (1_u64..3).prop_map(|seq| sim_tests::in_memory::raw_reply(seq, b"answer")),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The preface, most of the time.
fn prefix(preface: [u8; 8]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => Just(preface.to_vec()), 1 => Just(preface[..5].to_vec()), 1 => Just(Vec::new())]
}

fn any_bytes(mut solo: Solo, bytes: &[u8], size: usize, stalled: bool) {
    solo.stalled = stalled;
    for piece in bytes.chunks(size) {
        solo.feed(piece);
        assert!(solo.connection.waiting_output() < HIGH_WATER + 100);
    }
    solo.wish(|connection, now| connection.leave(now, Farewell::normal()));
    let outcome = solo.wait_for_end();
    assert!(solo.now <= Duration::from_secs(300 + 10));
    if solo.connection.is_plain() == Some(false) {
        check_last_word(&solo);
    }
    let held = solo.numbers().len() as u64;
    assert!(outcome.account.answered <= held.max(frames(solo.sent.get(8..).unwrap_or_default()).len() as u64));
}

//! Stamps: section 3 of PROTOCOL.md.

use echo_core::{Config, Connection, Event, Stamp, Stamps};
use proptest::prelude::*;
use sim_tests::in_memory::{EPOCH, Pair, Solo, WELCOME, raw};
use std::time::Duration;

fn stamps(t1: i64, t2: i64, t3: i64, t4: i64) -> Stamps {
    Stamps { t1: Stamp(t1), t2: Stamp(t2), t3: Stamp(t3), t4: Stamp(t4) }
}

/// clause 3.3: the server's clock is 100 ahead; the request takes 10, the work 5, the answer 20.
#[test]
fn delay_and_offset() {
    let example = stamps(1000, 1110, 1115, 1035);
    assert_eq!(example.delay(), 30);
    assert_eq!(example.offset(), 95, "100, less half of what the way back was longer");
    assert_eq!(stamps(0, 0, 0, 0).delay(), 0);
}

/// clause 3.3: arithmetic saturates, whatever a peer sends.
#[test]
fn extremes_saturate() {
    let (min, max) = (i64::MIN, i64::MAX);
    assert_eq!(stamps(min, 0, 0, max).delay(), max);
    assert_eq!(stamps(max, 0, 0, min).delay(), min);
    assert_eq!(stamps(max, min, max, min).delay(), min);
    assert_eq!(stamps(min, max, max, min).offset(), max);
    assert_eq!(stamps(max, min, min, max).offset(), min);
    assert_eq!(Stamp(max).after(Duration::MAX), Stamp(max));
    assert_eq!(Stamp(min).after(Duration::MAX), Stamp(-1));
    assert_eq!(Stamp(-1).seconds(), -1);
}

proptest! {
    /// clause 3.3: the results are the exact values, clamped.
    #[test]
    fn exact_where_it_fits(t1: i64, t2: i64, t3: i64, t4: i64) {
        let [a, b, c, d] = [t1, t2, t3, t4].map(i128::from);
        let clamp = |value: i128| i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
        prop_assert_eq!(stamps(t1, t2, t3, t4).delay(), clamp((d - a) - (c - b)));
        prop_assert_eq!(stamps(t1, t2, t3, t4).offset(), clamp(((b - a) + (c - d)) / 2));
    }
}

/// clause 3.1, clause 3.2: each stamp is the wall clock at the start plus monotonic time, taken where the clause says.
#[test]
fn stamps_of_an_exchange() {
    let at = |millis: u64| EPOCH.after(Duration::from_millis(millis));
    let mut pair =
        Pair::of(Connection::client(Config::default(), EPOCH), Connection::server(Config::default(), at(5_000)));
    pair.exchange(usize::MAX);
    pair.advance_to(Duration::from_millis(100));
    pair.client.wish(|client, now| {
        client.send(now, b"x").expect("open");
    });
    pair.advance_to(Duration::from_millis(110));
    pair.server.stalled = true;
    pair.carry_to_server(usize::MAX);
    pair.advance_to(Duration::from_millis(140));
    pair.server.stalled = false;
    let now = pair.server.now;
    let echo_core::Output::Transmit { header, .. } = pair.server.connection.poll_output(now) else { panic!("a REPLY") };
    let reply = header.to_vec();
    let stamp = |at: usize| Stamp(i64::from_be_bytes(*reply[at..].first_chunk().expect("a stamp")));
    assert_eq!((stamp(12), stamp(20)), (at(100), at(5_110)));
    // The batch was first offered to the transport at 110, but accepted only at 140.
    assert_eq!(stamp(28), at(5_110));
}

/// clause 3.1: t4 is the time at which the answer is read.
#[test]
fn t4() {
    let mut client = Solo::client();
    client.feed(&WELCOME);
    client.wish(|client, now| {
        client.send(now, b"x").expect("open");
    });
    let reply = raw(2, 1, &[1_i64.to_be_bytes(), 2_i64.to_be_bytes(), i64::MIN.to_be_bytes()].concat());
    let now = Duration::from_millis(7);
    let mut input = reply.as_slice();
    let Some(Event::Reply(reply)) = client.connection.handle_input(now, &mut input) else { panic!("a reply") };
    assert_eq!(reply.stamps, stamps(1, 2, i64::MIN, EPOCH.after(now).0));
}

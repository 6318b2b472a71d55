//! Ages and queues over several looks.

use crate::sockets::{held, orphan, seconds};
use std::time::Duration;
use tcp_states::{Age, History, TcpSocket, TcpState, Timer, TimerKind, Traffic};

const EXACT: bool = false;
const AT_LEAST: bool = true;

fn look(history: &mut History, at: u64, socket: TcpSocket) -> tcp_states::Observed {
    history.begin(seconds(at));
    history.observe(socket)
}

fn age(time: u64, is_minimum: bool) -> Age {
    Age { time: seconds(time), is_minimum }
}

#[test]
fn the_first_look_knows_the_age_of_a_close_wait_from_the_fin() {
    let mut history = History::default();
    assert_eq!(look(&mut history, 100, held(TcpState::CloseWait, 40)).age, age(40, AT_LEAST));
    // Keep-alive probes of the peer do not make it younger.
    assert_eq!(look(&mut history, 130, held(TcpState::CloseWait, 1)).age, age(70, AT_LEAST));
}

#[test]
fn a_change_that_was_seen_makes_the_age_exact() {
    let mut history = History::default();
    look(&mut history, 6, held(TcpState::Established, 5));
    assert_eq!(look(&mut history, 10, held(TcpState::CloseWait, 3)).age, age(3, EXACT));
    assert_eq!(look(&mut history, 50, held(TcpState::CloseWait, 43)).age, age(43, EXACT));
    // Long pauses between looks leave room for doubt.
    let mut rare = History::default();
    look(&mut rare, 0, held(TcpState::Established, 5));
    assert_eq!(look(&mut rare, 60, held(TcpState::CloseWait, 3)).age, age(3, AT_LEAST));
}

#[test]
fn a_socket_that_is_new_at_a_later_look_has_an_exact_age() {
    let mut history = History::default();
    history.begin(seconds(0));
    assert_eq!(look(&mut history, 1, held(TcpState::LastAck, 0)).age, age(0, EXACT));
    assert_eq!(look(&mut history, 4, held(TcpState::LastAck, 0)).age, age(3, EXACT));
}

#[test]
fn a_state_is_not_older_than_the_look_that_showed_another_one() {
    let mut history = History::default();
    look(&mut history, 0, held(TcpState::FinWait1, 0));
    // The last that was heard is older than the change.
    assert_eq!(look(&mut history, 2, held(TcpState::FinWait2, 30)).age, age(2, EXACT));
}

#[test]
fn the_timer_tells_the_age_of_time_wait_and_only_that() {
    let mut history = History::default();
    assert_eq!(look(&mut history, 0, orphan(TcpState::TimeWait, 48)).age, age(12, EXACT));
    // An orphan may have a time limit of its own (TCP_LINGER2).
    assert_eq!(look(&mut History::default(), 0, orphan(TcpState::FinWait2, 8)).age, age(0, AT_LEAST));
}

#[test]
fn a_socket_that_was_gone_for_two_looks_is_forgotten() {
    let mut history = History::default();
    look(&mut history, 0, held(TcpState::Closing, 0));
    history.begin(seconds(10));
    assert_eq!(look(&mut history, 20, held(TcpState::Closing, 0)).age, age(20, AT_LEAST), "one look can miss it");
    history.begin(seconds(21));
    history.begin(seconds(22));
    assert_eq!(look(&mut history, 23, held(TcpState::Closing, 0)).age, age(0, EXACT));
}

fn queue(acknowledged: u64, quiet: u64) -> TcpSocket {
    let socket = held(TcpState::Established, quiet);
    let traffic = socket.traffic.map(|traffic| Traffic { acknowledged, ..traffic });
    TcpSocket { send_queue: 5000, traffic, ..socket }
}

#[test]
fn a_send_queue_is_still_while_nothing_is_acknowledged() {
    let mut history = History::default();
    assert_eq!(look(&mut history, 0, queue(100, 7)).send_still, seconds(7), "the first look asks the kernel");
    assert_eq!(look(&mut history, 10, queue(100, 1)).send_still, seconds(17));
    assert_eq!(look(&mut history, 20, queue(200, 1)).send_still, seconds(0), "it moved");
    assert_eq!(look(&mut history, 25, queue(200, 1)).send_still, seconds(5));
    let empty = TcpSocket { send_queue: 0, ..queue(200, 1) };
    assert_eq!(look(&mut history, 60, empty).send_still, seconds(0));
    assert_eq!(look(&mut history, 61, queue(200, 1)).send_still, seconds(1), "it was empty a second ago");
}

#[test]
fn a_write_after_an_idle_hour_is_not_an_hour_old() {
    let written = |last_sent| {
        let socket = queue(100, 3600);
        let traffic = socket.traffic.map(|traffic| Traffic { last_sent: seconds(last_sent), ..traffic });
        TcpSocket { traffic, ..socket }
    };
    assert_eq!(look(&mut History::default(), 0, written(0)).send_still, seconds(0), "the first look");
    let mut history = History::default();
    history.begin(seconds(0));
    assert_eq!(look(&mut history, 1, written(3600)).send_still, seconds(1), "it was empty at the look before");
}

#[test]
fn a_retransmission_tells_when_its_segment_was_sent_first() {
    let again = |retransmissions, timeout, expires| {
        let socket = queue(100, 3600);
        let timeout = Duration::from_millis(timeout);
        let traffic = socket.traffic.map(|traffic| Traffic {
            retransmission_timeout: timeout,
            last_sent: Duration::from_millis(5),
            ..traffic
        });
        let timer = Some(Timer { kind: TimerKind::Retransmission, expires: Duration::from_millis(expires) });
        TcpSocket { retransmissions, timer, traffic, ..socket }
    };
    let still = |socket| look(&mut History::default(), 0, socket).send_still;
    // Sent, again after 200 ms, and 100 ms ago.
    assert_eq!(still(again(1, 400, 300)), Duration::from_millis(200 + 100));
    // Again after 200, 400, 800, 1,600 and 3,200 ms, and 400 ms ago.
    assert_eq!(still(again(5, 6_400, 6_000)), Duration::from_millis(6_200 + 400));
}

#[test]
fn a_receive_queue_is_still_while_the_program_reads_nothing() {
    let mut history = History::default();
    let queue = |received, unread| {
        let socket = held(TcpState::Established, 0);
        let traffic = socket.traffic.map(|traffic| Traffic { received, ..traffic });
        TcpSocket { recv_queue: unread, traffic, ..socket }
    };
    assert_eq!(look(&mut history, 0, queue(1000, 900)).recv_still, seconds(0), "one look cannot tell");
    assert_eq!(look(&mut history, 9, queue(1500, 1400)).recv_still, seconds(9), "more came, and nothing was read");
    let read = look(&mut history, 10, queue(1500, 1300));
    assert_eq!((read.recv_still, read.is_reading), (seconds(0), true));
    // The FIN is received, and counted in the queue: that is no reading.
    let mut history = History::default();
    look(&mut history, 0, queue(1500, 1400));
    let fin = TcpSocket { state: TcpState::CloseWait, ..queue(1501, 1401) };
    let unread = look(&mut history, 30, fin);
    assert_eq!((unread.recv_still, unread.is_reading), (seconds(30), false));
}

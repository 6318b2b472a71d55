//! One test for each finding: how much it hurts, and the sentence, to the second.

use crate::sockets::{held, orphan, seconds, timer};
use std::collections::BTreeSet;
use std::time::Duration;
use tcp_states::{Diagnosis, Finding, Harm, History, TcpSocket, TcpState, TimerKind, Traffic, diagnose};

/// A diagnosis with its sentence.
struct Said {
    finding: Finding,
    harm: Harm,
    text: String,
}

/// Diagnoses a socket at the first look.
fn first(socket: TcpSocket) -> Said {
    later(socket.clone(), 0, socket)
}

/// Diagnoses a socket `time` seconds after an earlier look.
fn later(before: TcpSocket, time: u64, socket: TcpSocket) -> Said {
    let mut history = History::default();
    history.begin(seconds(0));
    let mut observed = history.observe(before);
    if time > 0 {
        history.begin(seconds(time));
        observed = history.observe(socket);
    }
    let diagnosis = diagnose(&observed, seconds(10));
    let Diagnosis { finding, harm } = diagnosis;
    Said { finding, harm, text: diagnosis.sentence(&observed, "leaky.py (pid 12)") }
}

#[track_caller]
fn assert_says(said: &Said, finding: Finding, harm: Harm, text: &str) {
    assert_eq!((said.finding, said.harm, said.text.as_str()), (finding, harm, text));
}

fn with_queue(state: TcpState, quiet: u64, send_queue: u32) -> TcpSocket {
    TcpSocket { send_queue, ..held(state, quiet) }
}

#[test]
fn not_closed() {
    let socket = TcpSocket { recv_queue: 1, ..held(TcpState::CloseWait, 40) };
    let text = "the peer finished at least 40 s ago, and leaky.py (pid 12) did not close: a leak in leaky.py";
    assert_says(&first(socket.clone()), Finding::NotClosed, Harm::Stuck, text);
    // The change was seen.
    let text = "the peer finished 40 s ago, and leaky.py (pid 12) did not close: a leak in leaky.py";
    assert_says(&later(held(TcpState::Established, 5), 41, socket.clone()), Finding::NotClosed, Harm::Stuck, text);
    let unread = TcpSocket { recv_queue: 513, ..socket };
    // Does it read? One look cannot tell, two can.
    assert_eq!(first(unread.clone()).finding, Finding::HalfClosed);
    let said = later(unread.clone(), 1, unread).text;
    assert!(said.contains("did not close, nor read the last 512 B: a leak"), "{said}");
}

#[test]
fn half_closed() {
    let text = "the peer finished at least 9 s ago, and leaky.py (pid 12) did not close yet";
    assert_says(&first(held(TcpState::CloseWait, 9)), Finding::HalfClosed, Harm::None, text);
    // It has been in CLOSE-WAIT for long, and the program still sends.
    let sending = later(held(TcpState::CloseWait, 0), 90, held(TcpState::CloseWait, 2));
    assert_eq!((sending.finding, sending.harm), (Finding::HalfClosed, Harm::None), "{}", sending.text);
    // The peer has sent much, and the program reads it slowly.
    let reading = |recv_queue| {
        let socket = held(TcpState::CloseWait, 90);
        let traffic = socket.traffic.map(|traffic| Traffic { received: 20_000, ..traffic });
        TcpSocket { recv_queue, traffic, ..socket }
    };
    let slow = later(reading(9_000), 60, reading(8_000));
    assert_eq!((slow.finding, slow.harm), (Finding::HalfClosed, Harm::None), "{}", slow.text);
    let text = "leaky.py (pid 12) finished at least 3 s ago, and the peer did not close yet";
    assert_says(&first(held(TcpState::FinWait2, 3)), Finding::HalfClosed, Harm::None, text);
}

#[test]
fn keep_alive_probes_do_not_hide_a_leak() {
    let probed = held(TcpState::CloseWait, 90);
    let traffic = probed.traffic.map(|traffic| Traffic { last_acknowledged: seconds(1), ..traffic });
    let probed = TcpSocket { traffic, ..probed };
    let said = later(held(TcpState::CloseWait, 30), 60, probed);
    let text = "the peer finished at least 90 s ago, and leaky.py (pid 12) did not close: a leak in leaky.py";
    assert_says(&said, Finding::NotClosed, Harm::Stuck, text);
}

#[test]
fn not_accepted() {
    let socket = TcpSocket { inode: 0, ..held(TcpState::CloseWait, 12) };
    let text = "the peer finished at least 12 s ago, and leaky.py (pid 12) did not accept the connection";
    assert_says(&first(socket), Finding::NotAccepted, Harm::Stuck, text);
    let open = |quiet| TcpSocket { inode: 0, ..held(TcpState::Established, quiet) };
    let text = "the peer connected at least 12 s ago, and leaky.py (pid 12) did not accept the connection";
    assert_says(&first(open(12)), Finding::NotAccepted, Harm::Stuck, text);
    assert_eq!(first(open(9)).finding, Finding::Open);
}

#[test]
fn peer_does_not_close() {
    let waits = held(TcpState::FinWait2, 75);
    let text = "leaky.py (pid 12) finished at least 75 s ago, and the peer does not close; no timer of the kernel ends \
                this";
    assert_says(&first(waits.clone()), Finding::PeerDoesNotClose, Harm::Stuck, text);
    let text = "leaky.py (pid 12) finished at least 75 s ago, and the peer does not close; only keep-alive ends this, \
                and only if the peer's machine is gone";
    let kept = TcpSocket { timer: timer(TimerKind::KeepAlive, 3600), ..waits };
    assert_says(&first(kept), Finding::PeerDoesNotClose, Harm::Stuck, text);
}

#[test]
fn orphan_waits() {
    let text = "orphan: the peer does not close, and the kernel gives up in 21 s";
    assert_says(&first(orphan(TcpState::FinWait2, 21)), Finding::OrphanWaits, Harm::None, text);
    let old = later(orphan(TcpState::FinWait2, 31), 10, orphan(TcpState::FinWait2, 21));
    assert_says(&old, Finding::OrphanWaits, Harm::Passing, text);
    // With a tcp_fin_timeout above 60 s another timer runs first.
    let long = TcpSocket { timer: timer(TimerKind::KeepAlive, 200), ..orphan(TcpState::FinWait2, 0) };
    let text = "orphan: the peer does not close, and the kernel gives up after tcp_fin_timeout";
    assert_says(&first(long), Finding::OrphanWaits, Harm::None, text);
}

#[test]
fn peer_does_not_read() {
    let full = TcpSocket { timer: timer(TimerKind::WindowProbe, 3), ..with_queue(TcpState::Established, 20, 65_536) };
    let text = "send queue 64 KiB, not moving for 20 s: the peer does not read";
    assert_says(&first(full.clone()), Finding::PeerDoesNotRead, Harm::Stuck, text);
    // The peer acknowledges each probe of its window, and reads nothing.
    let traffic = full.traffic.map(|traffic| Traffic { last_acknowledged: seconds(1), ..traffic });
    assert_says(&first(TcpSocket { traffic, ..full.clone() }), Finding::PeerDoesNotRead, Harm::Stuck, text);
    // What the program has left behind ends by itself.
    let left = TcpSocket { inode: 0, state: TcpState::LastAck, send_queue: 65_537, ..full.clone() };
    let text = "send queue 64 KiB, not moving for 20 s: the peer does not read; no process holds it, so the kernel gives \
                up after some retries";
    assert_says(&first(left), Finding::PeerDoesNotRead, Harm::Passing, text);
    let moving = later(
        full.clone(),
        30,
        TcpSocket { traffic: full.traffic.map(|traffic| Traffic { acknowledged: 9_000, ..traffic }), ..full },
    );
    assert_eq!(moving.finding, Finding::Open, "{}", moving.text);
}

#[test]
fn peer_does_not_answer() {
    let again = TcpSocket {
        timer: timer(TimerKind::Retransmission, 3),
        retransmissions: 5,
        traffic: held(TcpState::Established, 3600).traffic.map(|traffic| Traffic {
            retransmission_timeout: Duration::from_millis(12_800),
            last_sent: seconds(9),
            ..traffic
        }),
        ..with_queue(TcpState::Established, 14, 300)
    };
    let text = "300 B sent again 5 times, no answer for 22 s: the peer or the way to it is gone";
    assert_says(&first(again.clone()), Finding::PeerDoesNotAnswer, Harm::Stuck, text);
    // An hour of silence before it is no silence after it.
    let once = TcpSocket { retransmissions: 1, ..again.clone() };
    let traffic = once.traffic.map(|traffic| Traffic { retransmission_timeout: Duration::from_millis(400), ..traffic });
    assert_eq!(first(TcpSocket { traffic, ..once }).finding, Finding::Open);
    let fin = TcpSocket { state: TcpState::LastAck, send_queue: 1, retransmissions: 1, inode: 0, ..again };
    let text = "FIN sent again once, no answer for 16 s: the peer or the way to it is gone; no process holds it, so the \
                kernel gives up after some retries";
    assert_says(&first(fin), Finding::PeerDoesNotAnswer, Harm::Passing, text);
}

#[test]
fn program_does_not_read() {
    let unread = TcpSocket { recv_queue: 20_480, ..held(TcpState::Established, 1) };
    let text = "receive queue 20 KiB, not moving for 15 s: leaky.py (pid 12) did not read it";
    assert_says(&later(unread.clone(), 15, unread.clone()), Finding::ProgramDoesNotRead, Harm::Stuck, text);
    assert_eq!(later(unread.clone(), 9, unread.clone()).finding, Finding::Open);
    // The peer may have closed: there is no room for its FIN.
    let full = TcpSocket { state: TcpState::FinWait2, ..unread };
    assert_eq!(first(full.clone()).finding, Finding::HalfClosed);
    assert_eq!(later(full.clone(), 15, full).finding, Finding::ProgramDoesNotRead);
}

#[test]
fn closing() {
    let text = "its FIN is not acknowledged yet";
    assert_says(&first(with_queue(TcpState::FinWait1, 0, 1)), Finding::Closing, Harm::None, text);
    let text = "both sides have closed, and its own FIN is not acknowledged yet";
    assert_says(&first(with_queue(TcpState::Closing, 0, 1)), Finding::Closing, Harm::None, text);
    let last = with_queue(TcpState::LastAck, 0, 1);
    assert_eq!(later(last.clone(), 10, last).harm, Harm::Passing);
}

#[test]
fn time_wait_is_normal() {
    let text = "normal after closing first, 48 s left";
    assert_says(&first(orphan(TcpState::TimeWait, 48)), Finding::TimeWait, Harm::None, text);
}

#[test]
fn an_open_conversation_has_nothing() {
    assert_eq!(first(held(TcpState::Established, 1_000_000)).finding, Finding::Open);
}

#[test]
fn times_and_sizes_are_right_to_the_unit() {
    for (time, text) in [(0, "0 s"), (599, "599 s"), (600, "10 min 0 s"), (7_199, "119 min 59 s"), (7_260, "2 h 1 min")]
    {
        assert_eq!(tcp_states::time(seconds(time)), text);
    }
    for (bytes, text) in [(9_999, "9999 B"), (65_536, "64 KiB"), (9_999_999, "9766 KiB"), (16_777_216, "16 MiB")] {
        assert_eq!(tcp_states::bytes(bytes), text);
    }
}

/// Each finding has a name and a test above with this name.
#[test]
fn each_finding_has_a_test() {
    const SOURCE: &str = include_str!("diagnosis.rs");
    let names: BTreeSet<&str> = Finding::ALL.map(Finding::name).into();
    assert_eq!(names.len(), Finding::ALL.len());
    for finding in Finding::ALL {
        assert!(SOURCE.contains(&format!("Finding::{finding:?}, Harm::")) || finding == Finding::Open, "{finding:?}");
    }
}

//! Made-up sockets.

use std::time::Duration;
use tcp_states::{TcpSocket, TcpState, Timer, TimerKind, Traffic};

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A socket that a process holds. Its last segment came `quiet` seconds ago.
pub(crate) fn held(state: TcpState, quiet: u64) -> TcpSocket {
    let quiet = seconds(quiet);
    TcpSocket {
        cookie: 1,
        local: "127.0.0.1:2012".parse().expect("an address"),
        remote: "127.0.0.1:40000".parse().expect("an address"),
        state,
        recv_queue: 0,
        send_queue: 0,
        timer: None,
        retransmissions: 0,
        traffic: Some(Traffic {
            retransmission_timeout: Duration::from_millis(200),
            last_sent: quiet,
            last_received: quiet,
            last_acknowledged: quiet,
            acknowledged: 100,
            received: 100,
        }),
        uid: 1000,
        inode: 77,
    }
}

/// A socket that the kernel removes `left` seconds from now.
pub(crate) fn orphan(state: TcpState, left: u64) -> TcpSocket {
    TcpSocket { timer: timer(TimerKind::TimeWait, left), traffic: None, uid: 0, inode: 0, ..held(state, 0) }
}

#[expect(clippy::unnecessary_wraps, reason = "it is a field")]
pub(crate) fn timer(kind: TimerKind, left: u64) -> Option<Timer> {
    Some(Timer { kind, expires: seconds(left) })
}

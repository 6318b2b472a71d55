//! The way through TCP's state diagram, with the states that pass too fast to be seen.

use tcp_states::TcpState;
use tcp_states::TcpState::{CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};

/// Returns the states between two that were seen, which a socket must have had by the diagram (RFC 9293 figure 5).
/// After RST there are none.
pub(crate) fn passed(from: TcpState, to: TcpState, is_reset: bool) -> &'static [TcpState] {
    match (from, to) {
        _ if is_reset => &[],
        (Established, FinWait2) => &[FinWait1],
        (Established, TimeWait) => &[FinWait1, FinWait2],
        (Established, LastAck) => &[CloseWait],
        (Established, Closed) => &[CloseWait, LastAck],
        (CloseWait, Closed) => &[LastAck],
        (FinWait1, TimeWait) => &[FinWait2],
        (Established, Closing) => &[FinWait1],
        _ => &[],
    }
}

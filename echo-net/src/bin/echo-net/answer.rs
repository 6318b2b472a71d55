//! How an answer on the framed wire is shown.

use echo_net::echo_core::plain::ctime_header;
use echo_net::{Answer, Clock};

/// The time at which the server answered, as the classic program shows it, in this client's time zone.
pub(crate) fn header(answer: &Answer) -> String {
    ctime_header(answer.stamps.t3, (Clock::local().utc_offset)(answer.stamps.t3))
}

//! A moment as lines.

use super::moment::{End, Moment};
use super::plan::Side;
use crate::tcp_states::wrapped;
use std::fmt::Write as _;

/// Maximum length of a line of an explanation.
const WIDTH: usize = 100;

/// Returns a moment as text: what was done, a table of both ends, and what it means.
pub(crate) fn moment(moment: &Moment) -> String {
    let mut text = String::new();
    for (number, line) in wrapped(&moment.action, WIDTH - 11).into_iter().enumerate() {
        let time = if number == 0 { format!("{:>6} ms", moment.ms) } else { String::new() };
        let _ = writeln!(text, "{time:<9}  {line}");
    }
    let _ =
        writeln!(text, "           end     {:<12} {:>7} {:>7}  {:<19} held by", "state", "recv-q", "send-q", "timer");
    for side in Side::BOTH {
        let End { state, recv_queue, send_queue, .. } = moment.of(side);
        let (timer, holders) = (moment.of(side).timer(), moment.of(side).holders());
        let _ =
            writeln!(text, "           {side:<7} {state:<12} {recv_queue:>7} {send_queue:>7}  {timer:<19} {holders}");
    }
    for line in wrapped(&moment.explanation, WIDTH - 11) {
        let _ = writeln!(text, "           {line}");
    }
    text.push('\n');
    text
}

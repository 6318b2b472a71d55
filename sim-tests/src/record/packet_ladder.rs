//! The packets of a record as text: TCP states on the left and right, segments between them.

use super::segments::is_again;
use crate::record::Record;
use crate::tcp::{Flags, PacketFate, Segment, TcpEvent, TcpState};
use echo_core::Role;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Returns the packet ladder. A segment is shown when it leaves, with its fate unless it just arrives after the link's
/// latency. A state is shown when it is entered. Numbers count from each side's SYN, as in RFC 9293 figure 5. With
/// `times`, each line begins with the virtual time in milliseconds.
pub fn ladder(record: &Record, times: bool) -> String {
    let mut text = String::new();
    let mut page = Page { text: &mut text, times, states: [TcpState::Closed; 2], starts: BTreeMap::new() };
    page.line(None, "client", "", "server");
    for moment in &record.packets {
        match &moment.event {
            TcpEvent::Sent { segment, fate, .. } => {
                let again = is_again(record, segment);
                page.segment(moment.at, segment, *fate, again);
            }
            // A kernel that listens on for other connections uses another socket.
            TcpEvent::Changed { side, to: TcpState::Listen, .. } if page.states[*side as usize] != TcpState::Closed => {
            }
            TcpEvent::Changed { side, to, .. } => {
                page.states[*side as usize] = *to;
                page.state(moment.at, *side);
            }
            TcpEvent::Arrived { .. } => (),
        }
    }
    text
}

struct Page<'a> {
    text: &'a mut String,
    times: bool,
    states: [TcpState; 2],
    /// The sequence number of each side's SYN, by [`Role`].
    starts: BTreeMap<usize, u32>,
}

impl Page<'_> {
    fn line(&mut self, at: Option<u64>, client: &str, middle: &str, server: &str) {
        let time = match (self.times, at) {
            (false, _) => String::new(),
            (true, None) => "   ms  ".to_owned(),
            (true, Some(at)) => format!("{at:>5}  "),
        };
        let line = format!("{time}{client:<13}{middle:^46} {server}");
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn state(&mut self, at: u64, side: Role) {
        let state = self.states[side as usize].name();
        match side {
            Role::Client => self.line(Some(at), state, "", ""),
            Role::Server => self.line(Some(at), "", "", state),
        }
    }

    fn segment(&mut self, at: u64, segment: &Segment, fate: PacketFate, again: bool) {
        if segment.flags.has(Flags::SYN) {
            self.starts.entry(segment.from as usize).or_insert(segment.seq);
        }
        let start = |side: usize| self.starts.get(&side).copied().unwrap_or_default();
        let seq = segment.seq.wrapping_sub(start(segment.from as usize));
        let mut words = format!("#{} {} {seq}", segment.index, segment.flags);
        if segment.flags.has(Flags::ACK) {
            let _ = write!(words, " ack {}", segment.ack.wrapping_sub(start(1 - segment.from as usize)));
        }
        if segment.length > 0 {
            let _ = write!(words, " {} B", segment.length);
        }
        if segment.window == 0 && !segment.flags.has(Flags::RST) {
            words.push_str(" window 0");
        }
        if again {
            words.push_str(" again");
        }
        let marked = if fate == PacketFate::Deliver { words } else { format!("{words} *{fate}*") };
        let middle = match segment.from {
            Role::Client => format!("{marked} ─▶"),
            Role::Server => format!("◀─ {marked}"),
        };
        self.line(Some(at), "", &middle, "");
    }
}

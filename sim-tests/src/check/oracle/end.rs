//! An end: a side, the program that reads and writes for it, and the socket of its kernel.

use super::event_counts::{EventCounts, Seen};
use super::message::{Close, Message, Packet, Part};
use super::mutation::Mutation;
use super::side::Side;
use crate::record::reported::Reported;
use crate::scenario::defaults::{self, QUIET};
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Plan, Point};
use crate::support::Millis;
use echo_core::Role;
use std::collections::VecDeque;

/// Both programs use it to send, to note, and to know the time.
pub(super) trait Wire {
    /// Gives how many bytes it has.
    fn send(&mut self, from: Role, packet: Packet) -> usize;
    fn note_got(&mut self, side: Role, seen: Seen);
    /// What was got is acted upon.
    fn note_heard(&mut self, side: Role, seen: Seen);
    fn note_over(&mut self, side: Role);
    /// How many bytes of `side` wait in its kernel for the other end to take them.
    fn waiting(&self, side: Role) -> usize;
    /// Whether a part of what is sent to `side` has arrived and was not read.
    fn is_arriving(&self, side: Role) -> bool;
    /// The other end's RST has come: what waits there is deleted.
    fn delete_waiting(&mut self, side: Role);
    fn log(&mut self) -> &mut EventCounts;
    fn now(&self) -> Millis;
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) side: Side,
    socket: Socket,
    inbox: VecDeque<(Message, Part)>,
    /// How much of the inbox it has read, and not acted upon.
    ahead: usize,
    /// How many pieces each packet in the inbox has.
    packets: VecDeque<usize>,
    reads: Reads,
    fin_came: bool,
    reset_came: bool,
    /// FIN was sent, by whomever.
    shut: bool,
    /// Its FIN was to follow words that were lost.
    fin_lost: bool,
    pub(super) reading: Reading,
    /// Points at which its transport takes no more, or at which it does not act upon what it has read.
    stops: Vec<Point>,
    is_held: bool,
    /// Its transport took no more when it last wrote.
    blocked: bool,
    /// Its ending has begun.
    ending: bool,
    /// Bytes that its transport has taken.
    written: usize,
    looked: Look,
    /// Its first request or answer has left, and so has the beginning of a word that is stopped inside.
    first_left: bool,
    head_left: bool,
    pub(super) runs: bool,
    takes_away: bool,
    quiet: Option<Millis>,
}

/// What a look at the transport has shown: how many bytes the other end had taken, and not taken.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    taken: usize,
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Yes,
    UntilThereIsSome,
    Never,
}

/// What one read gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// One word at most.
    OneByte,
    OnePacket,
    /// All that is there.
    All,
}

impl Reads {
    pub(super) fn of(network: &Network) -> Self {
        match (network.reads, network.batch) {
            (0, 0) => Self::OnePacket,
            (0, _) => Self::All,
            _ => Self::OneByte,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Open,
    /// Closed with FIN: data is answered with RST.
    Orphan,
    /// Reset: whatever comes is answered with RST.
    None,
    Dark,
}

impl End {
    pub(super) fn new(side: Side, plan: &Plan, reads: Reads) -> Self {
        let stops = plan.points().filter(|point| point.is_of_one_side()).collect();
        Self {
            side,
            socket: Socket::Open,
            inbox: VecDeque::new(),
            ahead: 0,
            packets: VecDeque::new(),
            reads,
            fin_came: false,
            reset_came: false,
            shut: false,
            fin_lost: false,
            reading: Reading::Yes,
            stops,
            is_held: false,
            blocked: false,
            ending: false,
            written: 0,
            looked: Look::default(),
            first_left: false,
            head_left: false,
            runs: true,
            takes_away: false,
            quiet: None,
        }
    }

    fn role(&self) -> Role {
        self.side.role
    }

    /// What it reports in the end.
    pub(super) fn report(&self) -> Reported {
        match self.side.verdict {
            Some(verdict) if self.side.over => Reported::Outcome(verdict, self.side.account()),
            Some(_) | None if self.takes_away => Reported::Killed,
            Some(_) | None => Reported::Open,
        }
    }

    // ---- the program ----

    pub(super) fn pump(&mut self, wire: &mut impl Wire) {
        self.side.now = wire.now();
        while self.runs {
            if !self.ending && self.side.is_ending() {
                self.ending = true;
                self.look(wire);
            }
            self.write(wire);
            if !self.runs || !self.read(wire) {
                return;
            }
        }
    }

    fn write(&mut self, wire: &mut impl Wire) {
        loop {
            self.side.follow_the_rules();
            if self.side.aborts {
                self.side.out.clear();
                self.reset(wire);
            }
            if self.side.over {
                return self.leave(wire);
            }
            if !self.side.out.is_empty() {
                if self.shut || self.socket != Socket::Open {
                    self.side.out.clear();
                    self.side.lost = true;
                    self.fin_lost |= self.side.said.fin;
                    continue;
                }
                match self.take() {
                    Ok(pieces) => {
                        self.blocked = false;
                        self.written += wire.send(self.role(), Packet::Data(pieces));
                    }
                    Err(point) => {
                        if !std::mem::replace(&mut self.blocked, true) {
                            self.look(wire);
                        }
                        return wire.log().note_stalled(self.role(), point);
                    }
                }
                continue;
            }
            if !self.side.said.fin || self.side.fin_left || self.fin_lost {
                return;
            }
            if self.socket != Socket::Open {
                self.side.lost = true;
                return;
            }
            self.shut_down(wire);
            self.side.fin_left = true;
            self.side.mind_waits();
            self.look(wire);
        }
    }

    /// What its transport takes of what it has to say, or the point at which it stands if it takes nothing.
    fn take(&mut self) -> Result<Vec<(Message, Part)>, Point> {
        let mut pieces = Vec::new();
        let mut stop = None;
        while let Some(word) = self.side.out.front().copied() {
            if self.head_left {
                if let Some(point) = self.stop_inside(word) {
                    stop = Some(point);
                    break;
                }
                pieces.push((word, Part::Tail));
                self.has_left(word);
                continue;
            }
            if self.first_left && self.stops.contains(&Point::PeerNotReading) {
                stop = Some(Point::PeerNotReading);
                break;
            }
            if self.stop_inside(word).is_some() {
                self.head_left = true;
                if let Message::Request(seq) = word {
                    self.side.left = seq;
                }
                pieces.push((word, Part::Head));
                break;
            }
            pieces.push((word, Part::Whole));
            self.has_left(word);
        }
        match stop {
            Some(point) if pieces.is_empty() => Err(point),
            Some(_) | None => {
                self.side.waits.stir(echo_core::Deadline::Write, self.side.now);
                Ok(pieces)
            }
        }
    }

    fn stop_inside(&self, word: Message) -> Option<Point> {
        let point = if word == Message::Preface { Point::InPreface } else { Point::InsideFrame };
        let may = word == Message::Preface || self.first_left;
        (may && self.stops.contains(&point)).then_some(point)
    }

    fn has_left(&mut self, word: Message) {
        self.side.out.pop_front();
        self.head_left = false;
        match word {
            Message::Request(seq) => self.side.left = seq,
            Message::Preface | Message::Answer(_) | Message::GoAway { .. } | Message::Close(_) | Message::Text => (),
        }
        self.first_left |= matches!(word, Message::Request(1) | Message::Answer(1));
    }

    fn read(&mut self, wire: &mut impl Wire) -> bool {
        match self.reading {
            Reading::Yes => (),
            Reading::UntilThereIsSome if self.inbox.len() > self.ahead => {
                self.takes_away = true;
                self.leave(wire);
                return false;
            }
            Reading::UntilThereIsSome | Reading::Never => {
                // Who cannot write, and reads nothing, has been reset.
                if self.side.lost {
                    self.side.hear_reset();
                }
                return self.side.lost;
            }
        }
        if self.is_held {
            return false;
        }
        if !self.inbox.is_empty() {
            self.read_some(wire);
            return true;
        }
        if self.fin_came {
            wire.note_got(self.role(), Seen::Fin);
            if !self.catches(Point::AfterFin) {
                self.fin_came = false;
                self.side.heard.fin = true;
            }
            return true;
        }
        if self.reset_came {
            wire.note_got(self.role(), Seen::Reset);
        }
        if self.reset_came || self.side.lost {
            self.reset_came = false;
            self.side.hear_reset();
            return true;
        }
        false
    }

    fn read_some(&mut self, wire: &mut impl Wire) {
        let there = match self.reads {
            Reads::OneByte => 1,
            Reads::OnePacket => self.packets.front().copied().unwrap_or(0),
            Reads::All => self.inbox.len(),
        };
        let count = there.max(self.ahead);
        let news = self.ahead.min(count)..count;
        let seen: Vec<Seen> =
            self.inbox.range(news).filter(|(_, part)| *part != Part::Head).map(|(word, _)| Seen::of(*word)).collect();
        for seen in &seen {
            wire.note_got(self.role(), *seen);
        }
        let caught = [(Seen::GoAway, Point::AfterGoAway), (Seen::LastWord, Point::AfterClose)]
            .into_iter()
            .any(|(kind, point)| seen.contains(&kind) && self.catches(point));
        if caught {
            self.ahead = count;
            return;
        }
        self.forget_packets(count);
        for (word, part) in self.inbox.drain(..count) {
            self.side.hear(word, part);
            wire.note_heard(self.side.role, Seen::of(word));
            self.side.follow_the_rules();
        }
        self.ahead = self.ahead.saturating_sub(count);
        self.quiet = self.side.heard.piece.then(|| self.side.now + QUIET.as_millis() as Millis);
    }

    fn forget_packets(&mut self, mut count: usize) {
        while let Some(packet) = self.packets.front_mut() {
            let part = count.min(*packet);
            *packet -= part;
            count -= part;
            if *packet > 0 {
                return;
            }
            self.packets.pop_front();
        }
    }

    fn catches(&mut self, point: Point) -> bool {
        let caught = self.stops.contains(&point);
        self.is_held |= caught;
        caught
    }

    /// When something happens here by itself.
    pub(super) fn next(&self) -> Option<Millis> {
        self.side.waits.next().into_iter().chain(self.quiet).min().filter(|_| self.runs)
    }

    /// Clause 8.6: waits begin anew that have come while the other end goes on taking what was written.
    fn look(&mut self, wire: &mut impl Wire) {
        if self.socket != Socket::Open {
            return;
        }
        let left = wire.waiting(self.role());
        let taken = self.written.saturating_sub(left);
        let enough = taken - self.looked.taken >= defaults::PROGRESS;
        let progress = enough && (left > 0 || self.looked.left > 0);
        self.looked = Look { taken, left };
        if progress && !self.side.is_bent(Mutation::NoProgress) {
            self.side.waits.begin_anew(self.side.now, left > 0);
        }
    }

    /// Time has come for what is due.
    pub(super) fn pass_time(&mut self, now: Millis, wire: &mut impl Wire) {
        self.side.now = now;
        if self.side.waits.next().is_some_and(|due| due <= now) {
            self.look(wire);
        }
        if self.quiet.is_some_and(|quiet| quiet <= now) {
            self.quiet = None;
            self.side.fall_quiet();
        }
        while let Some(_deadline) = self.side.waits.pass(now).filter(|_| self.runs) {
            self.side.follow_the_rules();
        }
    }

    /// Carries out a step of its plan; whether there was still a program to do it.
    pub(super) fn act(&mut self, action: Action, point: Point, wire: &mut impl Wire) -> bool {
        if !self.runs {
            return false;
        }
        self.side.now = wire.now();
        match action {
            Action::Close => {
                let code = if self.role() == Role::Client { 1000 } else { 1001 };
                self.side.leave(code);
            }
            Action::HalfClose => self.shut_down(wire),
            Action::Drop | Action::Crash => self.close(wire),
            Action::DropUnread => self.reading = Reading::UntilThereIsSome,
            Action::Abort => self.reset(wire),
            Action::Vanish => self.socket = Socket::Dark,
            Action::Violate if self.socket == Socket::Open && !self.shut => {
                let close = Close { count: 999, code: 1000, first_fin: false };
                wire.send(self.role(), Packet::Data(vec![(Message::Close(close), Part::Whole)]));
            }
            Action::Violate => (),
        }
        if point != Point::PeerNotReading {
            self.stops.retain(|stop| *stop != point);
        }
        self.is_held = false;
        if action.takes_away() && action != Action::DropUnread {
            self.runs = false;
            self.takes_away = true;
        }
        true
    }

    // ---- the socket ----

    /// The conversation is over.
    fn leave(&mut self, wire: &mut impl Wire) {
        self.runs = false;
        self.close(wire);
        wire.note_over(self.role());
    }

    fn shut_down(&mut self, wire: &mut impl Wire) {
        if self.socket == Socket::Open && !self.shut {
            wire.send(self.role(), Packet::Fin);
        }
        self.shut = true;
    }

    /// With unread input RST, otherwise FIN.
    fn close(&mut self, wire: &mut impl Wire) {
        if self.socket != Socket::Open {
            return;
        }
        if self.inbox.len() > self.ahead || wire.is_arriving(self.role()) {
            return self.reset(wire);
        }
        self.shut_down(wire);
        self.socket = Socket::Orphan;
    }

    fn reset(&mut self, wire: &mut impl Wire) {
        if self.socket == Socket::Open {
            wire.send(self.role(), Packet::Reset);
        }
        self.socket = Socket::None;
    }

    fn lose_connection(&mut self, wire: &mut impl Wire) {
        self.socket = Socket::None;
        wire.delete_waiting(self.role());
    }

    /// A packet arrives.
    pub(super) fn receive(&mut self, packet: Packet, wire: &mut impl Wire) {
        match (self.socket, packet) {
            (Socket::Open, Packet::Data(pieces)) => {
                self.packets.push_back(pieces.len());
                self.inbox.extend(pieces);
            }
            (Socket::Open, Packet::Fin) => self.fin_came = true,
            (Socket::Open, Packet::Reset) => {
                self.reset_came = true;
                self.lose_connection(wire);
            }
            (Socket::Orphan, Packet::Data(_)) | (Socket::None, Packet::Data(_) | Packet::Fin) => {
                self.socket = Socket::None;
                wire.send(self.role(), Packet::Reset);
            }
            (Socket::Orphan, Packet::Reset) => self.lose_connection(wire),
            (Socket::Orphan, Packet::Fin) | (Socket::None, Packet::Reset) | (Socket::Dark, _) => (),
        }
    }
}

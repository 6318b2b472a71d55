//! The program of an end: its reads and writes.

use super::super::event_counts::Seen;
use super::super::message::{Message, Part};
use super::super::side::Fin;
use super::{End, Program, Reads, Wire};
use crate::network::StreamPacket;
use crate::scenario::defaults::QUIET;
use crate::scenario::plan::Point;
use crate::scenario::reading::Reading;
use crate::support::Millis;

impl End {
    pub(in crate::check::oracle) fn pump(&mut self, wire: &mut impl Wire) {
        self.side.now = wire.now();
        while self.runs() {
            if !self.ending && self.side.is_ending() {
                self.ending = true;
                self.look(wire);
            }
            self.write(wire);
            if !self.runs() || !self.read(wire) {
                return;
            }
        }
    }

    pub(super) fn write(&mut self, wire: &mut impl Wire) {
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
                if !self.socket.can_write() {
                    self.side.out.clear();
                    self.side.lost = true;
                    if self.side.sent.fin {
                        self.side.fin = Fin::Lost;
                    }
                    continue;
                }
                match self.take() {
                    Ok(pieces) => {
                        self.blocked = false;
                        self.written += wire.send(self.role(), StreamPacket::Data(pieces));
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
            if !self.side.sent.fin || self.side.fin != Fin::Due {
                return;
            }
            if !self.socket.is_open() {
                self.side.lost = true;
                return;
            }
            self.shut_down(wire);
            self.side.fin = Fin::Left;
            self.side.mind_waits();
            self.look(wire);
        }
    }

    /// Takes the part of the output that the transport accepts; if it accepts none, returns the point at which it
    /// stops.
    pub(super) fn take(&mut self) -> Result<Vec<(Message, Part)>, Point> {
        let mut pieces = Vec::new();
        let mut stop = None;
        while let Some(message) = self.side.out.front().copied() {
            if self.front == Part::Tail {
                if let Some(point) = self.stop_inside(message) {
                    stop = Some(point);
                    break;
                }
                pieces.push((message, Part::Tail));
                self.has_left(message);
                continue;
            }
            if self.first_left && self.stops.contains(&Point::PeerNotReading) {
                stop = Some(Point::PeerNotReading);
                break;
            }
            if self.stop_inside(message).is_some() {
                self.front = Part::Tail;
                if let Message::Request(seq) = message {
                    self.side.left = seq;
                }
                pieces.push((message, Part::Head));
                break;
            }
            pieces.push((message, Part::Whole));
            self.has_left(message);
        }
        match stop {
            Some(point) if pieces.is_empty() => Err(point),
            Some(_) | None => {
                self.side.waits.stir(echo_core::Deadline::Write, self.side.now);
                Ok(pieces)
            }
        }
    }

    pub(super) fn stop_inside(&self, message: Message) -> Option<Point> {
        let point = if message == Message::Preface { Point::InPreface } else { Point::InsideFrame };
        let may = message == Message::Preface || self.first_left;
        (may && self.stops.contains(&point)).then_some(point)
    }

    pub(super) fn has_left(&mut self, message: Message) {
        self.side.out.pop_front();
        self.front = Part::Whole;
        match message {
            Message::Request(seq) => self.side.left = seq,
            Message::Preface | Message::Answer(_) | Message::GoAway { .. } | Message::Close(_) | Message::Text => (),
        }
        self.first_left |= matches!(message, Message::Request(1) | Message::Answer(1));
    }

    pub(super) fn read(&mut self, wire: &mut impl Wire) -> bool {
        match self.reading {
            Reading::Always => (),
            Reading::UntilInput if self.has_unread() => {
                self.program = Program::Killed;
                self.leave(wire);
                return false;
            }
            Reading::UntilInput | Reading::Never => {
                // A program that does not read gets a RST only from a failed write.
                if self.side.lost {
                    self.side.receive_reset();
                }
                return self.side.lost;
            }
        }
        if self.is_held {
            return false;
        }
        if !self.socket.inbox().is_empty() {
            self.read_some(wire);
            return true;
        }
        if self.socket.has_fin() && !self.side.received.fin {
            wire.note_got(self.role(), Seen::Fin);
            if !self.catches(Point::AfterFin) {
                self.side.receive_fin();
            }
            return true;
        }
        let reset_came = self.socket.take_error().is_some();
        if reset_came {
            wire.note_got(self.role(), Seen::Reset);
        }
        if reset_came || self.side.lost {
            self.side.receive_reset();
            return true;
        }
        false
    }

    pub(super) fn read_some(&mut self, wire: &mut impl Wire) {
        let there = match self.reads {
            Reads::OneByte => 1,
            Reads::OnePacket => self.socket.first_packet(),
            Reads::All => self.socket.inbox().len(),
        };
        let count = there.max(self.ahead);
        let news = self.ahead.min(count)..count;
        let seen: Vec<Seen> = self
            .socket
            .inbox()
            .range(news)
            .filter(|(_, part)| *part != Part::Head)
            .map(|(message, _)| Seen::of(*message))
            .collect();
        for seen in &seen {
            wire.note_got(self.role(), *seen);
        }
        let caught = [(Seen::GoAway, Point::AfterGoAway), (Seen::Close, Point::AfterClose)]
            .into_iter()
            .any(|(kind, point)| seen.contains(&kind) && self.catches(point));
        if caught {
            self.ahead = count;
            return;
        }
        for (message, part) in self.socket.read(count) {
            self.side.receive(message, part);
            wire.note_handled(self.side.role, Seen::of(message));
            self.side.follow_the_rules();
        }
        self.ahead = self.ahead.saturating_sub(count);
        self.quiet = self.side.received.piece.then(|| self.side.now + QUIET.as_millis() as Millis);
    }

    pub(super) fn catches(&mut self, point: Point) -> bool {
        let caught = self.stops.contains(&point);
        self.is_held |= caught;
        caught
    }

    /// When the next deadline of this end is due.
    pub(in crate::check::oracle) fn next(&self) -> Option<Millis> {
        let next = self.side.waits.next().into_iter().chain(self.side.calls.next()).chain(self.quiet).min();
        next.filter(|_| self.runs())
    }
}

//! A correct connection with an arbitrary peer, whose input is the output of a correct peer, edited.

use super::connection::end;
use super::input::Input;
use super::pair::config;
use super::rules;
use crate::in_memory::{EPOCH, Solo};
use echo_core::{CloseCode, CloseReason, Connection, Role};

/// The largest number of steps.
const STEPS: usize = 120;

/// Checks that the correct side ends in time, sends nothing after its CLOSE, and claims nothing without a proof,
/// whatever the peer sends.
pub(super) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let config = config(&mut input);
    let victim = input.pick(&[Role::Server, Role::Client]);
    let (client, server) = (Connection::client(config, EPOCH), Connection::server(config, EPOCH));
    let (victim, other) = if victim == Role::Client { (client, server) } else { (server, client) };
    let mut world = World { victim: Solo::new(victim), other: Solo::new(other), there: 0, back: 0, over: false };
    for _ in 0..STEPS {
        if input.is_empty() || world.victim.outcome.is_some() {
            break;
        }
        world.step(&mut input);
        rules::deadlines(&world.victim);
        rules::memory(&world.victim.connection, &config);
    }
    end(&mut world.victim, &config);
}

struct World {
    victim: Solo,
    other: Solo,
    /// Number of the other side's bytes that were delivered.
    there: usize,
    /// Number of the victim's bytes that were delivered.
    back: usize,
    /// Whether the victim has read FIN or RST.
    over: bool,
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => self.ask(),
            1 => self.victim.wish(|side, now| side.leave(now, CloseReason::normal())),
            2 => self.other.wish(|side, now| side.leave(now, CloseReason::normal())),
            3 => match input.below(4) {
                0 => self.other.wish(|side, now| side.fail(now, CloseReason::new(CloseCode::INTERNAL, "no"))),
                1 => self.victim.wish(|side, now| side.fail(now, CloseReason::new(CloseCode::INTERNAL, "no"))),
                2 if !self.over => {
                    self.over = true;
                    self.victim.feed_fin();
                }
                _ => (),
            },
            4 | 5 => {
                let to = self.victim.sent.len();
                self.other.feed(&self.victim.sent[self.back..to]);
                self.back = to;
            }
            6 => {
                self.victim.stalled = input.flag();
                self.victim.settle();
            }
            7 => {
                if let Some(due) = self.victim.connection.next_time() {
                    self.victim.advance_to(due.max(self.victim.now));
                }
            }
            _ => self.deliver(input),
        }
    }

    fn ask(&mut self) {
        for side in [&mut self.victim, &mut self.other] {
            // A server cannot make requests and returns an error, which is expected here.
            side.wish(|side, now| {
                let _ = side.send(now, b"message");
            });
        }
    }

    /// Edits some of the other side's output, and delivers it to the victim.
    fn deliver(&mut self, input: &mut Input<'_>) {
        if self.over {
            return;
        }
        let most = usize::from(input.next::<u8>());
        let most = if most == 0 { usize::MAX } else { most };
        let to = self.other.sent.len().min(self.there.saturating_add(most));
        let mut bytes = self.other.sent[self.there..to].to_vec();
        self.there = to;
        let at = usize::from(input.next::<u8>()) % (bytes.len() + 1);
        match input.below(12) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(..at)),
            2 => bytes.extend_from_within(at..),
            3 => bytes.rotate_left(at),
            4 => bytes.insert(at, input.next()),
            5 => {
                let count = input.below(32);
                bytes.splice(at..at, input.take(count).iter().copied());
            }
            6 if at < bytes.len() => bytes[at] = input.next(),
            7 if at < bytes.len() => bytes[at] ^= 1 << input.below(8),
            8 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
            _ => (),
        }
        self.victim.feed(&bytes);
    }
}

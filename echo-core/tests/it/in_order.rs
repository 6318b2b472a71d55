//! Requests and answers in order take a shorter way through the session, one by one or as a batch. Both must do the same
//! as the general way, which is taken while an observer watches the machine.

use echo_core::close::{CloseReason, Machine};
use echo_core::{AnswerBatch, CloseCode, Config, Connection, Event, Output, RequestBatch, Role, Stamp, frame};
use proptest::collection::vec;
use proptest::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// What happens to a connection.
#[derive(Clone, Debug)]
enum Step {
    /// The peer's next messages in order, in one input, with payloads of these lengths.
    Next(Vec<usize>),
    /// A message with another number.
    Other(u64),
    GoAway(u64),
    Close(u64, u16),
    Unknown,
    /// This many bytes are sent, at most.
    Sent(usize),
    Send(usize),
    Leave,
    Fail,
    Abort,
    Pause(bool),
    Wait(u64),
    Fin,
    Reset,
    WriteFailed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => vec(prop_oneof![0..100_usize, Just(5_000), Just(70_000)], 1..4).prop_map(Step::Next),
        1 => (0..6_u64).prop_map(Step::Other),
        1 => (0..6_u64).prop_map(Step::GoAway),
        1 => (0..6_u64, prop_oneof![Just(1000_u16), Just(1001), Just(1011)]).prop_map(|(last, code)| Step::Close(last, code)),
        1 => Just(Step::Unknown),
        6 => prop_oneof![0..200_usize, Just(usize::MAX)].prop_map(Step::Sent),
        6 => prop_oneof![0..100_usize, Just(70_000)].prop_map(Step::Send),
        1 => Just(Step::Leave),
        1 => Just(Step::Fail),
        1 => Just(Step::Abort),
        2 => any::<bool>().prop_map(Step::Pause),
        3 => prop_oneof![0..20_000_u64, Just(400_000)].prop_map(Step::Wait),
        1 => Just(Step::Fin),
        1 => Just(Step::Reset),
        1 => Just(Step::WriteFailed),
    ]
}

/// A connection, and what it has to be told.
struct Side {
    role: Role,
    connection: Connection,
    now: Duration,
    /// Number of the peer's last message in order.
    last: u64,
    log: Vec<String>,
    /// Bytes of memory after each step.
    owned: Vec<usize>,
    /// Input that was not taken.
    kept: Vec<u8>,
}

impl Side {
    fn new(role: Role, first_fin: Role, change: impl Fn(&mut Config), observe: bool) -> Self {
        let mut config = Config::default();
        change(&mut config);
        config.first_fin = first_fin;
        config.observe = observe.then_some((|_, _| ()) as fn(&Machine, _));
        let connection = match role {
            Role::Client => Connection::client(config, Stamp(7)),
            Role::Server => Connection::server(config, Stamp(7)),
        };
        let mut side = Self {
            role,
            connection,
            now: Duration::ZERO,
            last: 0,
            log: Vec::new(),
            owned: Vec::new(),
            kept: Vec::new(),
        };
        side.receive(&echo_core::preface::preface(role.peer(), 1));
        side
    }

    /// A server on the plain wire. `quiet` is in seconds.
    fn plain(quiet: u64, observe: bool) -> Self {
        let mut config = Config::default();
        config.quiet = Duration::from_secs(quiet);
        config.observe = observe.then_some((|_, _| ()) as fn(&Machine, _));
        let connection = Connection::server(config, Stamp(7));
        Self {
            role: Role::Server,
            connection,
            now: Duration::ZERO,
            last: 0,
            log: Vec::new(),
            owned: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        // Now and then in two pieces, so that a frame is gathered.
        let cut = if self.log.len().is_multiple_of(5) { bytes.len() / 3 } else { 0 };
        for mut piece in [&bytes[..cut], &bytes[cut..]] {
            while let Some(event) = self.connection.handle_input(self.now, &mut piece) {
                self.log.push(format!("{event:?}"));
            }
        }
    }

    fn message(&self, seq: u64, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.role.peer() {
            Role::Client => frame::echo_header(&mut bytes, seq, Stamp(1), length),
            Role::Server => frame::reply_header(&mut bytes, seq, [Stamp(1), Stamp(2), Stamp(3)], length),
        }
        bytes.resize(bytes.len() + length, b'x');
        bytes
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        let mut bytes = Vec::new();
        match *step {
            Step::Next(ref lengths) => {
                for length in lengths {
                    // An answer that is not owed ends the conversation; `Other` does that now and then.
                    if self.role == Role::Server || self.last < self.connection.machine().account().begun {
                        self.last += 1;
                        bytes.extend(self.message(self.last, *length));
                    }
                }
            }
            Step::Other(seq) => bytes = self.message(seq, 3),
            Step::GoAway(last) => frame::goaway(&mut bytes, last, &CloseReason::normal()),
            Step::Close(last, code) => frame::close(&mut bytes, last, &CloseReason::new(CloseCode(code), ""), false),
            Step::Unknown => bytes.extend([0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]),
            Step::Sent(most) => {
                if let echo_core::Output::Transmit { header, payload } = self.connection.poll_output(now) {
                    let count = most.min(header.len() + payload.len());
                    self.connection.handle_sent(now, count);
                }
            }
            Step::Send(length) => self.log.push(format!("{:?}", self.connection.send(now, &vec![b'y'; length]))),
            Step::Leave => self.connection.leave(now, CloseReason::normal()),
            Step::Fail => self.connection.fail(now, CloseReason::new(CloseCode::INTERNAL, "")),
            Step::Abort => self.connection.abort(now),
            Step::Pause(paused) => self.connection.pause(now, paused),
            Step::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                self.connection.handle_time(self.now);
            }
            Step::Fin => self.connection.handle_fin(now),
            Step::Reset => self.connection.handle_reset(now),
            Step::WriteFailed => self.connection.handle_write_failed(now),
        }
        self.receive(&bytes);
        self.look();
    }

    /// Notes all that a driver can see.
    fn look(&mut self) {
        let mut hasher = DefaultHasher::new();
        self.connection.hash(&mut hasher);
        let running: Vec<_> = self.connection.running_deadlines().collect();
        let state = (hasher.finish(), running, self.connection.next_time(), self.connection.traffic());
        self.log.push(format!("{state:?} {:?}", self.connection.machine()));
        self.owned.push(self.connection.owned_memory());
        let output = format!("{:?}", self.connection.poll_output(self.now));
        self.log.push(output);
    }
}

/// What one batch took: bytes of input, and bytes that were written; `None` if the write failed.
type Taken = (usize, Option<usize>);

impl Side {
    /// Handles `input` in batches while that is possible, and the rest one by one. Each write takes the next of `room`.
    fn serve(&mut self, input: &[u8], room: &[Option<usize>]) -> Vec<Taken> {
        let mut batch = AnswerBatch::default();
        let mut left = input;
        let mut taken = Vec::new();
        for most in room.iter().cycle() {
            let before = left.len();
            let (mut wrote, mut bytes) = (None, Vec::new());
            let now = self.now;
            let count = self.connection.serve_batch(
                now,
                &mut left,
                &mut batch,
                || now,
                |slices| {
                    bytes = slices.iter().flat_map(|slice| slice.to_vec()).collect();
                    wrote = most.map(|most| most.min(bytes.len()));
                    wrote
                },
            );
            if count == 0 {
                assert_eq!(before, left.len(), "what is not served is not taken");
                break;
            }
            self.log.push(format!("{count} {:?}", bytes.get(..wrote.unwrap_or(0))));
            taken.push((before - left.len(), wrote));
        }
        self.receive_whole(left);
        taken
    }

    /// Does the same as the batches, in the general way.
    fn follow(&mut self, input: &[u8], taken: &[Taken]) {
        let mut left = input;
        for (used, wrote) in taken {
            let (mut mine, rest) = left.split_at(*used);
            left = rest;
            let mut count = 0;
            let mut bytes = Vec::new();
            loop {
                while let Some(event) = self.connection.handle_input(self.now, &mut mine) {
                    assert!(matches!(event, Event::Request { .. }), "{event:?}");
                    count += 1;
                }
                let Output::Transmit { header, payload } = self.connection.poll_output(self.now) else { break };
                let piece = [header, payload].concat();
                let most = wrote.unwrap_or(0) - bytes.len();
                bytes.extend_from_slice(&piece[..most.min(piece.len())]);
                self.connection.handle_sent(self.now, most.min(piece.len()));
                if most <= piece.len() {
                    break;
                }
            }
            while let Some(event) = self.connection.handle_input(self.now, &mut mine) {
                assert!(matches!(event, Event::Request { .. }), "{event:?}");
                count += 1;
            }
            assert!(mine.is_empty(), "the batch has accepted more than fits into the queue");
            // All answers of a batch are stamped at its only write.
            self.connection.poll_output(self.now);
            if wrote.is_none() {
                self.connection.handle_write_failed(self.now);
            }
            self.log.push(format!("{count} {:?}", bytes.get(..wrote.unwrap_or(0))));
        }
        self.receive_whole(left);
    }

    /// Sends requests of these lengths in a batch, if that is possible. Returns whether it was.
    fn ask(&mut self, lengths: &[usize], most: Option<usize>) -> bool {
        let mut batch = RequestBatch::default();
        if !self.connection.begin_batch(&mut batch) {
            return false;
        }
        for length in lengths {
            self.log.push(format!("{:?}", batch.add(&vec![b'y'; *length])));
        }
        let mut sent = Vec::new();
        self.connection.send_batch(self.now, &mut batch, |bytes| {
            sent = bytes[..most.unwrap_or(0).min(bytes.len())].to_vec();
            most.map(|_| sent.len())
        });
        self.log.push(format!("{sent:?}"));
        true
    }

    /// Does the same as [`ask`](Self::ask), in the general way. Without a batch it only queues.
    fn ask_singly(&mut self, lengths: &[usize], most: Option<usize>, is_batch: bool) {
        for length in lengths {
            self.log.push(format!("{:?}", self.connection.send(self.now, &vec![b'y'; *length])));
        }
        if !is_batch {
            return;
        }
        let mut sent = Vec::new();
        while let Output::Transmit { header, payload } = self.connection.poll_output(self.now) {
            let piece = [header, payload].concat();
            let count = (most.unwrap_or(0) - sent.len()).min(piece.len());
            sent.extend_from_slice(&piece[..count]);
            self.connection.handle_sent(self.now, count);
            if count < piece.len() {
                break;
            }
        }
        if most.is_none() && self.connection.waiting_output() > 0 {
            self.connection.handle_write_failed(self.now);
        }
        self.log.push(format!("{sent:?}"));
    }

    /// Takes answers in a batch while that is possible, and the rest one by one.
    fn take_answers(&mut self, mut bytes: &[u8]) {
        let Self { connection, now, log, .. } = self;
        while connection.take_batch(*now, &mut bytes, |reply| log.push(format!("{:?}", Event::Reply(reply)))) > 0 {}
        self.receive_whole(bytes);
    }

    fn receive_whole(&mut self, mut bytes: &[u8]) {
        while let Some(event) = self.connection.handle_input(self.now, &mut bytes) {
            self.log.push(format!("{event:?}"));
        }
        // This side reads no more for now: a driver keeps the rest, and offers it again.
        self.kept = bytes.to_vec();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_is_the_general_way_on_the_plain_wire(
        quiet in 0..3_u64,
        steps in vec((step(), vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..9)), 0..25),
    ) {
        let [mut short, mut general] = [false, true].map(|observe| Side::plain(quiet, observe));
        for (step, line) in &steps {
            for side in [&mut short, &mut general] {
                match step {
                    Step::Next(_) | Step::Other(_) | Step::GoAway(_) | Step::Close(..) | Step::Unknown => {
                        side.receive(line);
                        side.look();
                    }
                    step => side.take(step),
                }
            }
            prop_assert_eq!(short.log.last(), general.log.last(), "after {:?}", step);
        }
        prop_assert_eq!(short.log, general.log);
        prop_assert_eq!(short.owned, general.owned);
    }

    #[test]
    fn the_short_way_is_the_general_way(
        is_server: bool,
        server_first: bool,
        is_patient: bool,
        is_small: bool,
        steps in vec(step(), 0..25),
    ) {
        let role = if is_server { Role::Server } else { Role::Client };
        let first_fin = if server_first { Role::Server } else { Role::Client };
        let change = |config: &mut Config| {
            if is_patient {
                config.deadlines.idle = Duration::MAX;
                config.deadlines.write = Duration::MAX;
                config.deadlines.answer = Duration::MAX;
            }
            if is_small {
                config.limit = 50;
            }
        };
        let [mut short, mut general] = [false, true].map(|observe| Side::new(role, first_fin, change, observe));
        for step in &steps {
            short.take(step);
            general.take(step);
            prop_assert_eq!(short.log.last(), general.log.last(), "after {:?}", step);
        }
        prop_assert_eq!(short.log, general.log);
        prop_assert_eq!(short.owned, general.owned);
    }

    #[test]
    fn a_batch_is_the_general_way(
        server_first: bool,
        is_small: bool,
        steps in vec((step(), 0..200_usize, vec(room(), 1..4)), 0..25),
    ) {
        let first_fin = if server_first { Role::Server } else { Role::Client };
        let change = |config: &mut Config| if is_small { config.limit = 50 };
        let mut batch = Side::new(Role::Server, first_fin, change, false);
        let mut general = Side::new(Role::Server, first_fin, change, true);
        for (step, held_back, room) in &steps {
            if let Step::Next(lengths) = step {
                // The end of an input may be in the next one.
                let mut input = batch.kept.clone();
                for length in lengths {
                    batch.last += 1;
                    input.extend(batch.message(batch.last, *length));
                }
                let (now, later) = input.split_at(input.len().saturating_sub(*held_back));
                let taken = batch.serve(now, room);
                general.follow(now, &taken);
                for side in [&mut batch, &mut general] {
                    side.kept.extend_from_slice(later);
                    side.look();
                }
            } else {
                for side in [&mut batch, &mut general] {
                    let kept = std::mem::take(&mut side.kept);
                    side.receive_whole(&kept);
                    side.take(step);
                }
            }
            prop_assert_eq!(batch.log.last(), general.log.last(), "after {:?}", step);
            let waiting = batch.connection.waiting_output();
            let owned = batch.connection.owned_memory();
            prop_assert!(owned <= 4 * waiting + 2 * 70_100 + 4096, "{owned} bytes for {waiting}");
        }
        prop_assert_eq!(batch.log, general.log);
    }

    #[test]
    fn a_batch_is_the_general_way_on_the_plain_wire(
        quiet in 0..3_u64,
        steps in vec((step(), vec(line_part(), 0..6), vec(room(), 1..4)), 0..25),
    ) {
        let [mut batch, mut general] = [false, true].map(|observe| Side::plain(quiet, observe));
        for (step, parts, room) in &steps {
            if let Step::Next(_) = step {
                let input = [batch.kept.clone(), parts.concat()].concat();
                let taken = batch.serve(&input, room);
                general.follow(&input, &taken);
                for side in [&mut batch, &mut general] {
                    side.look();
                }
            } else if let Step::Sent(_) | Step::Leave | Step::Fail | Step::Pause(_) | Step::Wait(_) | Step::Fin = step {
                batch.take(step);
                general.take(step);
            }
            prop_assert_eq!(batch.log.last(), general.log.last(), "after {:?}", step);
        }
        prop_assert_eq!(batch.log, general.log);
    }

    #[test]
    fn a_batch_of_requests_is_the_general_way(
        is_small: bool,
        is_patient: bool,
        steps in vec((step(), 0..200_usize, room(), vec(prop_oneof![0..100_usize, Just(5_000), Just(70_000)], 0..5)), 0..25),
    ) {
        let change = |config: &mut Config| {
            if is_small {
                config.limit = 50;
            }
            if is_patient {
                config.deadlines.answer = Duration::MAX;
            }
        };
        let mut batch = Side::new(Role::Client, Role::Client, change, false);
        let mut general = Side::new(Role::Client, Role::Client, change, true);
        for (step, held_back, most, lengths) in &steps {
            match step {
                Step::Send(_) => {
                    let is_batch = batch.ask(lengths, *most);
                    general.ask_singly(lengths, *most, is_batch);
                    if !is_batch {
                        batch.ask_singly(lengths, *most, false);
                    }
                    for side in [&mut batch, &mut general] {
                        side.look();
                    }
                }
                Step::Next(lengths) => {
                    let mut input = batch.kept.clone();
                    for length in lengths {
                        if batch.last < batch.connection.machine().account().begun {
                            batch.last += 1;
                            input.extend(batch.message(batch.last, *length));
                        }
                    }
                    let (now, later) = input.split_at(input.len().saturating_sub(*held_back));
                    batch.take_answers(now);
                    general.receive_whole(now);
                    for side in [&mut batch, &mut general] {
                        side.kept.extend_from_slice(later);
                        side.look();
                    }
                }
                step => {
                    for side in [&mut batch, &mut general] {
                        let kept = std::mem::take(&mut side.kept);
                        side.receive_whole(&kept);
                        side.take(step);
                    }
                }
            }
            prop_assert_eq!(batch.log.last(), general.log.last(), "after {:?}", step);
        }
        prop_assert_eq!(batch.log, general.log);
    }
}

/// A part of a line, or of several.
fn line_part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => Just(b"\n".to_vec()),
        4 => vec(Just(b'a'), 0..9),
        2 => Just(b"some text\nand more\nand".to_vec()),
        1 => Just(vec![b'a'; 5000]),
    ]
}

/// How many bytes a write takes.
fn room() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![12 => Just(Some(usize::MAX)), 6 => (0..80_000_usize).prop_map(Some), 2 => Just(Some(0)), 1 => Just(None)]
}

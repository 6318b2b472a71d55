//! Requests and answers in order take a shorter way through the session. It must do the same as the general way, which
//! is taken while an observer watches the machine.

use echo_core::close::{CloseReason, Machine};
use echo_core::{CloseCode, Config, Connection, Role, Stamp, frame};
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
        let mut side = Self { role, connection, now: Duration::ZERO, last: 0, log: Vec::new() };
        side.receive(&echo_core::preface::preface(role.peer(), 1));
        side
    }

    /// A server on the plain wire. `quiet` is in seconds.
    fn plain(quiet: u64, observe: bool) -> Self {
        let mut config = Config::default();
        config.quiet = Duration::from_secs(quiet);
        config.observe = observe.then_some((|_, _| ()) as fn(&Machine, _));
        let connection = Connection::server(config, Stamp(7));
        Self { role: Role::Server, connection, now: Duration::ZERO, last: 0, log: Vec::new() }
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
        let owned = self.connection.owned_memory();
        let state = (hasher.finish(), running, self.connection.next_time(), self.connection.traffic(), owned);
        self.log.push(format!("{state:?} {:?}", self.connection.machine()));
        let output = format!("{:?}", self.connection.poll_output(self.now));
        self.log.push(output);
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
    }
}

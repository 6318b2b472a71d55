//! What the benches measure: batches of messages, and connections to handle them.

use echo_core::close::CloseReason;
use echo_core::{AnswerBatch, Config, Connection, Event, Output, RequestBatch, Role, Stamp, frame, preface};
use std::hint::black_box;
use std::time::Duration;

/// Messages of a batch, and bytes of each.
#[derive(Clone, Copy)]
pub(crate) struct Messages {
    pub(crate) count: usize,
    pub(crate) size: usize,
}

impl Messages {
    pub(crate) const OF_64_B: Self = Self { count: 128, size: 64 };
    pub(crate) const OF_1_KIB: Self = Self { count: 32, size: 1024 };
    pub(crate) const OF_64_KIB: Self = Self { count: 4, size: 64 * 1024 };

    /// Returns a batch of ECHOs, the first with number `first`.
    pub(crate) fn echoes(self, first: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for seq in (first..).take(self.count) {
            frame::echo_header(&mut bytes, seq, Stamp(1), self.size);
            bytes.resize(bytes.len() + self.size, b'x');
        }
        bytes
    }

    /// Returns the answers to a batch of requests, the first with number `first`.
    pub(crate) fn replies(self, first: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for seq in (first..).take(self.count) {
            frame::reply_header(&mut bytes, seq, [Stamp(1); 3], self.size);
            bytes.resize(bytes.len() + self.size, b'x');
        }
        bytes
    }
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} B", self.count, self.size)
    }
}

/// Returns 128 lines of 64 B.
pub(crate) fn lines() -> Vec<u8> {
    [&[b'x'; 63][..], b"\n"].concat().repeat(128)
}

/// A server that knows no wire yet.
pub(crate) fn new_server() -> Connection {
    Connection::server(Config::default(), Stamp(0))
}

/// A server that has read the client's preface, and whose own is sent.
pub(crate) fn server() -> Connection {
    greeted(new_server(), Role::Client)
}

/// A client that has read the server's preface, and whose own is sent.
pub(crate) fn client() -> Connection {
    greeted(Connection::client(Config::default(), Stamp(0)), Role::Server)
}

fn greeted(mut connection: Connection, peer: Role) -> Connection {
    let hello = preface::preface(peer, 1);
    let mut input = &hello[..];
    while connection.handle_input(Duration::ZERO, &mut input).is_some() {}
    drain(&mut connection);
    connection
}

/// Takes all output, as a transport with enough room does.
pub(crate) fn drain(connection: &mut Connection) {
    while let Output::Transmit { header, payload } = connection.poll_output(Duration::ZERO) {
        let count = black_box(header).len() + black_box(payload).len();
        connection.handle_sent(Duration::ZERO, count);
    }
}

/// Answers requests in `input` in batches, for a transport that takes all. Returns the input that no batch takes.
pub(crate) fn serve<'i>(server: &mut Connection, mut input: &'i [u8], batch: &mut AnswerBatch) -> &'i [u8] {
    while server.serve_batch(
        Duration::ZERO,
        &mut input,
        batch,
        || Duration::ZERO,
        |slices| Some(black_box(slices).iter().map(|slice| slice.len()).sum()),
    ) > 0
    {}
    input
}

/// Answers all requests in `input`, message by message through the queue.
pub(crate) fn answer(server: &mut Connection, mut input: &[u8]) {
    // A driver offers what is left when its output has been written.
    while !input.is_empty() {
        while let Some(event) = server.handle_input(Duration::ZERO, &mut input) {
            assert!(matches!(black_box(event), Event::Request { .. }));
        }
        drain(server);
    }
}

/// Sends `count` requests, and takes their answers.
pub(crate) fn request(client: &mut Connection, count: usize, payload: &[u8], mut answers: &[u8]) {
    for _ in 0..count {
        assert!(client.send(Duration::ZERO, payload).is_ok());
    }
    drain(client);
    while let Some(event) = client.handle_input(Duration::ZERO, &mut answers) {
        assert!(matches!(black_box(event), Event::Reply(_)));
    }
    drain(client);
}

/// The same in a batch.
pub(crate) fn request_batch(
    client: &mut Connection,
    count: usize,
    payload: &[u8],
    mut answers: &[u8],
    batch: &mut RequestBatch,
) {
    assert!(client.begin_batch(batch));
    for _ in 0..count {
        assert!(batch.add(payload).is_ok());
    }
    client.send_batch(Duration::ZERO, batch, |bytes| Some(black_box(bytes).len()));
    let taken = client.take_batch(Duration::ZERO, &mut answers, |reply| {
        black_box(reply);
    });
    assert_eq!(taken, count as u64);
}

/// A whole conversation between two connections: preface, a message, the close handshake.
pub(crate) fn converse() {
    let mut client = Connection::client(Config::default(), Stamp(0));
    let mut server = new_server();
    assert!(client.send(Duration::ZERO, b"hello").is_ok());
    client.leave(Duration::ZERO, CloseReason::normal());
    loop {
        let moved = pass(&mut client, &mut server) | pass(&mut server, &mut client);
        if client.outcome().is_some() && server.outcome().is_some() {
            break;
        }
        assert!(moved, "the conversation goes on");
    }
    assert!(client.outcome().is_some_and(|outcome| outcome.end.is_clean()));
}

/// Passes all output of one side to the other. Returns whether there was any.
fn pass(from: &mut Connection, to: &mut Connection) -> bool {
    let mut moved = false;
    loop {
        let (bytes, fin) = match from.poll_output(Duration::ZERO) {
            Output::Transmit { header, payload } => ([header, payload].concat(), false),
            Output::Fin => (Vec::new(), true),
            Output::Abort | Output::Wait(_) | Output::Ended(_) => return moved,
        };
        moved = true;
        if fin {
            from.handle_fin_sent(Duration::ZERO);
            to.handle_fin(Duration::ZERO);
            continue;
        }
        from.handle_sent(Duration::ZERO, bytes.len());
        let mut input = &bytes[..];
        while to.handle_input(Duration::ZERO, &mut input).is_some() {}
    }
}

/// The time before each answer on the plain wire, when the second has changed.
pub(crate) fn ctime_header() -> String {
    echo_core::plain::ctime_header(black_box(Stamp(1_700_000_000_000_000_000)), black_box(3600))
}

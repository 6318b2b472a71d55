//! What a message costs without I/O, beside two peers that promise less:
//!
//! - `length_delimited`: tokio-util's LengthDelimitedCodec reads a message and writes it back. It has no numbers, stamps
//!   or end.
//! - `by_hand`: a loop without state over the same frames, with stamps: the least that the wire costs.
//!
//! `cargo bench -p echo-core`. One round is a batch as one read brings it: 128 messages of 64 B, 32 of 1 KiB, or 4 of 64
//! KiB.

use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use echo_core::close::CloseReason;
use echo_core::{Config, Connection, Event, Output, Role, Stamp, frame, preface};
use std::io::IoSlice;
use std::time::Duration;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

/// Messages of a batch, and bytes of each.
#[derive(Clone, Copy)]
struct Batch {
    count: usize,
    size: usize,
}

const BATCHES: [Batch; 3] =
    [Batch { count: 128, size: 64 }, Batch { count: 32, size: 1024 }, Batch { count: 4, size: 64 * 1024 }];

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} B", self.count, self.size)
    }
}

fn main() {
    divan::main();
}

/// Returns a batch of ECHOs, the first with number `first`.
fn echoes(batch: Batch, first: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for seq in (first..).take(batch.count) {
        frame::echo_header(&mut bytes, seq, Stamp(1), batch.size);
        bytes.resize(bytes.len() + batch.size, b'x');
    }
    bytes
}

/// A server that has read the client's preface, and whose own is sent.
fn server() -> Connection {
    let mut server = Connection::server(Config::default(), Stamp(0));
    let hello = preface::preface(Role::Client, 1);
    let mut input = &hello[..];
    while server.handle_input(Duration::ZERO, &mut input).is_some() {}
    drain(&mut server);
    server
}

/// Takes all output, as a transport with enough room does. Returns the number of bytes.
fn drain(connection: &mut Connection) -> usize {
    let mut total = 0;
    while let Output::Transmit { header, payload } = connection.poll_output(Duration::ZERO) {
        let count = black_box(header).len() + black_box(payload).len();
        connection.handle_sent(Duration::ZERO, count);
        total += count;
    }
    total
}

/// ECHO to stamped REPLY: decoded, counted, answered, lent to a transport that takes all.
#[divan::bench(args = BATCHES)]
fn server_batch(bencher: Bencher<'_, '_>, batch: Batch) {
    let mut server = server();
    let mut answers = echo_core::AnswerBatch::default();
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(batch.count))
        .with_inputs(|| {
            let bytes = echoes(batch, next);
            next += batch.count as u64;
            bytes
        })
        .bench_local_refs(|bytes| {
            let mut input = &bytes[..];
            while !input.is_empty() {
                let count = server.serve_batch(Duration::ZERO, &mut input, &mut answers, || Duration::ZERO, take_all);
                assert!(count > 0);
            }
        });
}

/// A write to a transport that takes all.
fn take_all(slices: &[IoSlice<'_>]) -> Option<usize> {
    Some(black_box(slices).iter().map(|slice| slice.len()).sum())
}

/// The same, message by message through the queue.
#[divan::bench(args = BATCHES)]
fn server_queue(bencher: Bencher<'_, '_>, batch: Batch) {
    let mut server = server();
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(batch.count))
        .with_inputs(|| {
            let bytes = echoes(batch, next);
            next += batch.count as u64;
            bytes
        })
        .bench_local_refs(|bytes| {
            let mut input = &bytes[..];
            // A driver offers what is left when its output has been written.
            while !input.is_empty() {
                while let Some(event) = server.handle_input(Duration::ZERO, &mut input) {
                    assert!(matches!(black_box(event), Event::Request { .. }));
                }
                drain(&mut server);
            }
        });
}

/// The same at a client: a batch of requests, and their answers.
#[divan::bench(args = BATCHES)]
fn client_connection(bencher: Bencher<'_, '_>, batch: Batch) {
    let mut client = Connection::client(Config::default(), Stamp(0));
    let hello = preface::preface(Role::Server, 1);
    let mut input = &hello[..];
    while client.handle_input(Duration::ZERO, &mut input).is_some() {}
    let payload = vec![b'x'; batch.size];
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(batch.count))
        .with_inputs(|| {
            let mut answers = Vec::new();
            for seq in (next..).take(batch.count) {
                frame::reply_header(&mut answers, seq, [Stamp(1); 3], batch.size);
                answers.extend_from_slice(&payload);
            }
            next += batch.count as u64;
            answers
        })
        .bench_local_refs(|answers| {
            for _ in 0..batch.count {
                assert!(client.send(Duration::ZERO, &payload).is_ok());
            }
            drain(&mut client);
            let mut input = &answers[..];
            while let Some(event) = client.handle_input(Duration::ZERO, &mut input) {
                assert!(matches!(black_box(event), Event::Reply(_)));
            }
            drain(&mut client);
        });
}

#[divan::bench(args = BATCHES)]
fn length_delimited(bencher: Bencher<'_, '_>, batch: Batch) {
    let mut codec = LengthDelimitedCodec::new();
    let mut whole = BytesMut::new();
    for _ in 0..batch.count {
        codec.encode(Bytes::from(vec![b'x'; batch.size]), &mut whole).expect("it is short enough");
    }
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    bencher.counter(ItemsCount::new(batch.count)).bench_local(|| {
        // As `Framed` does: what was read is in its buffer.
        input.extend_from_slice(&whole);
        while let Some(message) = codec.decode(&mut input).expect("it is right") {
            codec.encode(message.freeze(), &mut output).expect("it is short enough");
        }
        black_box(&output);
        output.clear();
    });
}

#[divan::bench(args = BATCHES)]
fn by_hand(bencher: Bencher<'_, '_>, batch: Batch) {
    let input = echoes(batch, 1);
    let mut output: Vec<u8> = Vec::with_capacity(2 * input.len());
    bencher.counter(ItemsCount::new(batch.count)).bench_local(|| {
        let mut rest = black_box(&input[..]);
        while let Some((head, after)) = rest.split_at_checked(20) {
            let size = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize - 8;
            let (payload, after) = after.split_at(size);
            output.extend_from_slice(&(size as u32 + 24).to_be_bytes()[1..]);
            output.push(2);
            output.extend_from_slice(&head[4..20]);
            output.extend_from_slice(&[7; 16]);
            output.extend_from_slice(payload);
            rest = after;
        }
        black_box(&output);
        output.clear();
    });
}

/// Lines of 64 B on the plain wire: each answer has the time before it.
#[divan::bench]
fn server_plain(bencher: Bencher<'_, '_>) {
    let mut server = Connection::server(Config::default(), Stamp(0));
    let mut answers = echo_core::AnswerBatch::default();
    let line = [&[b'x'; 63][..], b"\n"].concat();
    let lines = line.repeat(128);
    bencher.counter(ItemsCount::new(128_usize)).bench_local(|| {
        let mut input = black_box(&lines[..]);
        while server.serve_batch(Duration::ZERO, &mut input, &mut answers, || Duration::ZERO, take_all) > 0 {}
        // The first one is handled alone: it may show a client that wanted another server.
        while let Some(event) = server.handle_input(Duration::ZERO, &mut input) {
            assert!(matches!(black_box(event), Event::Request { .. }));
        }
        drain(&mut server);
    });
}

/// A whole conversation between two connections: preface, a message, the close handshake.
#[divan::bench]
fn short_conversation(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let mut client = Connection::client(Config::default(), Stamp(0));
        let mut server = Connection::server(Config::default(), Stamp(0));
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
    });
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
#[divan::bench]
fn ctime_header() -> String {
    echo_core::plain::ctime_header(black_box(Stamp(1_700_000_000_000_000_000)), black_box(3600))
}

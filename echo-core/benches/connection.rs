//! What a message costs without I/O, beside two peers that promise less:
//!
//! - `length_delimited`: tokio-util's LengthDelimitedCodec reads a message and writes it back. It has no numbers, stamps
//!   or end.
//! - `by_hand`: a loop without state over the same frames, with stamps: the least that the wire costs.
//!
//! `cargo bench -p echo-core --bench connection`. One round is a batch as one read brings it: 128 messages of 64 B, 32 of
//! 1 KiB, or 4 of 64 KiB.

mod common;

use bytes::{Bytes, BytesMut};
use common::Messages;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use echo_core::{AnswerBatch, RequestBatch};
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

const BATCHES: [Messages; 3] = [Messages::OF_64_B, Messages::OF_1_KIB, Messages::OF_64_KIB];

fn main() {
    divan::main();
}

/// ECHO to stamped REPLY: decoded, counted, answered, lent to a transport that takes all.
#[divan::bench(args = BATCHES)]
fn server_batch(bencher: Bencher<'_, '_>, messages: Messages) {
    let mut server = common::server();
    let mut batch = AnswerBatch::default();
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(messages.count))
        .with_inputs(|| {
            let bytes = messages.echoes(next);
            next += messages.count as u64;
            bytes
        })
        .bench_local_refs(|bytes| assert!(common::serve(&mut server, bytes, &mut batch).is_empty()));
}

/// The same, message by message through the queue.
#[divan::bench(args = BATCHES)]
fn server_queue(bencher: Bencher<'_, '_>, messages: Messages) {
    let mut server = common::server();
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(messages.count))
        .with_inputs(|| {
            let bytes = messages.echoes(next);
            next += messages.count as u64;
            bytes
        })
        .bench_local_refs(|bytes| common::answer(&mut server, bytes));
}

/// A client: a batch of requests, and their answers.
#[divan::bench(args = BATCHES)]
fn client_batch(bencher: Bencher<'_, '_>, messages: Messages) {
    let mut client = common::client();
    let mut batch = RequestBatch::default();
    let payload = vec![b'x'; messages.size];
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(messages.count))
        .with_inputs(|| {
            let answers = messages.replies(next);
            next += messages.count as u64;
            answers
        })
        .bench_local_refs(|answers| common::request_batch(&mut client, messages.count, &payload, answers, &mut batch));
}

/// The same, message by message through the queue.
#[divan::bench(args = BATCHES)]
fn client_queue(bencher: Bencher<'_, '_>, messages: Messages) {
    let mut client = common::client();
    let payload = vec![b'x'; messages.size];
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(messages.count))
        .with_inputs(|| {
            let answers = messages.replies(next);
            next += messages.count as u64;
            answers
        })
        .bench_local_refs(|answers| common::request(&mut client, messages.count, &payload, answers));
}

#[divan::bench(args = BATCHES)]
fn length_delimited(bencher: Bencher<'_, '_>, messages: Messages) {
    let mut codec = LengthDelimitedCodec::new();
    let mut whole = BytesMut::new();
    for _ in 0..messages.count {
        codec.encode(Bytes::from(vec![b'x'; messages.size]), &mut whole).expect("it is short enough");
    }
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    bencher.counter(ItemsCount::new(messages.count)).bench_local(|| {
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
fn by_hand(bencher: Bencher<'_, '_>, messages: Messages) {
    let input = messages.echoes(1);
    let mut output: Vec<u8> = Vec::with_capacity(2 * input.len());
    bencher.counter(ItemsCount::new(messages.count)).bench_local(|| {
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
    let mut server = common::new_server();
    let mut batch = AnswerBatch::default();
    let lines = common::lines();
    bencher.counter(ItemsCount::new(128_usize)).bench_local(|| {
        let left = common::serve(&mut server, black_box(&lines), &mut batch);
        // The first one is handled alone: it may show a client that wanted another server.
        common::answer(&mut server, left);
    });
}

/// A whole conversation between two connections: preface, a message, the close handshake.
#[divan::bench]
fn short_conversation(bencher: Bencher<'_, '_>) {
    bencher.bench_local(common::converse);
}

/// The time before each answer on the plain wire, when the second has changed.
#[divan::bench]
fn ctime_header() -> String {
    common::ctime_header()
}

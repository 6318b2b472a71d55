//! How many instructions the usual work takes, as Callgrind counts them. `.ci/instructions` compares the counts with the
//! committed ones in `instructions.txt`.
//!
//! Each bench does its work once before it is counted. So buffers have been allocated, and malloc has free memory of each
//! size: otherwise what it does would depend on earlier allocations, even on the length of the program's path. What a
//! bench returns is dropped behind it, and does not count.

// What the macros of gungraun write.
#![allow(missing_docs, unreachable_pub)]

mod common;

use common::Messages;
use echo_core::close::{Action, CloseReason, Machine, MachineEvent, Policy};
use echo_core::frame::Decoder;
use echo_core::{AnswerBatch, Connection, RequestBatch, Role};
use gungraun::prelude::*;
use std::hint::black_box;

/// The C library has several versions of memcpy, memchr and so on, and picks one by the features of the processor.
/// Valgrind does not show it the real one but one of a few fixed models: never with AVX-512, and with AVX2 and ERMS (a
/// fast `rep movsb`) only if the real one has AVX2. Without these features the library picks the versions for any
/// x86-64. The counts differ by up to a third.
const ANY_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2";

/// A batch of requests for a server that has answered one before.
struct Requests {
    server: Connection,
    batch: AnswerBatch,
    input: Vec<u8>,
}

fn echoes(messages: Messages) -> Requests {
    let mut server = common::server();
    common::answer(&mut server, &messages.echoes(1));
    let mut batch = AnswerBatch::default();
    common::serve(&mut server, &messages.echoes(1 + messages.count as u64), &mut batch);
    Requests { server, batch, input: messages.echoes(1 + 2 * messages.count as u64) }
}

fn lines() -> Requests {
    let mut server = common::new_server();
    let input = common::lines();
    common::answer(&mut server, &input);
    let mut batch = AnswerBatch::default();
    common::serve(&mut server, &input, &mut batch);
    Requests { server, batch, input }
}

#[library_benchmark]
#[bench::of_64_b(echoes(Messages::OF_64_B))]
#[bench::of_1_kib(echoes(Messages::OF_1_KIB))]
#[bench::of_64_kib(echoes(Messages::OF_64_KIB))]
#[bench::lines_of_64_b(lines())]
fn server_batch(mut requests: Requests) -> Requests {
    assert!(common::serve(&mut requests.server, &requests.input, &mut requests.batch).is_empty());
    requests
}

#[library_benchmark]
#[bench::of_64_b(echoes(Messages::OF_64_B))]
#[bench::lines_of_64_b(lines())]
fn server_queue(mut requests: Requests) -> Requests {
    common::answer(&mut requests.server, &requests.input);
    requests
}

/// A client that has had the answers to one batch of requests, a payload, and the answers to the next batch.
fn replies(messages: Messages) -> (Connection, Vec<u8>, Vec<u8>) {
    let mut client = common::client();
    let payload = vec![b'x'; messages.size];
    common::request(&mut client, messages.count, &payload, &messages.replies(1));
    (client, payload, messages.replies(1 + messages.count as u64))
}

#[library_benchmark]
#[bench::of_64_b(replies(Messages::OF_64_B))]
fn client_queue((mut client, payload, answers): (Connection, Vec<u8>, Vec<u8>)) -> (Connection, Vec<u8>, Vec<u8>) {
    common::request(&mut client, Messages::OF_64_B.count, &payload, &answers);
    (client, payload, answers)
}

#[library_benchmark]
#[bench::of_64_b(replies(Messages::OF_64_B))]
fn client_batch((mut client, payload, answers): (Connection, Vec<u8>, Vec<u8>)) -> (Connection, Vec<u8>, Vec<u8>) {
    let mut batch = RequestBatch::default();
    common::request_batch(&mut client, Messages::OF_64_B.count, &payload, &answers, &mut batch);
    (client, payload, answers)
}

fn frames(messages: Messages) -> (Decoder, Vec<u8>) {
    (Decoder::new(messages.size), messages.echoes(1))
}

#[library_benchmark]
#[bench::of_64_b(frames(Messages::OF_64_B))]
fn decoder((mut decoder, bytes): (Decoder, Vec<u8>)) -> (Decoder, Vec<u8>) {
    let mut input = &bytes[..];
    while let Some(frame) = decoder.decode(&mut input).expect("the frames are right") {
        black_box(frame);
    }
    (decoder, bytes)
}

#[library_benchmark]
#[bench::whole(common::converse())]
fn conversation((): ()) {
    common::converse();
}

fn machines() -> (Machine, Machine) {
    let new = || (Machine::new(Role::Client, Policy::FRAMED), Machine::new(Role::Server, Policy::FRAMED));
    close(new());
    new()
}

/// One request and its answer, then GOAWAY, CLOSE, CLOSE, FIN, FIN.
fn close((mut client, mut server): (Machine, Machine)) -> (Machine, Machine) {
    let close = |last| MachineEvent::Close { last, close_reason: CloseReason::normal(), first_fin: Role::Client };
    client.handle(black_box(MachineEvent::Send));
    client.note_begun(1);
    server.handle(black_box(MachineEvent::Request(1)));
    server.handle(black_box(MachineEvent::Answered(1)));
    client.handle(black_box(MachineEvent::Answer(1)));
    assert!(client.handle(black_box(MachineEvent::Leave(CloseReason::normal()))).contains(Action::GoAway));
    assert!(server.handle(black_box(MachineEvent::GoAway { last: 1 })).contains(Action::Close));
    assert!(client.handle(black_box(close(1))).contains(Action::Close));
    server.handle(black_box(close(1)));
    server.handle(black_box(MachineEvent::Fin));
    client.handle(black_box(MachineEvent::Fin));
    assert!(client.outcome().is_some_and(|outcome| outcome.end.is_clean()));
    assert!(server.outcome().is_some_and(|outcome| outcome.end.is_clean()));
    (client, server)
}

#[library_benchmark]
#[bench::usual_order(machines())]
fn close_machine(machines: (Machine, Machine)) -> (Machine, Machine) {
    close(machines)
}

#[library_benchmark]
#[bench::of_a_second(drop(common::ctime_header()))]
fn ctime_header((): ()) -> String {
    common::ctime_header()
}

library_benchmark_group!(
    name = instructions,
    benchmarks =
        [server_batch, server_queue, client_batch, client_queue, decoder, conversation, close_machine, ctime_header]
);

main!(
    config = LibraryBenchmarkConfig::default()
        .env("GLIBC_TUNABLES", ANY_PROCESSOR)
        .tool(gungraun::Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = instructions
);

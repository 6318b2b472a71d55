//! The real server and client, asked from outside: what a few words bring about, by the clause that says so.

use sim_tests::learn::client::{self, ClientInput};
use sim_tests::learn::server::{self, ServerInput};
use std::fmt::Display;

fn line<I: Copy + Display>(word: &[I], ask: impl Fn(&[I]) -> Result<Vec<String>, String>) -> String {
    let outputs = ask(word).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outputs.len(), word.len());
    let steps = word.iter().zip(outputs).map(|(input, output)| format!("{input} / {output}"));
    steps.collect::<Vec<_>>().join(", ") + "\n"
}

#[test]
fn what_a_server_answers() {
    use ServerInput::{Close, Drain, Echo, EchoOutOfOrder, Fin, GoAway, Preface, Rst, UnknownFrame, Wait};
    let words: [&[ServerInput]; 7] = [
        // Clauses 5.1 to 5.4.
        &[Preface, Echo, GoAway, Close, Fin],
        // Clauses 5.12, 8.1: idle, drain, and nobody comes to CLOSE.
        &[Preface, Wait, Wait, Wait],
        // Clause 5.7.
        &[Preface, Echo, Fin],
        // Clauses 4.6 and 5.6.
        &[Preface, EchoOutOfOrder, Echo, Fin],
        // Clause 4.7, and what is told to end.
        &[Preface, UnknownFrame, Drain, GoAway, Close, Fin],
        // Clauses 1.1, 1.3 and 2.5.
        &[Echo, Fin],
        &[Rst, Echo],
    ];
    insta::assert_snapshot!(words.map(|word| line(word, server::ask)).concat(), @"
    preface / preface, ECHO / REPLY, GOAWAY / CLOSE 1000, CLOSE / -, FIN / FIN
    preface / preface, wait / GOAWAY 1001, wait / CLOSE 1001, wait / FIN
    preface / preface, ECHO / REPLY, FIN / CLOSE 1002 FIN
    preface / preface, ECHO? / CLOSE 1002, ECHO / -, FIN / FIN
    preface / preface, frame? / -, drain / GOAWAY 1001, GOAWAY / CLOSE 1001, CLOSE / -, FIN / FIN
    ECHO / text, FIN / FIN
    RST / -, ECHO / -
    ");
}

#[test]
fn what_a_client_answers() {
    use ClientInput::{
        Close, CloseError, CloseFinFirst, CloseWrong, Fin, GoAway, Leave, Preface, Reply, ReplyOutOfOrder, Send, Wait,
    };
    let words: [&[ClientInput]; 7] = [
        // Clauses 1.8 and 5.1 to 5.4.
        &[Send, Preface, Reply, Leave, Close, Fin],
        // Clause 5.4: the server sends FIN first.
        &[Preface, GoAway, CloseFinFirst, Fin],
        // Clause 5.3.
        &[Preface, Send, Leave, CloseWrong],
        // Clause 1.7.
        &[Reply],
        // Clause 5.6.
        &[Preface, CloseError, Fin],
        &[Preface, Send, ReplyOutOfOrder],
        // Clause 8.1: an answer that does not come.
        &[Preface, Send, Wait, Wait],
    ];
    insta::assert_snapshot!(words.map(|word| line(word, client::ask)).concat(), @"
    send / -, preface / ECHO, REPLY / -, leave / GOAWAY 1000, CLOSE / CLOSE 1000 FIN, FIN / -
    preface / -, GOAWAY / GOAWAY 1000, CLOSE first / CLOSE 1000, FIN / FIN
    preface / -, send / ECHO, leave / GOAWAY 1000, CLOSE? / CLOSE 1002 FIN
    REPLY / CLOSE 1002 FIN
    preface / -, CLOSE 1011 / FIN, FIN / -
    preface / -, send / ECHO, REPLY? / CLOSE 1002 FIN
    preface / -, send / ECHO, wait / CLOSE 1008 FIN, wait / -
    ");
}

#[test]
fn a_word_is_answered_alike_each_time() {
    let words = ServerInput::ALL.map(|last| [ServerInput::Preface, ServerInput::Echo, last]);
    for word in words {
        assert_eq!(server::ask(&word), server::ask(&word));
    }
}

//! A person at the prompt.

use crate::support::person::Person;
use crate::support::program::Serve;

#[test]
fn answers_are_shown_above_the_prompt_and_an_empty_line_ends() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("hello\r");
    person.sees("] hello (");
    person.sees("> ");
    person.types("\r");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended clean (1000 normal)") && shown.contains("1 answered"), "{shown:?}");
    assert_eq!(code, 0);
    serve.kid.logs("connection 1 from").contains("begins");
    serve.kid.logs("ends: clean (1000 normal)");
}

#[test]
fn ctrl_d_ends() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("\x04");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended clean (1000 normal)"), "{shown:?}");
    assert_eq!(code, 0);
}

#[test]
fn ctrl_c_ends_politely_too() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("\x03");
    let (shown, code) = person.leaves();
    assert!(shown.contains("ended clean (1000 normal)"), "{shown:?}");
    assert_eq!(code, 0);
}

#[test]
fn a_server_that_is_killed_ends_the_prompt_without_a_key() {
    let mut serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &[]);
    person.types("hello\r");
    person.sees("] hello (");
    person.half_types("half a line, with no en");
    serve.kid.kill();
    let (shown, code) = person.leaves();
    assert!(shown.contains("the conversation ended truncated"), "{shown:?}");
    assert_ne!(code, 0);
}

#[test]
fn on_the_plain_wire_what_comes_is_shown_and_a_server_that_goes_ends_it() {
    let serve = Serve::start(&[]);
    let mut person = Person::at_prompt(serve.address, &["--plain"]);
    person.types("hello\r");
    person.sees("] hello");
    person.half_types("half a lin");
    serve.kid.signal("INT");
    let (shown, code) = person.leaves();
    // The line that was not sent is nobody's loss: every byte sent came back (clause 2.5: it proves no more).
    assert!(shown.contains("ended unproven; every byte sent came back"), "{shown:?}");
    assert_eq!(code, 0);
}

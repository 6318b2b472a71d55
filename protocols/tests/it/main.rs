//! The program `protocols`, as its caller sees it. What it finds is compared by `--check`, which asks Linux too.

use std::process::{Command, Output};

#[test]
fn two_processes_print_the_same_hashes() {
    let hashes = || run(&["--hashes", "--only", "LengthDelimitedCodec"]);
    let first = hashes();
    assert!(first.status.success(), "{first:?}");
    let lines = String::from_utf8(first.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert_eq!(lines.into_bytes(), hashes().stdout);
}

#[test]
fn a_name_that_no_question_has_is_an_error_of_one_line() {
    let ended = run(&["--only", "gopher"]);
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "protocols: no question has \"gopher\" in its name\n");
    assert!(ended.stdout.is_empty());
}

#[test]
fn a_folder_that_cannot_be_created_is_an_error_before_any_question() {
    let file = env!("CARGO_BIN_EXE_protocols");
    let ended = run(&["--only", "LinesCodec", "--out", file]);
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), format!("protocols: {file}: File exists (os error 17)\n"));
}

fn run(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_protocols")).args(options).output().unwrap()
}

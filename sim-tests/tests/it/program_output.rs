//! The output of `echo-sim`, and errors in writing it.

use crate::program::{stderr, stdout};
use std::process::{Command, Stdio};

/// Output that was asked for and cannot be written is an error.
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    for (to, line) in [(">&-", "echo-sim: standard output is closed\n"), ("> /dev/full", "echo-sim: standard output: ")]
    {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("\"$0\" list --count {to}"), env!("CARGO_BIN_EXE_echo-sim")]);
        let output = shell.output().expect("a shell");
        assert_eq!(output.status.code(), Some(3), "{to}");
        assert!(stderr(&output).starts_with(line), "{}", stderr(&output));
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" list --count > /dev/null", env!("CARGO_BIN_EXE_echo-sim")]);
    assert!(shell.status().expect("a shell").success());
}

/// The total is not known before, so the bar shows a count, and no percentage.
#[test]
fn the_bar_of_coverage_counts_up() {
    let mut terminal = Command::new("script");
    let coverage = format!("{} coverage --quick", env!("CARGO_BIN_EXE_echo-sim"));
    terminal.args(["-q", "-e", "-c", &coverage, "/dev/null"]).env_remove("CI").stdin(Stdio::null());
    let Ok(output) = terminal.output() else {
        assert!(std::env::var_os("CI").is_none(), "this test needs script (bsdutils), and CI has to have it");
        eprintln!("SKIPPED: the_bar_of_coverage_counts_up needs script (bsdutils)");
        return;
    };
    assert!(output.status.success());
    let shown = stdout(&output);
    assert!(shown.contains("/s") && !shown.contains("/0 "), "{}", shown.chars().take(2000).collect::<String>());
}

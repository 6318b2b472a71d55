//! Completions and manual pages name every command and every option.

use crate::support::need;
use crate::support::program::Kid;
use std::process::Command;

#[test]
fn completions_and_manual_pages() {
    let directory = std::env::temp_dir().join(format!("echo-net-generated-{}", std::process::id()));
    let (code, _, err) = Kid::echo_net(&["generate", directory.to_str().expect("UTF-8")]).finish();
    assert_eq!(code, Some(0), "{err}");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).expect(name);
    for name in ["echo-net.bash", "echo-net.fish", "_echo-net", "echo-net-serve.1", "echo-net-connect.1"] {
        assert!(read(name).contains("deadline"), "{name}");
    }
    assert!(read("echo-net.1").contains("Exit codes"));
    if need("bash") {
        let checked = Command::new("bash").arg("-n").arg(directory.join("echo-net.bash")).status();
        assert!(checked.is_ok_and(|status| status.success()));
    }
    std::fs::remove_dir_all(&directory).expect("it was made");
}

/// No line is wider than a terminal of 80 columns.
#[test]
fn help_fits_the_terminal() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["connect", "--help"], &["misbehave", "--help"]] {
        let mut command = Command::new(crate::support::program::ECHO_NET);
        command.args(arguments).env("COLUMNS", "80");
        let output = command.output().expect("it runs");
        let help = String::from_utf8(output.stdout).expect("text");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line:?}");
        }
    }
}

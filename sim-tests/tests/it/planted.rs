//! Bugs planted in the driver and in the core: a search must find each, and print how to replay it.
//!
//! The test copies the workspace below the target directory and puts the bugs into the copy; a variable of the
//! environment names the ones that are in force. The copy's `echo-sim` has to find them. The `echo-sim` of this workspace
//! must find nothing in the same scenario.

use sim_tests::file::Saved;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// A place in the sources and its replacement, in which `$PLANTED` says whether the bug is in force.
struct Bug {
    /// The value of the variable `PLANTED` that puts it in force.
    name: &'static str,
    file: &'static str,
    whole: &'static str,
    broken: &'static str,
}

/// Drops the stream after FIN was sent, although the peer may still send much.
const NO_LINGER: Bug = Bug {
    name: "no-linger",
    file: "echo-net/src/driver/output.rs",
    whole: "                            self.look(now);
                        }
                    }
                    Poll::Pending => return Poll::Pending,
",
    broken: "                            if $PLANTED { self.stream = None } else { self.look(now) }
                        }
                    }
                    Poll::Pending => return Poll::Pending,
",
};

/// At a deadline, sends RST, which deletes what the peer has not read (against clause 5.9).
const RESET: Bug = Bug {
    name: "reset",
    file: "echo-core/src/close/mod.rs",
    whole: "        out.push(Action::CloseTransport);",
    broken: "        out.push(if $PLANTED { Action::Abort } else { Action::CloseTransport });",
};

/// Ignores at a deadline that the peer still reads (against clause 8.6).
const NO_PROGRESS: Bug = Bug {
    name: "reset",
    file: "echo-core/src/session/time.rs",
    whole: "        if self.progress.look(",
    broken: "        if !$PLANTED && self.progress.look(",
};

/// Maximum number of steps and faults of a shrunk scenario.
const STEPS: usize = 5;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if path.is_dir() {
            // There are many snapshots, and the program does not need them.
            if name != "snapshots" {
                copy(&path, &to.join(name));
            }
        } else {
            let _ = fs::copy(&path, to.join(name)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

/// `echo-sim` with all bugs.
static PLANTED: LazyLock<PathBuf> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    let copied = home.join("echo");
    let _ = fs::remove_dir_all(&copied);
    for part in ["comparison", "echo-core", "echo-net", "protocols", "sim-tests", "tcp-states"] {
        copy(&workspace.join(part), &copied.join(part));
    }
    for part in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(workspace.join(part), copied.join(part)).unwrap_or_else(|error| panic!("{part}: {error}"));
    }
    for Bug { name, file, whole, broken } in [NO_LINGER, RESET, NO_PROGRESS] {
        let path = copied.join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(text.matches(whole).count(), 1, "the place for the bug is not in {file} any more");
        let in_force = format!("std::env::var_os(\"PLANTED\").is_some_and(|name| name == {name:?})");
        let text = text.replace(whole, &broken.replace("$PLANTED", &in_force));
        fs::write(&path, text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let mut cargo = Command::new(env!("CARGO"));
    for member in ["echo-core", "echo-net", "sim-tests", "tcp-states"] {
        // It runs only a little.
        cargo.arg("--config").arg(format!("profile.dev.package.{member}.opt-level=0"));
    }
    let output = cargo
        .args(["build", "--offline", "--locked", "--package", "sim-tests", "--bin", "echo-sim"])
        .current_dir(&copied)
        // Not the target directory of this workspace: cargo would take the crates of the copy for those of the original.
        .env("CARGO_TARGET_DIR", home.join("target"))
        .env_remove("CARGO_BUILD_BUILD_DIR")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "the copy does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    home.join("target/debug/echo-sim")
});

fn run(program: &Path, args: &[&str]) -> Output {
    run_with("", program, args)
}

/// Runs a program with the bugs of a name in force.
fn run_with(bugs: &str, program: &Path, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).env("PLANTED", bugs).output();
    output.unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_bug_in_the_driver_is_found_made_small_and_replayed() {
    let found = run_with("no-linger", &PLANTED, &["random", "--seeds", "0..40", "--backend", "turmoil"]);
    let report = text(&found);
    assert_eq!(found.status.code(), Some(1), "{report}");

    let from = report.find("echo-sim scenario 1\n").unwrap_or_else(|| panic!("no scenario in:\n{report}"));
    let to = from + report[from..].find("\nend\n").expect("the scenario's end") + "\nend\n".len();
    let saved: Saved = report[from..to].parse().unwrap_or_else(|refusal| panic!("{refusal}:\n{report}"));
    let scenario = &saved.scenario;
    let steps = scenario.client.steps.len() + scenario.server.steps.len() + scenario.network.faults.len();
    assert!(steps <= STEPS, "{steps} steps and faults: {scenario}");

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted.scenario");
    fs::write(&file, &report[from..to]).expect("a file for the scenario");
    let file = file.to_str().expect("UTF-8");
    let replayed = run_with("no-linger", &PLANTED, &["replay", file]);
    assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed));
    let first = |text: &str| text.lines().find(|line| line.starts_with("BROKEN")).map(ToOwned::to_owned);
    assert!(first(&text(&replayed)).is_some(), "{}", text(&replayed));

    let whole = run(Path::new(env!("CARGO_BIN_EXE_echo-sim")), &["replay", file]);
    assert_eq!(whole.status.code(), Some(0), "without the bug: {}", text(&whole));
}

/// No test noticed these bugs as long as no network had a send buffer.
#[test]
fn a_reset_at_the_end_of_patience_is_caught_on_each_backend() {
    let caught = "BROKEN: plain/client:none/server:close@answer-in-flight/slower-reader/talk-400-400";
    for backend in ["pair", "turmoil", "packet"] {
        let args = ["check", "plain/", "/slower-reader", "--backend", backend];
        let found = run_with("reset", &PLANTED, &args);
        assert_eq!(found.status.code(), Some(1), "{backend}: {}", text(&found));
        assert!(text(&found).contains(caught), "{backend}: {}", text(&found));
        let whole = run(Path::new(env!("CARGO_BIN_EXE_echo-sim")), &args);
        assert_eq!(whole.status.code(), Some(0), "without the bugs, {backend}: {}", text(&whole));
    }
}

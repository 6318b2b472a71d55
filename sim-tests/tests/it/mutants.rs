//! Mutants of the close machine: each lacks one rule, and the explorer must find a state that breaks the contract.
//!
//! A mutant is a place in the sources of `echo-core` and its replacement. Each is built from scratch with the
//! explorer's own sources, and explores the quick list. The unchanged machine is built the same way, and has to pass. A
//! mutant that does not compile, panics or passes fails the test; so does one whose place is not found.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

struct Mutant {
    name: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
}

const MUTANTS: [Mutant; 14] = [
    Mutant {
        name: "no linger",
        file: "close/view.rs",
        find: "(self.sent, self.received) == (Finished, Finished)",
        replace: "self.sent == Finished",
    },
    Mutant {
        name: "FIN before the last answer",
        file: "connection/mod.rs",
        find: "if self.session.has_output() {",
        replace: "if self.session.has_output() && !self.session.fin_is_due() {",
    },
    Mutant {
        name: "no answer to CLOSE",
        file: "close/received.rs",
        find: "CloseHandshake::Acknowledged => out.push(Action::Close),",
        replace: "CloseHandshake::Acknowledged => (),",
    },
    Mutant {
        name: "CLOSE twice",
        file: "close/follow.rs",
        find: "        self.sent = Closed;\n        out.push(Action::Close);\n",
        replace: "        self.sent = Closed;\n        out.push(Action::Close);\n        out.push(Action::Close);\n",
    },
    Mutant {
        name: "a reply after CLOSE",
        file: "close/received.rs",
        find: "                    Open | Leaving => {\n                        self.account.accepted = Some(seq);",
        replace: "                    Open | Leaving | Closed => {\n                        self.account.accepted = Some(seq);",
    },
    Mutant {
        name: "count off by one",
        file: "close/view.rs",
        find: "(Role::Server, _) => self.accepted(),",
        replace: "(Role::Server, _) => self.accepted() + 1,",
    },
    Mutant {
        name: "a deadline missing",
        file: "close/view.rs",
        find: "CloseHandshake::Acknowledged => Some(Deadline::Close),",
        replace: "CloseHandshake::Acknowledged => None,",
    },
    Mutant {
        name: "drain that drops the queue",
        file: "session/mod.rs",
        find: "        if self.role() == Role::Server || self.machine.policy().handshake == CloseHandshake::None {\n            return;",
        replace: "        if self.machine.policy().handshake == CloseHandshake::None {\n            return;",
    },
    Mutant {
        name: "FIN taken as clean",
        file: "close/received.rs",
        find: "self.settle(End::Truncated, Side::Peer);",
        replace: "self.settle(End::Clean(CloseCode::NORMAL), Side::Peer);",
    },
    Mutant {
        name: "both sides waiting for the other's FIN",
        file: "close/follow.rs",
        find: "let first = self.policy.first_fin == self.role;",
        replace: "let first = false;",
    },
    Mutant {
        name: "the client's CLOSE sent before it holds the answers",
        file: "close/received.rs",
        find: "if self.account.answered.mark() != last || answered != last {",
        replace: "if answered > last {",
    },
    Mutant {
        name: "a clean server whose client crashed",
        file: "close/received.rs",
        find: "            Open | Leaving => match (self.policy.handshake, self.sent) {\n",
        replace: "            Open | Leaving => match (self.policy.handshake, self.sent) {\n                (_, Closed) if self.role == Role::Server => {\n                    self.settle(End::Clean(self.close_reason.code), Side::Peer);\n                }\n",
    },
    Mutant {
        name: "an acknowledgement of what has not left",
        file: "session/mod.rs",
        find: "if server && unsent_word && self",
        replace: "if false && server && unsent_word && self",
    },
    Mutant {
        name: "a clean end that stands whatever comes behind it",
        file: "close/follow.rs",
        find: "(None, _) | (Some(End::Clean(_)), End::Violation(_)) => self.end = Some(Box::new(end)),\n            (Some(_), _)",
        replace: "(None, _) => self.end = Some(Box::new(end)),\n            (Some(_), _)",
    },
];

/// Runs the explorer. It prints the first counterexample, then the ladder, and exits with code 1.
const PROGRAM: &str = r#"
pub mod search {
    pub mod explorer;
}
pub mod support {
    mod breach;
    pub mod pairs;
    pub use breach::{Breach, Rule};
}
use search::explorer;

fn main() {
    for setup in explorer::quick() {
        let report = explorer::run(&setup, explorer::Limits::default(), &mut |_| ());
        if let Some(found) = &report.counterexample {
            println!("{}\n{}", found.breach, found.ladder.join("\n"));
            std::process::exit(1);
        }
        assert!(report.complete);
    }
    println!("every promise is kept");
}
"#;

#[test]
fn every_mutant_is_caught() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    plant(&folder);
    build(&folder);
    let said = run_all(&folder);
    let mut matrix = String::new();
    for (number, (code, text)) in said {
        let first = text.lines().next().unwrap_or_default();
        let Some(mutant) = number.checked_sub(1).and_then(|index| MUTANTS.get(index)) else {
            assert_eq!((code, first), (Some(0), "every promise is kept"), "the machine as it is:\n{text}");
            continue;
        };
        assert_eq!(code, Some(1), "{} is not caught, or ends otherwise:\n{text}", mutant.name);
        let steps = text.lines().count() - 2;
        let _ = writeln!(matrix, "{:<56} {first} ({steps} steps)", mutant.name);
        println!("{}:\n{text}", mutant.name);
    }
    insta::assert_snapshot!("mutants", matrix);
}

/// Writes a workspace with two packages for each mutant. Number 0 is the unchanged machine.
fn plant(folder: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let core = sources(&here.join("../echo-core/src"));
    let explorer = sources(&here.join("src/search/explorer"));
    let support = sources(&here.join("src/support"));
    let manifest = std::fs::read_to_string(here.join("../Cargo.toml")).expect("the workspace's manifest");
    let chrono = manifest.lines().find(|line| line.starts_with("chrono = ")).expect("echo-core's only dependency");
    let chrono = chrono.replace(" }", ", features = [\"alloc\"] }");
    write(
        &folder.join("Cargo.toml"),
        "[workspace]\nmembers = [\"m*/*\"]\nresolver = \"3\"\n\n[profile.dev]\ndebug = false\n",
    );
    let lock = std::fs::read_to_string(here.join("../Cargo.lock")).expect("the workspace's lock file");
    if !folder.join("Cargo.lock").exists() {
        write(&folder.join("Cargo.lock"), &lock);
    }
    for number in 0..=MUTANTS.len() {
        let home = folder.join(format!("m{number}"));
        let package = |name: &str| format!("[package]\nname = \"{name}-{number}\"\nedition = \"2024\"\n");
        let library = format!(
            "{}\n[lib]\nname = \"echo_core\"\ndoctest = false\n\n[features]\ndefault = [\"explore\"]\nexplore = []\n\n\
             [dependencies]\n{chrono}\n",
            package("core")
        );
        write(&home.join("core/Cargo.toml"), &library);
        let depends = format!("echo-core = {{ path = \"../core\", package = \"core-{number}\" }}");
        write(&home.join("explorer/Cargo.toml"), &format!("{}\n[dependencies]\n{depends}\n", package("explorer")));
        write(&home.join("explorer/src/main.rs"), PROGRAM);
        for (path, text) in &explorer {
            write(&home.join("explorer/src/search/explorer").join(path), text);
        }
        for (path, text) in &support {
            write(&home.join("explorer/src/support").join(path), text);
        }
        let mutant = number.checked_sub(1).map(|index| &MUTANTS[index]);
        for (path, text) in &core {
            let text = match mutant.filter(|mutant| Path::new(mutant.file) == path) {
                Some(mutant) => mutate(mutant, text),
                None => text.clone(),
            };
            write(&home.join("core/src").join(path), &text);
        }
    }
}

fn mutate(mutant: &Mutant, text: &str) -> String {
    let places = text.matches(mutant.find).count();
    assert_eq!(places, 1, "{}: {} has {places} places for it", mutant.name, mutant.file);
    text.replace(mutant.find, mutant.replace)
}

/// The text of every file below `folder`, by its path there.
fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut texts = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = PathBuf::from(path.file_name().expect("a name"));
        if path.is_dir() {
            texts.extend(sources(&path).into_iter().map(|(below, text)| (name.join(below), text)));
        } else {
            texts.insert(name, std::fs::read_to_string(&path).expect("a readable file"));
        }
    }
    texts
}

/// Writes a file only if its text changes, so that a second run has nothing to build.
fn write(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn build(folder: &Path) {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--workspace", "--target-dir"])
        .arg(folder.join("target"))
        .current_dir(folder)
        .env("RUSTFLAGS", "--cap-lints=allow")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "a mutant does not compile:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs all mutants, two at a time. Returns the exit code and the output, by number.
fn run_all(folder: &Path) -> BTreeMap<usize, (Option<i32>, String)> {
    let waiting = Mutex::new((0..=MUTANTS.len()).collect::<Vec<_>>());
    let said = Mutex::new(BTreeMap::new());
    let next = || waiting.lock().expect("no thread panics").pop();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(number) = next() {
                    let program = folder.join(format!("target/debug/explorer-{number}"));
                    let output = Command::new(program).output().expect("it was built");
                    let text = [output.stdout, output.stderr].concat();
                    let text = String::from_utf8_lossy(&text).into_owned();
                    said.lock().expect("no thread panics").insert(number, (output.status.code(), text));
                }
            });
        }
    });
    said.into_inner().expect("no thread panics")
}

//! What happens at close: the trial of ten well-known protocols, each by its own library, as a page.
//!
//! `cargo run --release -p protocols` asks each question, confirms on Linux what it finds, and writes the page to
//! `target/what-happens-at-close.html`, with JSON and JUnit beside it. `--check` compares the table in
//! `WHAT-HAPPENS-AT-CLOSE.md` with what was found. A protocol has a folder; a question is a trial.

mod fastwebsockets;
mod framed;
mod h2;
mod hyper_http1;
mod hyper_http2;
mod patience;
mod question;
mod redis;
mod rustls;
mod table;
mod tarpc;
mod tonic;
mod tungstenite;
mod yamux;

use clap::Parser;
use question::{OnLinux, Question};
use sim_tests::trial::{TrialPage, TrialRow};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The title of the page.
const TITLE: &str = "What happens at close";

/// Runs the trial of ten protocols. Exit code: 0 done, 1 the table differs, 2 something could not be done.
#[derive(Debug, Parser)]
struct Options {
    /// Compare the committed table with what was found, instead of writing it
    #[arg(long)]
    check: bool,
    /// The folder of the page, created where there is none
    #[arg(long, default_value = "target")]
    out: PathBuf,
    /// Ask only the questions whose names contain this; nothing is written to the table
    #[arg(long, conflicts_with = "check")]
    only: Option<String>,
    /// Run only what is simulated, and print a hash of each row: two processes print the same
    #[arg(long, conflicts_with = "check")]
    hashes: bool,
    /// Ask the question with exactly this name, and print its row as JSON
    #[arg(long, hide = true)]
    row: Option<String>,
}

/// The questions of all protocols, in the order of the page.
fn questions() -> Vec<Question> {
    let protocols = [
        hyper_http1::questions(),
        hyper_http2::questions(),
        h2::questions(),
        tonic::questions(),
        tungstenite::questions(),
        fastwebsockets::questions(),
        tarpc::questions(),
        redis::questions(),
        rustls::questions(),
        yamux::questions(),
        framed::questions(),
    ];
    protocols.into_iter().flatten().collect()
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("protocols: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    if let Some(name) = &options.row {
        let all = questions();
        let question = all.iter().find(|question| question.name == *name);
        let on_linux = if options.hashes { OnLinux::NotAsked } else { OnLinux::Asked };
        let row = question.ok_or_else(|| format!("no question {name:?}"))?.ask(on_linux);
        println!("{}", serde_json::to_string(&row).map_err(|error| error.to_string())?);
        return Ok(ExitCode::SUCCESS);
    }
    if !options.hashes {
        // Before the questions, which take a minute.
        std::fs::create_dir_all(&options.out).map_err(|error| format!("{}: {error}", options.out.display()))?;
    }
    let page = TrialPage::new(TITLE, ask(options)?);
    if options.hashes {
        page.rows.iter().for_each(|row| println!("{:016x} {}", row.hash(), row.name));
        return Ok(ExitCode::SUCCESS);
    }
    write(&page, &options.out)?;
    if options.only.is_some() {
        print!("{}", page.to_markdown());
        return Ok(ExitCode::SUCCESS);
    }
    table::check_or_write(&page, options.check)
}

/// Asks each question in a process of its own, because each begins anew on Linux.
fn ask(options: &Options) -> Result<Vec<TrialRow>, String> {
    let only = options.only.as_deref();
    let wanted = |question: &Question| only.is_none_or(|part| question.name.contains(part));
    let asked: Vec<Question> = questions().into_iter().filter(wanted).collect();
    if asked.is_empty() {
        return Err(format!("no question has {:?} in its name", only.unwrap_or_default()));
    }
    asked.iter().map(|question| answer(question, options.hashes)).collect()
}

fn answer(question: &Question, hashes: bool) -> Result<TrialRow, String> {
    eprintln!("{}", question.name);
    let failed = |error: std::io::Error| format!("{}: {error}", question.name);
    let this = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(this);
    child.args(["--row", question.name]).args(hashes.then_some("--hashes"));
    let child = child.stderr(Stdio::inherit()).output().map_err(failed)?;
    if !child.status.success() {
        return Err(format!("{}: its process ended with {}", question.name, child.status));
    }
    let row: TrialRow = serde_json::from_slice(&child.stdout).map_err(|error| format!("{}: {error}", question.name))?;
    match &row.report.endings {
        endings if endings.len() > 1 => Ok(row),
        endings => Err(format!("{}: all runs ended alike, so nothing was asked: {endings:?}", question.name)),
    }
}

fn write(page: &TrialPage, folder: &Path) -> Result<(), String> {
    for (ending, text) in [("html", page.to_html()), ("json", page.to_json()), ("xml", page.to_junit())] {
        let path = folder.join("what-happens-at-close").with_extension(ending);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    eprintln!("{}", folder.join("what-happens-at-close.html").display());
    Ok(())
}

//! What a command comes to, and how it gets out: standard output, files, a progress bar.

use crate::inherited::stdout_was_closed;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sim_tests::{ScenarioError, one_line};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// What a command prints, and whether all is well.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) good: bool,
    /// A signal stopped it before it was through.
    pub(crate) stopped: bool,
}

/// Why a command came to nothing.
pub(crate) enum Trouble {
    /// What was asked for makes no sense.
    Usage(String),
    /// Something could not be read or written.
    Failed(String),
}

impl Answer {
    pub(crate) fn new(text: String, good: bool) -> Self {
        Self { text, good, stopped: false }
    }

    pub(crate) fn print(self) -> Result<ExitCode, Trouble> {
        if stdout_was_closed() {
            return Err(Trouble::Failed("standard output is closed".to_owned()));
        }
        let mut out = io::stdout().lock();
        match out.write_all(self.text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => (),
            // A reader that has gone, as `head` does, is no reason to fail.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => (),
            Err(error) => return Err(Trouble::Failed(format!("standard output: {error}"))),
        }
        Ok(match (self.good, self.stopped) {
            (false, _) => ExitCode::from(1),
            (true, true) => ExitCode::from(130),
            (true, false) => ExitCode::SUCCESS,
        })
    }
}

impl Trouble {
    pub(crate) fn tell(self) -> ExitCode {
        let (text, code) = match self {
            Self::Usage(text) => (text, 2),
            Self::Failed(text) => (text, 3),
        };
        // If standard error is closed there is nobody to tell. What is quoted may be anything.
        let _ = writeln!(io::stderr(), "echo-sim: {}", one_line(&text));
        ExitCode::from(code)
    }
}

impl From<ScenarioError> for Trouble {
    fn from(refusal: ScenarioError) -> Self {
        Self::Usage(refusal.to_string())
    }
}

/// The text of a file that the user has named.
pub(crate) fn read(path: &Path) -> Result<String, Trouble> {
    let text = std::fs::read_to_string(path);
    text.map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
}

/// Writes a file that the user has named.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
}

/// A bar on a terminal; nothing where nobody looks, and never with `CI` set.
pub(crate) fn progress(count: usize) -> ProgressBar {
    progress_of(Some(count as u64))
}

/// The same; without a count it shows how many there were so far.
pub(crate) fn progress_of(count: Option<u64>) -> ProgressBar {
    let watched = io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(count, target);
    let template = if count.is_some() { "{bar:40} {pos}/{len} {eta}" } else { "{spinner} {pos} {per_sec}" };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A case for JUnit.
pub(crate) struct Case {
    /// What it belongs to: wire, client plan and server plan.
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) took: Duration,
    pub(crate) result: CaseResult,
}

/// What came of a case.
pub(crate) enum CaseResult {
    /// What is wrong; nothing if all is well.
    Run(Vec<String>),
    /// It was not run, and why.
    Skipped(String),
}

/// What JUnit calls a suite: its name, and its cases.
pub(crate) type Suite = (String, Vec<Case>);

/// Suites in JUnit's form.
pub(crate) fn junit(suites: Vec<Suite>) -> Result<String, Trouble> {
    use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
    let mut report = Report::new("echo-sim");
    for (name, cases) in suites {
        let mut suite = TestSuite::new(name);
        let mut whole = Duration::ZERO;
        for Case { class, name, took, result } in cases {
            let status = match result {
                CaseResult::Run(faults) => match faults.first() {
                    None => TestCaseStatus::success(),
                    Some(first) => {
                        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                        status.set_message(first.as_str()).set_description(faults.join("\n"));
                        status
                    }
                },
                CaseResult::Skipped(reason) => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(reason);
                    status
                }
            };
            let mut case = TestCase::new(name, status);
            case.set_classname(class).set_time(took);
            whole += took;
            suite.add_test_case(case);
        }
        suite.set_time(whole);
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| Trouble::Failed(format!("JUnit: {error}")))
}

//! The result of a command, and its output: standard output, files, a progress bar.

use crate::inherited::stdout_was_closed;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sim_tests::ScenarioError;
use sim_tests::internal::one_line;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// What a command prints, and whether everything is well.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) good: bool,
    /// Whether a signal stopped it early.
    pub(crate) stopped: bool,
}

/// Why a command failed.
pub(crate) enum Trouble {
    /// The arguments make no sense.
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
            // A closed reader, such as `head`, is not an error.
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
        // Standard error may be closed, so an error is ignored. Quoted text may contain anything.
        let _ = writeln!(io::stderr(), "echo-sim: {}", one_line(&text));
        ExitCode::from(code)
    }
}

impl From<ScenarioError> for Trouble {
    fn from(refusal: ScenarioError) -> Self {
        Self::Usage(refusal.to_string())
    }
}

/// Reads a file that the user has named.
pub(crate) fn read(path: &Path) -> Result<String, Trouble> {
    let text = std::fs::read_to_string(path);
    text.map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
}

/// Writes a file that the user has named.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
}

/// Returns a progress bar. It is visible on a terminal only, and never if `CI` is set.
pub(crate) fn progress(count: usize) -> ProgressBar {
    progress_of(Some(count as u64))
}

/// The same. Without a count it shows the number of finished items.
pub(crate) fn progress_of(count: Option<u64>) -> ProgressBar {
    let watched = io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(count, target);
    let template = if count.is_some() { "{bar:40} {pos}/{len} {eta}" } else { "{spinner} {pos} {per_sec}" };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A JUnit test case.
pub(crate) struct Case {
    /// Its class: wire, client plan and server plan.
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) took: Duration,
    pub(crate) result: CaseResult,
}

/// The result of a case.
pub(crate) enum CaseResult {
    /// It was run. The texts say what is wrong.
    Run(Vec<String>),
    /// It was not run. The text says why.
    Skipped(String),
}

/// A JUnit test suite: its name and its cases.
pub(crate) type Suite = (String, Vec<Case>);

/// Returns the suites in JUnit format.
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

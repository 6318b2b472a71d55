//! Baselines: the results of many runs as text, to compare two versions of a program.
//!
//! ```text
//! echo-sim runs 1
//! event client sent preface
//! event server got preface
//! run framed/client:close@idle/server:none/clear --backend pair ⇥ clean 1000 (1/0/0) ⇥ clean 1000 (1/0/0) ⇥ 0 1
//! end
//! ```
//!
//! Events are numbered from 0 in their order. A run line has four parts, separated by tabs: the arguments that replay
//! it, the client's report, the server's report, and its canonical trace.

mod diff;

pub use diff::{Change, Diff};

use crate::record::Record;
use crate::record::canonical_trace;
use crate::record::reported::Reported;
use crate::support::ScenarioError;
use echo_core::Role;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

const TITLE: &str = "echo-sim runs 1";

/// The results of many runs, each under the arguments that replay it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    runs: BTreeMap<String, BaselineRun>,
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BaselineRun {
    client: String,
    server: String,
    events: Vec<String>,
}

impl Baseline {
    /// Adds a run. `replay` is the arguments that replay it.
    pub fn add(&mut self, replay: String, record: &Record) {
        let [client, server] = Role::BOTH.map(|role| Reported::of(&record.ending(role)).to_string());
        let events = canonical_trace(record).lines().map(str::to_owned).collect();
        self.runs.insert(replay, BaselineRun { client, server, events });
    }

    /// Returns the number of runs.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Returns whether it has no runs.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        let mut numbers = HashMap::new();
        for event in self.runs.values().flat_map(|line| &line.events) {
            let next = numbers.len();
            if !numbers.contains_key(event.as_str()) {
                numbers.insert(event.as_str(), next);
                writeln!(f, "event {event}")?;
            }
        }
        for (replay, BaselineRun { client, server, events }) in &self.runs {
            let events: Vec<_> = events.iter().map(|event| numbers[event.as_str()].to_string()).collect();
            writeln!(f, "run {replay}\t{client}\t{server}\t{}", events.join(" "))?;
        }
        f.write_str("end\n")
    }
}

impl FromStr for Baseline {
    type Err = ScenarioError;

    /// Parses the text that [`fmt::Display`] writes.
    ///
    /// # Errors
    /// A [`ScenarioError`] that names the line.
    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let mut baseline = Self::default();
        let mut events = Vec::new();
        let mut lines = (1..).zip(text.lines());
        let title = lines.next().map_or("", |(_, title)| title);
        if title != TITLE {
            return Err(ScenarioError::Parse(format!("line 1: saved runs begin with {TITLE:?}, not {title:?}")));
        }
        let mut last = 1;
        for (number, line) in lines {
            last = number;
            if line == "end" {
                return Ok(baseline);
            }
            if let Some(event) = line.strip_prefix("event ") {
                events.push(event);
            } else if let Some((replay, run)) = line.strip_prefix("run ").and_then(|run| run_of(run, &events)) {
                baseline.runs.insert(replay, run);
            } else {
                return Err(ScenarioError::Parse(format!(
                    "line {number}: an event, a run or the end expected, not {line:?}"
                )));
            }
        }
        Err(ScenarioError::Parse(format!("line {last}: the file stops here, without the line end: is it cut short?")))
    }
}

fn run_of(line: &str, known: &[&str]) -> Option<(String, BaselineRun)> {
    let mut parts = line.split('\t');
    let [replay, client, server, events] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let event = |number: &str| known.get(number.parse::<usize>().ok()?).map(|event| (*event).to_owned());
    let events = events.split_whitespace().map(event).collect::<Option<_>>()?;
    Some((replay.to_owned(), BaselineRun { client: client.to_owned(), server: server.to_owned(), events }))
}

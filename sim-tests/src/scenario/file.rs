//! A scenario as a text file to keep and replay: one field a line, the version on the first line.
//!
//! ```text
//! echo-sim scenario 1
//! # found by: echo-sim random --seeds 0..1000
//! wire framed
//! client close@idle,abort@draining
//! server none
//! network latency-4+hold-first-fin-800
//! talk 16 16
//! limit 100
//! handler 30
//! deadline drain 50
//! backend turmoil
//! seed 17
//! end
//! ```
//!
//! `limit`, `handler`, `deadline` (which may occur several times), `backend`, `seed` and `talk` are optional. Without
//! `talk` the client makes the usual requests. Text behind `#` is a comment. The last line, `end`, shows that the file is
//! complete.

use crate::scenario::Backend;
use crate::scenario::network::Network;
use crate::scenario::overrides::Overrides;
use crate::scenario::plan::Plan;
use crate::scenario::{Scenario, Wire, talk};
use crate::support::{ScenarioError, check_length, pick};
use std::fmt;
use std::str::FromStr;

/// The file version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

const TITLE: &str = "echo-sim scenario";

/// All fields, in the order in which they are written.
const FIELDS: [&str; 10] =
    ["wire", "client", "server", "network", "talk", "limit", "handler", "deadline", "backend", "seed"];

/// The content of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The scenario.
    pub scenario: Scenario,
    /// The backend that it was run on.
    pub backend: Option<Backend>,
    /// The seed from which the scenario was drawn. The scenario was shrunk since, so it alone decides what is run.
    pub seed: Option<u64>,
}

impl From<Scenario> for Saved {
    fn from(scenario: Scenario) -> Self {
        Self { scenario, backend: None, seed: None }
    }
}

#[cfg(feature = "serde")]
crate::support::serde_as_text!(Saved);

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { wire, client, server, network, talk, overrides: tuning } = &self.scenario;
        writeln!(f, "{TITLE} {VERSION}")?;
        writeln!(f, "wire {}\nclient {client}\nserver {server}\nnetwork {network}", wire.id())?;
        f.write_str("talk")?;
        talk.iter().try_for_each(|size| write!(f, " {size}"))?;
        f.write_str("\n")?;
        if let Some(limit) = tuning.limit {
            writeln!(f, "limit {limit}")?;
        }
        if let Some(time) = tuning.handler {
            writeln!(f, "handler {time}")?;
        }
        tuning.deadlines.iter().try_for_each(|(name, length)| writeln!(f, "deadline {name} {length}"))?;
        if let Some(backend) = self.backend {
            writeln!(f, "backend {}", backend.id())?;
        }
        if let Some(seed) = self.seed {
            writeln!(f, "seed {seed}")?;
        }
        f.write_str("end\n")
    }
}

impl FromStr for Saved {
    type Err = ScenarioError;

    /// Reads a file.
    ///
    /// # Errors
    /// A [`ScenarioError`] of one line: the line number, what was found and what is expected.
    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1..).zip(text.lines()) {
            check_length("a line", line).map_err(|refusal| at(number, refusal))?;
        }
        let mut draft = Draft::default();
        let mut lines = text.lines().enumerate().map(|(index, line)| {
            let content = line.split_once('#').map_or(line, |(content, _)| content);
            (index + 1, content.trim())
        });
        let mut lines = lines.by_ref().filter(|(_, line)| !line.is_empty());
        let (number, title) = lines.next().unwrap_or((1, ""));
        check_title(title).map_err(|refusal| at(number, refusal))?;
        let mut last = number;
        for (number, line) in lines.by_ref() {
            last = number;
            if line == "end" {
                return match lines.next() {
                    None => draft.finish().map_err(|refusal| at(number, refusal)),
                    Some((number, line)) => Err(at(
                        number,
                        ScenarioError::Parse(format!("expected nothing after the line \"end\", got {line:?}")),
                    )),
                };
            }
            draft.take(line).map_err(|refusal| at(number, refusal))?;
        }
        Err(at(
            last,
            ScenarioError::Parse("expected the line \"end\", got the end of the file: it may be cut short".into()),
        ))
    }
}

fn at(line: usize, error: ScenarioError) -> ScenarioError {
    error.map(|text| format!("line {line}: {text}"))
}

fn check_title(title: &str) -> Result<(), ScenarioError> {
    match title.strip_prefix(TITLE).map(str::trim) {
        Some(version) if version == VERSION.to_string() => Ok(()),
        Some(version) => {
            Err(ScenarioError::Parse(format!("version {version} is unsupported: this program reads version {VERSION}")))
        }
        None => Err(ScenarioError::Parse(format!("expected the first line \"{TITLE} {VERSION}\", got {title:?}"))),
    }
}

/// The fields that were read so far.
#[derive(Default)]
struct Draft {
    wire: Option<Wire>,
    client: Option<Plan>,
    server: Option<Plan>,
    network: Option<Network>,
    talk: Option<Vec<usize>>,
    tuning: Overrides,
    backend: Option<Backend>,
    seed: Option<u64>,
}

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), ScenarioError> {
        let (field, value) = line.split_once(' ').map_or((line, ""), |(field, value)| (field, value.trim()));
        match field {
            "wire" => set(&mut self.wire, field, pick("wire", value, &Wire::ALL, Wire::id)?),
            "client" => set(&mut self.client, field, Plan::parse(value)?),
            "server" => set(&mut self.server, field, Plan::parse(value)?),
            "network" => set(&mut self.network, field, value.parse()?),
            "talk" => set(&mut self.talk, field, talk(value.split_whitespace())?),
            "limit" => self.tuning.set_limit(value),
            "handler" => self.tuning.set_handler(value),
            "deadline" => match value.split_once(' ') {
                Some((name, length)) => self.tuning.set_deadline(name, length.trim()),
                None => Err(ScenarioError::Parse(format!("expected deadline NAME MS, got {line:?}"))),
            },
            "backend" => set(&mut self.backend, field, value.parse()?),
            "seed" => {
                let seed = value
                    .parse()
                    .map_err(|_| ScenarioError::Parse(format!("expected a number as the seed, got {value:?}")))?;
                set(&mut self.seed, field, seed)
            }
            _ => Err(ScenarioError::Parse(format!("no field {field:?}; there are {}", FIELDS.join(", ")))),
        }
    }

    fn finish(self) -> Result<Saved, ScenarioError> {
        let missing = |field: &str| ScenarioError::Parse(format!("the field {field} is missing"));
        let wire = self.wire.ok_or_else(|| missing("wire"))?;
        let client = self.client.ok_or_else(|| missing("client"))?;
        let server = self.server.ok_or_else(|| missing("server"))?;
        let network = self.network.ok_or_else(|| missing("network"))?;
        let mut scenario = Scenario::new(wire, client, server, network);
        scenario.talk = self.talk.unwrap_or(scenario.talk);
        scenario.overrides = self.tuning;
        scenario.check()?;
        Ok(Saved { scenario, backend: self.backend, seed: self.seed })
    }
}

fn set<T>(slot: &mut Option<T>, field: &str, value: T) -> Result<(), ScenarioError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ScenarioError::Parse(format!("the field {field} is given twice"))),
    }
}

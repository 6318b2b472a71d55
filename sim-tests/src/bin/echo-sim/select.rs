//! Selects the part of the catalogue, the seeds and the backends for a command.

use crate::COMMANDS;
use crate::output::Trouble;
use sim_tests::catalogue::{self, PacketSequence, Problem, Sequence};
use sim_tests::{Backend, Record, Scenario, ScenarioError, Shard};

/// A part of the catalogue.
#[derive(clap::Args)]
pub(crate) struct Part {
    /// Only sequences whose id contains each of these, such as server:close or /cut-idle
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Only part K of N; the N parts together are the whole, and each takes about as long
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
}

impl Part {
    pub(crate) fn is_whole(&self) -> bool {
        self.filters.is_empty() && self.shard == Shard::WHOLE
    }

    pub(crate) fn shard(&self) -> Shard {
        self.shard
    }

    /// Returns the selected sequences of the product. If no id passes the filters, it is an error; a shard may be
    /// empty.
    pub(crate) fn sequences(&self) -> Result<Vec<&'static Sequence>, Trouble> {
        let all = self.product();
        if all.is_empty() { Err(self.nothing_passes()) } else { Ok(self.shard_of(all, |sequence| &sequence.id)) }
    }

    /// Returns the selected sequences of the product. If there are none, those on networks of packets.
    pub(crate) fn chosen(&self) -> Result<Vec<Chosen>, Trouble> {
        let mut all: Vec<Chosen> = self.product().into_iter().map(Chosen::Product).collect();
        if all.is_empty() {
            let passes = |id: &str| self.filters.iter().all(|filter| id.contains(filter));
            let packets = catalogue::packets().iter().filter(|sequence| passes(&sequence.id));
            all.extend(packets.map(Chosen::Packets));
        }
        if all.is_empty() { Err(self.nothing_passes()) } else { Ok(self.shard_of(all, |chosen| chosen.id())) }
    }

    fn product(&self) -> Vec<&'static Sequence> {
        let filters: Vec<&str> = self.filters.iter().map(String::as_str).collect();
        catalogue::filter(&filters).collect()
    }

    fn shard_of<T>(&self, all: Vec<T>, id: impl Fn(&T) -> &str) -> Vec<T> {
        all.into_iter().filter(|one| self.shard.takes(id(one))).collect()
    }

    /// Returns the error if no id passes the filters. There is at least one filter, because without filters everything
    /// passes.
    fn nothing_passes(&self) -> Trouble {
        let first = &self.filters[0];
        let near = catalogue::nearest(first, 1).join("");
        let command = COMMANDS.into_iter().find(|command| strsim::damerau_levenshtein(command, first) <= 2);
        let command = command.map(|command| format!(" (or did you mean the command {command}?)")).unwrap_or_default();
        Trouble::Usage(format!("no id contains {}; an example of an id is {near}{command}", self.filters.join(" and ")))
    }
}

/// A sequence to run.
#[derive(Clone, Copy)]
pub(crate) enum Chosen {
    /// A sequence of the product.
    Product(&'static Sequence),
    /// A sequence on a network of packets.
    Packets(&'static PacketSequence),
}

impl Chosen {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Product(sequence) => &sequence.id,
            Self::Packets(sequence) => &sequence.id,
        }
    }

    /// Returns the sequence if it is one of the product.
    pub(crate) fn of_product(self) -> Option<&'static Sequence> {
        match self {
            Self::Product(sequence) => Some(sequence),
            Self::Packets(_) => None,
        }
    }

    /// Returns its runs, each with the arguments of `replay` for it.
    pub(crate) fn runs(self) -> Vec<(Scenario, String)> {
        match self {
            Self::Product(sequence) => runs(sequence),
            Self::Packets(sequence) => vec![(sequence.scenario.clone(), sequence.id.clone())],
        }
    }

    /// Returns the problems of a record of one of its runs.
    pub(crate) fn judge(self, record: &Record) -> Vec<Problem> {
        match self {
            Self::Product(sequence) => sequence.judge(record),
            Self::Packets(_) => catalogue::check_run(record),
        }
    }
}

/// The seeds of random scenarios, from A up to, but not including, B; without B, until stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    from: u64,
    to: Option<u64>,
}

impl Seeds {
    /// Returns the seeds of a shard, in order.
    pub(crate) fn of(self, shard: Shard) -> impl Iterator<Item = u64> {
        (self.from..self.to.unwrap_or(u64::MAX)).filter(move |seed| shard.takes(&seed.to_string()))
    }

    /// Returns how many seeds of all shards there are up to this one.
    pub(crate) fn position(self, seed: u64) -> u64 {
        (seed - self.from).saturating_add(1)
    }

    /// Returns the number of seeds of all shards; `None` without an end.
    pub(crate) fn count(self) -> Option<u64> {
        self.to.map(|to| to - self.from)
    }
}

impl std::fmt::Display for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.to {
            Some(to) => write!(f, "{}..{to}", self.from),
            None => write!(f, "{}..", self.from),
        }
    }
}

impl std::str::FromStr for Seeds {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let ends = text.split_once("..").and_then(|(from, to)| {
            let to = if to.is_empty() { None } else { Some(to.parse().ok()?) };
            Some(Self { from: from.parse().ok()?, to })
        });
        let wrong = || {
            let form = "A..B with A below B, such as 0..1000, or A.. without an end";
            ScenarioError::Parse(format!("expected seeds {form}, got {text:?}"))
        };
        ends.filter(|seeds| seeds.to.is_none_or(|to| seeds.from < to)).ok_or_else(wrong)
    }
}

/// Parses the name of a simulator.
pub(crate) fn simulator(name: &str) -> Result<Backend, ScenarioError> {
    let backend: Backend = name.parse()?;
    match Backend::SIMULATORS.contains(&backend) {
        true => Ok(backend),
        false => Err(ScenarioError::Parse(format!(
            "the backend {name} is for replay and fidelity; pair, turmoil or packet expected"
        ))),
    }
}

/// Returns one simulator, or all.
pub(crate) fn backends(one: Option<Backend>) -> Vec<Backend> {
    one.map_or(Backend::SIMULATORS.to_vec(), |one| vec![one])
}

/// Returns the runs of a sequence, each with the arguments of `replay` for it.
pub(crate) fn runs(sequence: &Sequence) -> Vec<(Scenario, String)> {
    let runs = sequence.scenario.runs();
    let several = runs.len() > 1;
    let replay = |seed| if several { format!("{} --seed {seed}", sequence.id) } else { sequence.id.clone() };
    runs.into_iter().enumerate().map(|(seed, run)| (run, replay(seed))).collect()
}

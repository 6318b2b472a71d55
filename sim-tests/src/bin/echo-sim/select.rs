//! Which part of the catalogue, of the seeds and of the backends a command is about.

use crate::output::Trouble;
use sim_tests::catalogue::{self, Sequence};
use sim_tests::{Backend, Refusal, Scenario, Shard};

/// A part of the catalogue.
#[derive(clap::Args)]
pub(crate) struct Part {
    /// Only sequences whose id contains each of these, such as server:close or /cut-idle
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Only the K-th of N parts; the N parts together are the whole, and each takes about as long
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

    /// The sequences. A filter that nothing passes is a mistake; a shard may be empty.
    pub(crate) fn sequences(&self) -> Result<Vec<&'static Sequence>, Trouble> {
        let filters: Vec<&str> = self.filters.iter().map(String::as_str).collect();
        let all: Vec<_> = catalogue::filter(&filters).collect();
        if all.is_empty() {
            let near = catalogue::nearest(filters[0], 1).join("");
            return Err(Trouble::Usage(format!("no id contains {}; an id is, say, {near}", filters.join(" and "))));
        }
        Ok(all.into_iter().filter(|sequence| self.shard.takes(&sequence.id)).collect())
    }
}

/// The seeds of random scenarios, from A up to, not including, B.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    from: u64,
    to: u64,
}

impl Seeds {
    /// How many there may be at once: a day's work.
    const MOST: u64 = 1 << 30;

    pub(crate) fn of(self, shard: Shard) -> Vec<u64> {
        (self.from..self.to).filter(|seed| shard.takes(&seed.to_string())).collect()
    }
}

impl std::fmt::Display for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

impl std::str::FromStr for Seeds {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let ends = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        match ends {
            Some((from, to)) if from < to && to - from > Self::MOST => {
                Err(Refusal(format!("at most {} seeds at once, not {}", Self::MOST, to - from)))
            }
            Some((from, to)) if from < to => Ok(Self { from, to }),
            Some(_) | None => Err(Refusal(format!("seeds are A..B with A below B, such as 0..1000, not {text:?}"))),
        }
    }
}

/// One backend, or all.
pub(crate) fn backends(one: Option<Backend>) -> Vec<Backend> {
    one.map_or(Backend::ALL.to_vec(), |one| vec![one])
}

/// The runs of a sequence, each with the arguments of `replay` that bring it back.
pub(crate) fn runs(sequence: &Sequence) -> Vec<(Scenario, String)> {
    let runs = sequence.scenario.runs();
    let several = runs.len() > 1;
    let replay = |seed| if several { format!("{} --seed {seed}", sequence.id) } else { sequence.id.clone() };
    runs.into_iter().enumerate().map(|(seed, run)| (run, replay(seed))).collect()
}

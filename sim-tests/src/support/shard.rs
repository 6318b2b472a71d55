//! Shards: splits work among machines, so that together they do everything exactly once.

use crate::support::fnv;
use crate::support::{ScenarioError, number};
use std::fmt;
use std::str::FromStr;

/// Part `k` of `n`. Names alone decide what belongs to it, so the machines need not communicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    k: u64,
    n: u64,
}

impl Shard {
    /// The shard that contains everything.
    pub const WHOLE: Self = Self { k: 1, n: 1 };
    /// The largest number of shards.
    pub const MOST: u64 = 10_000;

    /// Returns whether the item called `name` belongs to it.
    pub fn takes(self, name: &str) -> bool {
        fnv(name.as_bytes()) % self.n == self.k - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.k, self.n)
    }
}

impl FromStr for Shard {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let parts = text.split_once('/').and_then(|(k, n)| Some((number(k)?, number(n)?)));
        match parts {
            Some((_, n)) if n > Self::MOST => {
                Err(ScenarioError::Parse(format!("at most {} shards, not {n}: such as 1/4", Self::MOST)))
            }
            Some((k, n)) if (1..=n).contains(&k) => Ok(Self { k, n }),
            Some((_, n)) if n > 0 => {
                Err(ScenarioError::Parse(format!("no shard {text:?}: of {n} there are 1/{n} to {n}/{n}")))
            }
            Some(_) | None => Err(ScenarioError::Parse(format!("a shard is K/N, such as 1/4 and 4/4, not {text:?}"))),
        }
    }
}

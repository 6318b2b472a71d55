//! All orders in which packets can be delivered: the real client and server of `echo-net`, run once for each.
//!
//! A step of turmoil delivers some of the packets that are on their way, at least one: in each direction the first so
//! many, for TCP keeps their order. Several in one step matter, for a program finds then at once what it would
//! otherwise find in turn. How long a packet takes does not matter, as long as no deadline passes.

use super::{Timing, run_as};
use crate::plan::Refusal;
use crate::record::{Backend, Record};
use crate::scenario::Scenario;
use crate::setting;

/// The choices of one run: those that are given, then the first of each.
#[derive(Debug, Default)]
pub(super) struct Choices {
    given: Vec<usize>,
    /// What was chosen, of how many.
    made: Vec<(usize, usize)>,
}

impl Choices {
    /// How many packets are delivered of those that are under way in each direction: some, if there are any.
    pub(super) fn pick(&mut self, [first, second]: [usize; 2]) -> [usize; 2] {
        let ways = (first + 1) * (second + 1) - 1;
        if ways == 0 {
            return [0, 0];
        }
        let choice = if ways == 1 { 0 } else { self.choose(ways) };
        // All but "none of either", which is the last.
        let number = ways - choice;
        [number / (second + 1), number % (second + 1)]
    }

    fn choose(&mut self, ways: usize) -> usize {
        let choice = self.given.get(self.made.len()).copied().unwrap_or(0);
        self.made.push((choice, ways));
        choice
    }

    /// The next in order, if these were not the last.
    fn next(mut self) -> Option<Self> {
        while let Some((choice, ways)) = self.made.pop() {
            if choice + 1 < ways {
                let given = self.made.iter().map(|(choice, _)| *choice).chain([choice + 1]).collect();
                return Some(Self { given, made: Vec::new() });
            }
        }
        None
    }
}

/// Runs `scenario` in every order of delivery, and gives each record to `look`, which says whether to go on. Gives the
/// number of orders, and whether these were all.
///
/// # Errors
/// A [`Refusal`] if the scenario makes no sense, or has a network whose packets are not free to arrive at any time.
pub fn every_order(scenario: &Scenario, mut look: impl FnMut(Record) -> bool) -> Result<(u64, bool), Refusal> {
    scenario.check()?;
    Backend::Turmoil.expresses(scenario)?;
    if scenario.network.relay.is_some() || scenario.network.batch > 0 || !scenario.network.faults.is_empty() {
        return Err(Refusal(format!("{} says when packets arrive: it has one order", scenario.network)));
    }
    let budget = setting::budget(scenario);
    let mut choices = Choices::default();
    let mut count = 0;
    loop {
        let (record, timing) = run_as(scenario, budget, Timing::Choices(choices))?;
        count += 1;
        let go_on = look(record);
        let next = match timing {
            Timing::Choices(choices) => choices.next(),
            Timing::Links => None,
        };
        match next {
            None => return Ok((count, true)),
            Some(_) if !go_on => return Ok((count, false)),
            Some(next) => choices = next,
        }
    }
}

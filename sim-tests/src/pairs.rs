//! Which pairs of state and event of the close machine were reached.

use crate::explore::{Coverage, Subject};
use echo_core::close::Machine;
use echo_core::close::table::{Sample, State};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// Pairs of a machine's state and the event that it met there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(BTreeSet<(Subject, State, Sample)>);

thread_local! {
    static SEEN: RefCell<Pairs> = const { RefCell::new(Pairs(BTreeSet::new())) };
}

/// Notes a pair for [`Pairs::take`]: the value of [`Config::observe`](echo_core::Config) that measures.
pub fn observe(machine: &Machine, sample: Sample) {
    SEEN.with_borrow_mut(|seen| seen.0.insert((Subject::of(machine), State::of(machine), sample)));
}

impl Pairs {
    /// One more than the greatest index.
    pub const COUNT: usize = 5 * 5 * 5 * 2 * 3 * Sample::ALL.len();

    /// What this thread has observed since this was called last.
    pub fn take() -> Self {
        SEEN.take()
    }

    /// Adds those of `other`.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A number for each of them, below [`Pairs::COUNT`]: the same for the same pair in every process.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(subject, state, sample)| {
            let State { sent, heard, owes, verdict } = *state;
            let place = Sample::ALL.iter().position(|other| other == sample).unwrap_or_default();
            let state = ((*subject as usize * 5 + sent as usize) * 5 + heard as usize) * 2 + usize::from(owes);
            (state * 3 + verdict as usize) * Sample::ALL.len() + place
        })
    }

    /// Those that a connection can reach and that are not among them, one on a line.
    pub fn missing(&self) -> String {
        let mut text = String::new();
        for subject in Subject::ALL {
            for (state, sample) in self.coverage(subject).missing {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "    not reached: {}: {sample} in {state}", subject.name());
            }
        }
        text
    }

    /// How much of the table of `subject` that is.
    pub fn coverage(&self, subject: Subject) -> Coverage {
        Coverage::of_pairs(subject, &self.0)
    }
}

/// One line for each kind of machine that was met.
impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for subject in Subject::ALL {
            let coverage = self.coverage(subject);
            if coverage.reached > 0 {
                let (reached, can) = (coverage.reached, coverage.reachable());
                writeln!(f, "    {reached:>4} of {can:>3} reachable pairs: {}", subject.name())?;
            }
        }
        Ok(())
    }
}

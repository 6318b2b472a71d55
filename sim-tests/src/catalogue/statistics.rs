//! The statistics: the number of sequences, and of their different canonical traces.

use super::exclusion::{EXCLUSIONS, Exclusion};
use super::{Sequence, all, product};
use crate::record::canonical_trace;
use crate::scenario::Backend;
use crate::support::fnv;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// The figures of the catalogue.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// The size of the product: wires × plans × plans × networks.
    pub product: usize,
    /// The number of combinations that each rule removes.
    pub excluded: Vec<(&'static Exclusion, usize)>,
    /// The number of sequences that are not in the product.
    pub extra: usize,
    /// The number of sequences.
    pub remaining: usize,
    /// The number of different canonical traces among them.
    pub distinct: usize,
    /// The number of sequences with the canonical trace of an earlier one.
    pub redundant: usize,
    /// Pairs of state and event of the close machine: those that the sequences reach, and all. `None` if they were not
    /// counted.
    pub pairs: Option<(usize, usize)>,
}

/// Returns for each sequence the index of the first one with the same canonical trace, which may be itself.
fn first_with_same_trace() -> &'static [usize] {
    static FIRSTS: OnceLock<Vec<usize>> = OnceLock::new();
    FIRSTS.get_or_init(|| {
        let mut known = HashMap::new();
        let first = |(index, sequence)| *known.entry(trace_hash(sequence)).or_insert(index);
        all().iter().enumerate().map(first).collect()
    })
}

fn trace_hash(sequence: &Sequence) -> u64 {
    let mut text = String::new();
    for run in sequence.scenario.runs() {
        match Backend::Pair.run(&run) {
            Ok(record) => text.push_str(&canonical_trace(&record)),
            Err(refusal) => text.push_str(&refusal.to_string()),
        }
    }
    fnv(text.as_bytes())
}

impl Sequence {
    /// Returns the first sequence with the same canonical trace, unless this is the first.
    pub fn same_trace_as(&'static self) -> Option<&'static Self> {
        let index = all().iter().position(|one| std::ptr::eq(one, self))?;
        let first = first_with_same_trace()[index];
        (first != index).then(|| &all()[first])
    }
}

/// Computes all figures. The first call runs the whole catalogue on the pair.
pub fn statistics() -> Statistics {
    let firsts = first_with_same_trace();
    let distinct = firsts.iter().enumerate().filter(|(index, first)| index == *first).count();
    let product = product();
    Statistics {
        product: product.size,
        excluded: EXCLUSIONS.iter().zip(product.excluded.iter().copied()).collect(),
        extra: product.extra,
        remaining: firsts.len(),
        distinct,
        redundant: firsts.len() - distinct,
        pairs: None,
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>7}  product: wires × client's plans × server's plans × networks", self.product)?;
        for (rule, count) in &self.excluded {
            writeln!(f, "{count:>7}  excluded: {rule}")?;
        }
        writeln!(
            f,
            "{:>7}  beyond the product: second steps, deadlines to the millisecond, slow readers, services",
            self.extra
        )?;
        writeln!(f, "{:>7}  remaining", self.remaining)?;
        writeln!(f, "{:>7}  distinct canonical traces", self.distinct)?;
        writeln!(f, "{:>7}  redundant: another sequence has the same trace", self.redundant)?;
        match self.pairs {
            Some((covered, all)) => writeln!(f, "{covered:>7}  pairs of state and event covered, of {all}"),
            None => Ok(()),
        }
    }
}

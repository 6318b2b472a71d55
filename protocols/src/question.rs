//! A question to a protocol: one trial, and in words what its check asks.

use sim_tests::trial::{Trial, TrialRow};
use std::fmt::Debug;

/// One line of the page.
pub(crate) struct Question {
    /// The protocol, and what is different in this question.
    pub(crate) name: &'static str,
    asks: &'static str,
    ask: Box<dyn Fn(&'static str, &'static str) -> TrialRow>,
}

impl Question {
    pub(crate) fn new<C: Debug + 'static, S: Debug + 'static>(
        name: &'static str,
        asks: &'static str,
        trial: impl Fn() -> Trial<C, S> + 'static,
    ) -> Self {
        Self { name, asks, ask: Box::new(move |name, asks| trial().confirm_on_linux().row(name, asks)) }
    }

    /// Runs the trial, and on Linux one scenario of each finding.
    pub(crate) fn ask(&self) -> TrialRow {
        (self.ask)(self.name, self.asks)
    }
}

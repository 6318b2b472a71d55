//! A question to a protocol: one trial, and in words what its check asks.

use sim_tests::trial::{Role, Trial, TrialRow};
use std::fmt::Debug;

/// One line of the page.
pub(crate) struct Question {
    /// The protocol, and what is different in this question.
    pub(crate) name: &'static str,
    asks: &'static str,
    ask: Box<dyn Fn(&'static str, &'static str, OnLinux) -> TrialRow>,
}

/// Whether Linux is asked what it says to each finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnLinux {
    Asked,
    NotAsked,
}

/// What ladders call bytes that are random in each run.
pub(crate) fn random(_: Role, bytes: &[u8]) -> String {
    format!("{} bytes", bytes.len())
}

impl Question {
    pub(crate) fn new<C: Debug + 'static, S: Debug + 'static>(
        name: &'static str,
        asks: &'static str,
        trial: impl Fn() -> Trial<C, S> + 'static,
    ) -> Self {
        let ask = move |name, asks, on_linux| match on_linux {
            OnLinux::Asked => trial().confirm_on_linux().row(name, asks),
            OnLinux::NotAsked => trial().row(name, asks),
        };
        Self { name, asks, ask: Box::new(ask) }
    }

    /// Runs the trial, and if wanted one scenario of each finding on Linux.
    pub(crate) fn ask(&self, on_linux: OnLinux) -> TrialRow {
        (self.ask)(self.name, self.asks, on_linux)
    }
}

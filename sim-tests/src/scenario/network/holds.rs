//! Faults that wait for the packet that they hold.

use super::fault::{HeldContent, NetworkFault, Span};
use echo_core::Role;

/// Those of a network, until each has found its packet.
#[derive(Clone, Debug)]
pub(crate) struct Holds(Vec<NetworkFault>);

impl Holds {
    pub(crate) fn of(faults: &[NetworkFault]) -> Self {
        Self(faults.iter().filter(|fault| fault.mark().is_some()).copied().collect())
    }

    /// For how long the packet that `from` sends now is held, once for each fault that has waited for it.
    pub(crate) fn take(&mut self, from: Role, carries: impl Fn(HeldContent) -> bool) -> Vec<Span> {
        self.0.extract_if(.., |fault| fault.holds(from, &carries)).map(|fault| fault.span()).collect()
    }

    /// The faults whose packet never came.
    pub(crate) fn left(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

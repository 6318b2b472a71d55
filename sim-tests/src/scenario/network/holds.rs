//! Holds that wait for their packet.

use super::fault::{HeldContent, NetworkFault, Span};
use echo_core::Role;

/// The holds of a network that have not yet met their packet.
#[derive(Clone, Debug)]
pub(crate) struct Holds(Vec<NetworkFault>);

impl Holds {
    pub(crate) fn of(faults: &[NetworkFault]) -> Self {
        Self(faults.iter().filter(|fault| fault.mark().is_some()).copied().collect())
    }

    /// Returns the spans for which the packet that `from` now sends is held, one for each hold that waited for it.
    pub(crate) fn take(&mut self, from: Role, carries: impl Fn(HeldContent) -> bool) -> Vec<Span> {
        self.0.extract_if(.., |fault| fault.holds(from, &carries)).map(|fault| fault.span()).collect()
    }

    /// Returns the holds whose packet never came.
    pub(crate) fn left(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

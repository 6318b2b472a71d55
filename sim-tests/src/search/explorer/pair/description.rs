//! Descriptions of steps.

use super::super::unit::Piece;
use super::{Pair, Step};

impl Pair<'_> {
    /// Describes a step.
    pub(super) fn describe_step(&self, step: Step) -> String {
        let units = |pieces: &mut dyn Iterator<Item = &Piece>| {
            let part = |piece: &Piece| match (piece.begins, piece.ends) {
                (true, true) => piece.unit.to_string(),
                (true, false) => format!("the beginning of {}", piece.unit),
                (false, true) => format!("the rest of {}", piece.unit),
                (false, false) => format!("more of {}", piece.unit),
            };
            pieces.map(part).collect::<Vec<_>>().join(", ")
        };
        match step {
            Step::Command(role, command) => format!("{}: {}", role.name(), command.name()),
            Step::Write(role, _, count) => {
                format!("{} writes {}", role.name(), units(&mut self.end(role).outgoing.iter().take(count.into())))
            }
            Step::Fin(role) => format!("{} sends FIN", role.name()),
            Step::WriteFails(role) => format!("{}: a write fails", role.name()),
            Step::Read(role, _, count) => {
                let pieces = &self.inboxes[role as usize].queue.pieces;
                format!("{} reads {}", role.name(), units(&mut pieces.iter().take(count.into())))
            }
            Step::ReadFin(role) => format!("{} reads FIN", role.name()),
            Step::ReadReset(role) => format!("{} reads RST", role.name()),
            Step::GiveUp(role) => format!("{}: nothing to read after the failed write", role.name()),
            Step::Quiet(role) => format!("{}: the quiet time passes", role.name()),
            Step::Expire(role, deadline) => format!("{}: deadline {deadline}", role.name()),
            Step::Answer(answer) => format!("server {answer}"),
            Step::Fault(fault) => fault.to_string(),
        }
    }
}

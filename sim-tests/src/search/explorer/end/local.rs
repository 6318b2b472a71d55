//! The steps of one end, as far as they concern it alone.

use super::super::observations::Observations;
use super::super::peer_input::{PeerInput, peer_of};
use super::super::rules::ExplorerBreach;
use super::super::unit::Piece;
use super::{Answer, Command, End, NOW, Place};
use echo_core::Deadline;

/// A step, as far as it concerns one end. Its result depends on the end and on the pieces that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum LocalStep {
    Command(Command),
    /// Write this number of pieces.
    Write(u16),
    Fin,
    WriteFails,
    Read,
    ReadFin,
    ReadReset,
    Quiet,
    Expire(Deadline),
    /// The sending half is closed below the protocol.
    HalfClose,
    /// The program dies.
    Kill,
    /// An arbitrary peer sends this, which is read at once.
    PeerInput(PeerInput),
    /// The user of a service answers.
    Answer(Answer),
}

impl LocalStep {
    /// Returns a number for each step, as a key.
    pub(in super::super) fn code(self) -> u32 {
        let (kind, part) = match self {
            Self::Command(command) => (0, command as u16),
            Self::Write(count) => (1, count),
            Self::Fin => (2, 0),
            Self::WriteFails => (3, 0),
            Self::Read => (4, 0),
            Self::ReadFin => (5, 0),
            Self::ReadReset => (6, 0),
            Self::Quiet => (7, 0),
            Self::Expire(deadline) => (8, deadline as u16),
            Self::HalfClose => (9, 0),
            Self::Kill => (10, 0),
            Self::PeerInput(input) => (11, input as u16),
            Self::Answer(Answer::Reply(seq)) => (12, seq),
            Self::Answer(Answer::Fail(seq)) => (13, seq),
        };
        kind << 16 | u32::from(part)
    }
}

impl End {
    /// Takes a step. `input` is what is read. Returns what was written, or the rest of an input of an arbitrary peer.
    pub(in super::super) fn take(
        &mut self,
        step: LocalStep,
        input: &[Piece],
        notes: &mut Observations,
    ) -> Result<Vec<Piece>, ExplorerBreach> {
        match step {
            LocalStep::Command(command) => self.command(command, notes),
            LocalStep::Write(count) => return self.write(count.into(), notes),
            LocalStep::Fin => self.send_fin()?,
            LocalStep::WriteFails => self.fail_to_write(notes),
            LocalStep::Read => self.read_pieces(input, notes)?,
            LocalStep::ReadFin => self.read_fin(notes),
            LocalStep::ReadReset => self.read_reset(notes),
            LocalStep::Quiet => self.fall_quiet(notes),
            LocalStep::Expire(deadline) => self.expire(deadline, notes),
            LocalStep::HalfClose => self.half_closed = true,
            LocalStep::Kill => self.place = Place::Gone,
            LocalStep::Answer(answer) => self.answer(answer, notes)?,
            LocalStep::PeerInput(peer_input) => return self.read_peer_input(peer_input, input, notes),
        }
        Ok(Vec::new())
    }

    fn send_fin(&mut self) -> Result<(), ExplorerBreach> {
        self.connection.handle_fin_sent(NOW);
        if self.half_closed { Ok(()) } else { self.sent.record_fin() }
    }

    fn read_pieces(&mut self, pieces: &[Piece], notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let units: Vec<_> = pieces.iter().filter(|piece| piece.ends).map(|piece| piece.unit).collect();
        let bytes = pieces.iter().map(|piece| &*piece.bytes).collect::<Vec<_>>().concat();
        self.got.inside = pieces.last().is_some_and(|piece| !piece.ends);
        self.read(&bytes, &units, notes)
    }

    /// Reads an input of an arbitrary peer. `rest` is the second half of an input that the peer has begun to send.
    fn read_peer_input(
        &mut self,
        input: PeerInput,
        rest: &[Piece],
        notes: &mut Observations,
    ) -> Result<Vec<Piece>, ExplorerBreach> {
        let (bytes, unit) = match rest.first() {
            Some(rest) => (rest.bytes.to_vec(), rest.unit),
            None => input.bytes(peer_of(self.role), self),
        };
        self.got.inside = matches!(input, PeerInput::Half | PeerInput::HalfLine);
        if input == PeerInput::Half {
            let (half, rest) = bytes.split_at(bytes.len() / 2);
            self.read(half, &[], notes)?;
            let rest = Piece { bytes: rest.into(), unit, length: bytes.len(), begins: false, ends: true };
            return Ok(vec![rest]);
        }
        if input == PeerInput::HalfLine {
            self.read(&bytes, &[], notes)?;
            return Ok(Vec::new());
        }
        // A server chooses the wire by the first byte, and then has the machine of that wire.
        let (first, rest) = bytes.split_at(1);
        self.read(first, &[], notes)?;
        self.read(rest, &[unit], notes)?;
        Ok(Vec::new())
    }
}

//! Bytes on the wire, split into units (a preface, a frame, a line), and cut into pieces that can arrive alone.

use echo_core::{CloseCode, frame, preface};
use std::fmt;
use std::rc::Rc;

/// A complete item on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Unit {
    Preface,
    Echo(u64),
    Reply(u64),
    /// The next REPLY has none of the service.
    Failed(u64),
    GoAway(u64),
    Close {
        last: u64,
        code: CloseCode,
        fin_first: bool,
    },
    /// A frame of an unknown kind that may be ignored.
    Unknown,
    /// Bytes that violate the protocol.
    Broken,
    Line,
    /// What it is depends on what came before it.
    Undecided,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preface => write!(f, "preface"),
            Self::Echo(seq) => write!(f, "ECHO {seq}"),
            Self::Reply(seq) => write!(f, "REPLY {seq}"),
            Self::Failed(seq) => write!(f, "FAILED {seq}"),
            Self::GoAway(last) => write!(f, "GOAWAY {last}"),
            Self::Close { last, code, fin_first } => {
                write!(f, "CLOSE {last} {}{}", code.0, if *fin_first { " (FIN flag)" } else { "" })
            }
            Self::Unknown => write!(f, "unknown frame"),
            Self::Broken => write!(f, "bytes that break the protocol"),
            Self::Line => write!(f, "line"),
            Self::Undecided => write!(f, "part of a PROXY header"),
        }
    }
}

/// Bytes between two positions where the stream may be cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) bytes: Rc<[u8]>,
    /// The unit that they belong to.
    pub(super) unit: Unit,
    /// The length of the unit in bytes.
    pub(super) length: usize,
    pub(super) begins: bool,
    pub(super) ends: bool,
}

impl Piece {
    /// Creates a piece that will not be read.
    pub(super) fn junk() -> Self {
        Self { bytes: Rc::new([0]), unit: Unit::Broken, length: 1, begins: true, ends: true }
    }
}

/// How far a read or write goes. Reaches that equal a shorter one are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// To the next position where the stream may be cut.
    Piece,
    /// To the end of the frame.
    Unit,
    /// To the end of the data.
    All,
}

/// Returns the first unit of `bytes`, which start at a unit boundary, and its length. A correct side queues complete
/// units.
pub(super) fn first_unit(plain: bool, bytes: &[u8]) -> (Unit, usize) {
    if plain {
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        return (Unit::Line, line);
    }
    if bytes.first() == Some(&preface::FIRST_BYTE) {
        return (Unit::Preface, preface::LENGTH.min(bytes.len()));
    }
    let Some(header) = bytes.first_chunk::<{ frame::HEADER }>() else { return (Unit::Broken, bytes.len()) };
    let [a, b, c, kind, seq @ ..] = *header;
    let length = frame::HEADER + u32::from_be_bytes([0, a, b, c]) as usize;
    let (seq, body) = (u64::from_be_bytes(seq), bytes.get(frame::HEADER..length).unwrap_or_default());
    let unit = match (kind, body) {
        (1, _) => Unit::Echo(seq),
        (2, _) => Unit::Reply(seq),
        (3, _) => Unit::GoAway(seq),
        (5, _) => Unit::Failed(seq),
        (4, [high, low, flags, ..]) => {
            let code = CloseCode(u16::from_be_bytes([*high, *low]));
            Unit::Close { last: seq, code, fin_first: flags & 1 == 1 }
        }
        (_, []) if length > bytes.len() => Unit::Broken,
        (_, _) => Unit::Unknown,
    };
    (unit, length.min(bytes.len()))
}

/// Returns the first cut after `at` in a unit of `length` bytes, or its end.
pub(super) fn next_cut(cuts: &[usize], at: usize, length: usize) -> usize {
    cuts.iter().copied().find(|cut| at < *cut && *cut < length).unwrap_or(length)
}

/// Cuts queued output into pieces. `open` is the unit that was sent in part: the unit, the bytes that have left, and
/// its length.
pub(super) fn pieces(plain: bool, open: Option<(Unit, usize, usize)>, bytes: &[u8], cuts: &[usize]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut rest, mut open) = (bytes, open);
    while !rest.is_empty() {
        let (unit, at, length) = open.unwrap_or_else(|| {
            let (unit, length) = first_unit(plain, rest);
            (unit, 0, length)
        });
        let to = next_cut(cuts, at, length).min(at + rest.len());
        let (piece, behind) = rest.split_at(to - at);
        pieces.push(Piece { bytes: piece.into(), unit, length, begins: at == 0, ends: to == length });
        open = (to < length).then_some((unit, to, length));
        rest = behind;
    }
    pieces
}

/// Returns the possible reaches into `pieces`, each once.
pub(super) fn reaches(pieces: &[Piece]) -> impl Iterator<Item = (Reach, u16)> + use<> {
    let (mut unit, mut all) = (0, 0);
    for piece in pieces {
        all += 1;
        if piece.ends && unit == 0 {
            unit = all;
        }
    }
    let one = u16::from(all > 0);
    let far = [(Reach::Unit, unit, one), (Reach::All, all, unit.max(one))];
    let further = far.into_iter().filter(|(_, count, shorter)| count > shorter).map(|(reach, count, _)| (reach, count));
    (all > 0).then_some((Reach::Piece, 1)).into_iter().chain(further)
}

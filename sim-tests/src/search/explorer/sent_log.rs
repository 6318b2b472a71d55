//! The log of what a side has put on the wire, which is checked against the contract's order at once.

use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::unit::{Piece, Unit, pieces};
use echo_core::{CloseCode, Role};

/// What one side has sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SentLog {
    role: Role,
    plain: bool,
    /// The unit that was sent in part: the unit, the bytes that have left, and its length.
    pub(super) open: Option<(Unit, usize, usize)>,
    /// The number of ECHOs of which at least one byte has left.
    pub(super) requests: u64,
    /// The number of REPLYs of which at least one byte has left.
    pub(super) replies: u64,
    pub(super) goaway: bool,
    /// Count and code of the CLOSE, once its first byte has left.
    pub(super) close: Option<(u64, CloseCode)>,
    /// Whether the whole CLOSE has left.
    pub(super) close_left: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
}

/// What a side has really done when it sends a count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Server: the number of requests that ran.
    pub(super) ran: u64,
    /// Client: the number of answers that its user was given.
    pub(super) held: u64,
    /// The count in the peer's CLOSE.
    pub(super) peer_close: Option<u64>,
}

impl SentLog {
    pub(super) fn new(role: Role, plain: bool) -> Self {
        Self {
            role,
            plain,
            open: None,
            requests: 0,
            replies: 0,
            goaway: false,
            close: None,
            close_left: false,
            fin: false,
            reset: false,
        }
    }

    /// Returns the queued output in pieces.
    pub(super) fn pieces(&self, bytes: &[u8], cuts: &[usize]) -> Vec<Piece> {
        pieces(self.plain, self.open, bytes, cuts)
    }

    /// Records that a piece was sent.
    pub(super) fn record(&mut self, piece: &Piece, facts: Facts) -> Result<(), ExplorerBreach> {
        if piece.begins {
            self.begin(piece.unit, facts)?;
        }
        let at = self.open.map_or(0, |(_, at, _)| at) + piece.bytes.len();
        self.open = (!piece.ends).then_some((piece.unit, at, piece.length));
        let close = matches!(piece.unit, Unit::Close { .. });
        self.close_left |= close && piece.ends;
        Ok(())
    }

    /// Checks what may be sent next, and with which count (PROTOCOL.md, clauses 5.1, 5.2, 5.3, 5.6 and 5.10).
    fn begin(&mut self, unit: Unit, facts: Facts) -> Result<(), ExplorerBreach> {
        let who = self.role.name();
        self.ensure_may_send(|| format!("the {who} sends {unit}"))?;
        let right = match (unit, self.role) {
            (Unit::Preface | Unit::Line, _) => true,
            (Unit::Echo(seq), Role::Client) => {
                self.requests += 1;
                seq == self.requests && !self.goaway
            }
            (Unit::Reply(seq), Role::Server) => {
                self.replies += 1;
                seq == self.replies && seq <= facts.ran
            }
            (Unit::Failed(seq), Role::Server) => seq == self.replies + 1 && seq <= facts.ran,
            (Unit::GoAway(last), _) => {
                let right = last == if self.role == Role::Client { self.requests } else { 0 };
                right && !std::mem::replace(&mut self.goaway, true)
            }
            (Unit::Close { last, code, .. }, Role::Server) => {
                self.close = Some((last, code));
                last == facts.ran && (!code.is_clean() || self.replies == facts.ran)
            }
            (Unit::Close { last, code, .. }, Role::Client) => {
                self.close = Some((last, code));
                last == facts.held && (!code.is_clean() || facts.peer_close == Some(last))
            }
            (Unit::Echo(_), Role::Server) | (Unit::Reply(_) | Unit::Failed(_), Role::Client) => false,
            (Unit::Unknown | Unit::Broken | Unit::Undecided, _) => false,
        };
        ensure(right, ExplorerRule::Counts, || {
            let Facts { ran, held, .. } = facts;
            format!(
                "the {who} sends {unit}; {ran} requests ran, the client holds {held} answers, {} answers were sent",
                self.replies
            )
        })
    }

    /// Checks that nothing but FIN follows CLOSE, and nothing follows FIN (PROTOCOL.md, clause 5.10).
    fn ensure_may_send(&self, what: impl Fn() -> String) -> Result<(), ExplorerBreach> {
        ensure(self.close.is_none(), ExplorerRule::Close, || format!("{} after its CLOSE", what()))?;
        ensure(!self.fin && !self.reset, ExplorerRule::Close, || format!("{} after its FIN or RST", what()))
    }

    /// Records that FIN was sent.
    pub(super) fn record_fin(&mut self) -> Result<(), ExplorerBreach> {
        let who = self.role.name();
        ensure(!self.fin && !self.reset, ExplorerRule::Close, || format!("the {who} sends FIN after its FIN or RST"))?;
        ensure(self.open.is_none(), ExplorerRule::Close, || format!("the {who} sends FIN inside a frame"))?;
        self.fin = true;
        Ok(())
    }
}

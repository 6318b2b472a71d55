//! The allowed endings of each kind, and the latest time at which the server must close.

use super::{Close, Ending, Kind, StreamEnd, Wire};
use echo_core::{CloseCode, Deadlines};
use std::time::Duration;

/// The server's behaviour towards a kind.
struct Rule {
    /// Allowed codes of the server's CLOSE.
    codes: &'static [CloseCode],
    /// Allowed ends of the stream without a CLOSE.
    without_close: &'static [StreamEnd],
}

const OPEN: &[StreamEnd] = &[StreamEnd::Open];
const RESET: &[StreamEnd] = &[StreamEnd::Open, StreamEnd::Reset];
const NEVER: &[StreamEnd] = &[];

impl Kind {
    /// Returns whether [`Kind::must_get`] allows this ending of a connection on `wire`. A refusal because the server is
    /// full is always allowed. An overdue end, or bytes that are not echo/1, are never allowed.
    pub fn allows(self, wire: Wire, ending: &Ending) -> bool {
        if ending.is_garbled || ending.end == StreamEnd::Overdue {
            return false;
        }
        if ending.is_busy() {
            return true;
        }
        match wire {
            Wire::Framed => self.allows_framed(ending),
            Wire::Plain => self.allows_plain(ending),
        }
    }

    fn allows_framed(self, ending: &Ending) -> bool {
        let Rule { codes, without_close } = self.rule();
        match ending.close_frame {
            Some(Close::Close(code)) => codes.contains(&code),
            Some(Close::BusyLine | Close::ErrorLine) => false,
            None => without_close.contains(&ending.end),
        }
    }

    /// The plain wire has only FIN. A reset is allowed if the client does not read or has left.
    fn allows_plain(self, ending: &Ending) -> bool {
        if ending.close_frame.is_some() {
            return false;
        }
        match ending.end {
            StreamEnd::Fin => true,
            StreamEnd::Open => !self.is_ended_by_fin(),
            StreamEnd::Reset => self.lets_answers_wait(),
            StreamEnd::Left => matches!(self, Self::RstAnywhere | Self::ConnectBurst),
            StreamEnd::Overdue => false,
        }
    }

    fn rule(self) -> Rule {
        const NORMAL: CloseCode = CloseCode::NORMAL;
        const LEAVING: CloseCode = CloseCode::GOING_AWAY;
        const WRONG: CloseCode = CloseCode::PROTOCOL_ERROR;
        let (codes, without_close): (&'static [CloseCode], _) = match self {
            Self::SlowPreface => (&[WRONG], OPEN),
            Self::SlowFrame | Self::UnfinishedFrame => (&[LEAVING], OPEN),
            Self::UnreadFrames | Self::TinyFramesUnread => (&[], RESET),
            Self::SlowReader | Self::UnreadAnswer => (&[LEAVING], RESET),
            Self::TinyFrames | Self::EmptyEchoes => (&[WRONG], NEVER),
            Self::GoawayFlood => (&[NORMAL, WRONG], NEVER),
            Self::UnknownFrames => (&[WRONG, LEAVING], NEVER),
            Self::HalfOpen => (&[], &[StreamEnd::Open, StreamEnd::Fin]),
            Self::CloseEachTime | Self::CloseWrongCount | Self::CloseTooSoon => (&[NORMAL], NEVER),
            Self::CriticalFrames
            | Self::CloseUnsent
            | Self::CloseInPreface
            | Self::GoawayWrongCount
            | Self::UnaskedReplies => (&[WRONG], NEVER),
            Self::FinAnywhere => (&[NORMAL, WRONG], NEVER),
            Self::RstAnywhere => (&[NORMAL, WRONG], &[StreamEnd::Left]),
            Self::EnormousLength => (&[CloseCode::TOO_BIG], NEVER),
            Self::OverLimit => (&[NORMAL, LEAVING, WRONG], NEVER),
            Self::ConnectBurst => (&[LEAVING], &[StreamEnd::Open, StreamEnd::Reset, StreamEnd::Left]),
            Self::SlowLine | Self::UnreadLines | Self::Newlines | Self::UnfinishedLine => (&[], NEVER),
        };
        Rule { codes, without_close }
    }

    /// Returns whether the attacker sends FIN at the end, so that the server must answer with its own.
    fn is_ended_by_fin(self) -> bool {
        matches!(self, Self::Newlines | Self::FinAnywhere | Self::OverLimit)
    }

    fn lets_answers_wait(self) -> bool {
        matches!(self, Self::UnreadLines | Self::UnreadAnswer | Self::SlowReader | Self::ConnectBurst)
    }

    /// Returns the latest time at which the server must close a connection that the attacker holds, since its
    /// beginning.
    pub(super) fn closes_after(self, wire: Wire, deadlines: &Deadlines) -> Duration {
        let sum = |parts: &[Duration]| parts.iter().fold(Duration::ZERO, |sum, part| sum.saturating_add(*part));
        let Deadlines { detect, idle, write, drain, close, fin, linger, .. } = *deadlines;
        match self {
            Self::SlowPreface => sum(&[detect, fin]),
            Self::SlowFrame | Self::UnfinishedFrame => sum(&[idle, drain, close]),
            Self::HalfOpen => idle,
            Self::UnreadFrames | Self::UnreadLines | Self::TinyFramesUnread => write,
            Self::GoawayFlood | Self::CriticalFrames => sum(&[close, fin, linger]),
            Self::UnknownFrames | Self::OverLimit if wire == Wire::Framed => sum(&[idle, drain, close]),
            // No deadline applies: the client is answered or takes bytes now and then, or it ends by itself, or the
            // server's end is behind an answer that it does not read.
            _ => Duration::MAX,
        }
    }
}

impl Ending {
    /// Returns whether the server did nothing with the connection: it may not have accepted it.
    pub(super) fn is_unserved(&self) -> bool {
        self.close_frame.is_none() && !self.is_garbled && matches!(self.end, StreamEnd::Open | StreamEnd::Overdue)
    }
}

//! The user of a service: answers the requests that the server has accepted, in any order.

use super::super::observations::{Goal, Observations};
use super::super::rules::{ExplorerBreach, ExplorerRule};
use super::{End, NOW};
use echo_core::{CloseCode, Failure};
use std::fmt;

/// An answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Answer {
    /// The request with this number is answered.
    Reply(u16),
    /// It has no answer.
    Fail(u16),
}

impl Answer {
    /// Returns all answers that the user of `end` can give. Only the first request fails: which one it is makes no
    /// difference to the machine.
    pub(in super::super) fn all(end: &End) -> impl Iterator<Item = Self> {
        let seqs = || end.connection.unanswered().filter_map(|seq| u16::try_from(seq).ok()).filter(|_| end.is_here());
        seqs().map(Self::Reply).chain(seqs().take(1).map(Self::Fail))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(seq) => write!(f, "answers request {seq}"),
            Self::Fail(seq) => write!(f, "fails request {seq}"),
        }
    }
}

impl End {
    /// Returns whether the user of a service has yet to answer.
    pub(in super::super) fn owes(&self) -> bool {
        self.connection.unanswered().next().is_some()
    }

    pub(super) fn answer(&mut self, answer: Answer, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        notes.see_if(self.connection.machine().is_ending(), Goal::AnswerInEnding);
        let first = self.connection.unanswered().next();
        let given = match answer {
            Answer::Reply(seq) => {
                notes.see_if(first != Some(seq.into()), Goal::AnswerWaits);
                self.connection.reply(NOW, seq.into(), b"")
            }
            Answer::Fail(seq) => self.connection.fail_request(NOW, seq.into(), Failure::new(CloseCode(4000), "")),
        };
        given.map_err(|misuse| ExplorerBreach {
            rule: ExplorerRule::Answers,
            what: format!("a request that is to be answered cannot be: {misuse}"),
        })
    }
}

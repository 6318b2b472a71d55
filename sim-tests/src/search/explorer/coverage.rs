//! Which part of the close machine's table was reached through a connection, and why the rest cannot be reached.

use super::observations::Observations;
use crate::support::pairs::{Pairs, Subject};
use echo_core::Deadline;
use echo_core::Role::{Client, Server};
use echo_core::close::CloseHandshake;
use echo_core::close::HalfState::{Closed, Failed, Finished, Leaving, Open};
use echo_core::close::table::{Sample, State, Verdict, reachable};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// The reached part of the table of one subject.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The number of pairs of state and event in the machine's table.
    pub pairs: usize,
    /// The number of reachable pairs that were reached.
    pub reached: usize,
    /// Pairs that a connection cannot reach, by reason.
    pub unreachable: BTreeMap<&'static str, Vec<(State, Sample)>>,
    /// Pairs that should have been reached but were not.
    pub missing: Vec<(State, Sample)>,
    /// Pairs that were reached although a reason says that they cannot be, or that are not in the table.
    pub wrong: Vec<(State, Sample)>,
}

impl Coverage {
    /// Returns a list of all pairs that cannot be reached, below their reasons.
    pub fn listing(&self) -> String {
        let mut text = String::new();
        for (reason, pairs) in &self.unreachable {
            text += &format!("{reason}:\n");
            let mut by_state: BTreeMap<State, Vec<&str>> = BTreeMap::new();
            pairs.iter().for_each(|(state, sample)| by_state.entry(*state).or_default().push(sample.name()));
            for (state, samples) in by_state {
                text += &format!("    {state}: {}\n", samples.join(" | "));
            }
        }
        text
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, reached, .. } = self;
        let can = self.reachable();
        write!(f, "{reached} of {can} reachable pairs reached; {} of {pairs} are unreachable", pairs - can)?;
        for (reason, pairs) in &self.unreachable {
            write!(f, "\n    {:>4} {reason}", pairs.len())?;
        }
        for (state, sample) in &self.missing {
            write!(f, "\n    NOT REACHED: {sample} in {state}")?;
        }
        for (state, sample) in &self.wrong {
            write!(f, "\n    REACHED, but listed as unreachable: {sample} in {state}")?;
        }
        Ok(())
    }
}

impl Coverage {
    pub(super) fn of(subject: Subject, notes: &Observations) -> Self {
        Self::of_pairs(subject, &notes.pairs)
    }

    /// Returns the number of pairs that a connection can reach.
    pub fn reachable(&self) -> usize {
        self.pairs - self.unreachable.values().map(Vec::len).sum::<usize>()
    }

    /// Returns which part of the table of `subject` is in `seen`.
    pub(crate) fn of_pairs(subject: Subject, seen: &BTreeSet<(Subject, State, Sample)>) -> Self {
        let (role, policy) = subject.machine();
        let states: BTreeSet<State> = reachable(role, policy).iter().map(State::of).collect();
        let all: BTreeSet<_> =
            states.into_iter().flat_map(|state| Sample::of(policy).map(move |sample| (state, sample))).collect();
        let reached = seen.iter().filter(|(other, ..)| *other == subject).map(|(_, state, sample)| (*state, *sample));
        let reached: BTreeSet<_> = reached.collect();
        let mut coverage = Self { pairs: all.len(), ..Self::default() };
        coverage.wrong.extend(reached.difference(&all));
        for (state, sample) in all {
            match (why_not(subject, state, sample), reached.contains(&(state, sample))) {
                (None, true) => coverage.reached += 1,
                (None, false) => coverage.missing.push((state, sample)),
                (Some(reason), reached) => {
                    coverage.unreachable.entry(reason).or_default().push((state, sample));
                    if reached {
                        coverage.wrong.push((state, sample));
                    }
                }
            }
        }
        coverage
    }
}

/// Returns why a connection's machine never receives `sample` in `state`, or `None` if it can.
fn why_not(subject: Subject, state: State, sample: Sample) -> Option<&'static str> {
    let (role, policy) = subject.machine();
    let framed = policy.handshake == CloseHandshake::Acknowledged;
    match (sample, role) {
        (
            Sample::Leave | Sample::Fail | Sample::Abort | Sample::Deadline(Deadline::Drain | Deadline::Shutdown),
            Server,
        ) if owes_in_vain(subject, state) && state.received == Finished => {
            Some("after a failed write, FIN is a reset at once while answers are owed")
        }
        (Sample::Send | Sample::FirstByteLeft, Server) => Some("only a client sends requests"),
        (Sample::Answered | Sample::AnsweredTooMuch, Client) => Some("only a server answers"),
        (Sample::Answered | Sample::Deadline(Deadline::Write), Server) if owes_in_vain(subject, state) => IN_VAIN,
        (Sample::Answered, Server) if state.owes => None,
        (Sample::Answered, Server) => Some("each request is answered once"),
        (Sample::AnsweredTooMuch, Server) => Some("a connection answers what it accepted"),
        (Sample::FirstByteLeft, Client) => first_byte(framed, state),
        (Sample::Deadline(deadline), _) => waits(subject, state, deadline),
        (Sample::Fin, _) if state.received == Finished => BEHIND_FIN,
        (Sample::Reset, Server)
            if (state.sent, state.received, state.verdict) == (Finished, Finished, Verdict::Clean) =>
        {
            Some(
                "nothing is read any more, and no write can fail: a server is clean only after all its output was sent",
            )
        }
        (Sample::Send | Sample::Leave | Sample::Fail | Sample::Abort | Sample::Reset | Sample::Fin, _) => None,
        (Sample::NextRequest | Sample::OtherRequest | Sample::NextAnswer | Sample::OtherAnswer, _)
        | (Sample::RightGoAway | Sample::WrongGoAway | Sample::RightClose | Sample::RightCloseFinFirst, _)
        | (Sample::WrongClose | Sample::ErrorClose | Sample::ErrorCloseFinFirst | Sample::ErrorCloseThatCannotBe, _)
        | (Sample::Other | Sample::Violation, _) => received(subject, state, sample),
    }
}

/// Returns whether a server owes answers after a failed write. Then the plain wire's idle deadline, which never passes
/// before an answer, has given the verdict.
fn owes_in_vain(subject: Subject, state: State) -> bool {
    subject == Subject::PlainServer && state.owes && state.verdict == Verdict::Other
}

const IN_VAIN: Option<&str> = Some("after a failed write nothing is answered or written");
const DROPPED: Option<&str> = Some("input is discarded unread");
const BEHIND_FIN: Option<&str> = Some("nothing is read after FIN");

fn first_byte(framed: bool, state: State) -> Option<&'static str> {
    match (framed, state.sent, state.received) {
        // A plain client sends FIN after all earlier requests.
        (_, Open, _) | (true, Leaving, _) | (false, Finished, _) => None,
        (true, _, _) => Some("requests without a sent byte are removed before a CLOSE and before FIN"),
        (false, _, _) => Some("without CLOSE frames, FIN follows at once"),
    }
}

/// Returns why requests, answers, GOAWAY, CLOSE and violations cannot be received, or `None` if they can.
fn received(subject: Subject, state: State, sample: Sample) -> Option<&'static str> {
    let lines = Some("lines have no numbers, and carry no answers to a server");
    match (subject, state.sent, state.received) {
        (Subject::PlainClient, _, _) => Some("a plain client handles all input as text"),
        (Subject::PlainServer, _, _) if !matches!(sample, Sample::NextRequest | Sample::Violation) => lines,
        (_, _, Finished) => BEHIND_FIN,
        (Subject::PlainServer, Finished, _) => DROPPED,
        (_, Failed, _) | (_, Finished, Open | Leaving | Failed) => DROPPED,
        (_, _, _) => None,
    }
}

/// Returns why a deadline does not run (clause 8.4), or `None` if it does. A running deadline can pass.
fn waits(subject: Subject, state: State, deadline: Deadline) -> Option<&'static str> {
    let (role, policy) = subject.machine();
    let framed = policy.handshake == CloseHandshake::Acknowledged;
    let State { sent, received, owes, verdict } = state;
    let clean = verdict == Verdict::Clean;
    let at_first = !owes && !clean && (received == Open || (sent, received) == (Finished, Finished));
    let (runs, reason) = match deadline {
        Deadline::Connect if !framed || role == Server => (false, "only a framed client waits for a server's preface"),
        Deadline::Connect => (at_first, "the server's preface has been read"),
        Deadline::Detect if !framed || role == Client => (false, "only a framed server waits for a client's preface"),
        Deadline::Detect => (at_first, "the client's preface has been read"),
        Deadline::Answer if role == Server => (false, "only a client waits for answers"),
        Deadline::Answer | Deadline::Idle => {
            ((sent, received) == (Open, Open), "the ending has begun, which ends this wait")
        }
        Deadline::Write if role == Server && clean => (false, "a server is clean only after all its output was sent"),
        Deadline::Write => (true, ""),
        Deadline::Drain => {
            let answers = role == Server && owes && (sent == Leaving || received != Open);
            let reason = match role {
                Server => "the server waits neither for its user's answers nor for the client's CLOSE",
                Client => "the side does not wait for the peer's CLOSE",
            };
            (answers || framed && sent == Leaving, reason)
        }
        Deadline::Close => {
            let waits = framed && role == Server && sent == Closed && matches!(received, Open | Leaving);
            (waits, "the side does not wait for a client's CLOSE")
        }
        Deadline::Fin => {
            let waits = matches!((sent, received), (Closed, Closed) | (Failed, _));
            (waits, "the side does not wait for the peer's FIN, or has sent its own and waits with linger")
        }
        Deadline::Linger => {
            (sent == Finished && received != Finished, "the side has not sent its FIN, or has received the peer's")
        }
        Deadline::Shutdown => ((sent, received) != (Open, Open), "the ending has not begun"),
    };
    (!runs).then_some(reason)
}

impl Pairs {
    /// Returns the reachable pairs that are not in this set, one on a line.
    pub fn missing(&self) -> String {
        let mut text = String::new();
        for subject in Subject::ALL {
            for (state, sample) in self.coverage(subject).missing {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "    not reached: {}: {sample} in {state}", subject.name());
            }
        }
        text
    }

    /// Returns which part of the table of `subject` is in this set.
    pub fn coverage(&self, subject: Subject) -> Coverage {
        Coverage::of_pairs(subject, &self.0)
    }
}

/// Writes one line for each kind of machine that occurred.
impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for subject in Subject::ALL {
            let coverage = self.coverage(subject);
            if coverage.reached > 0 {
                let (reached, can) = (coverage.reached, coverage.reachable());
                writeln!(f, "    {reached:>4} of {can:>3} reachable pairs: {}", subject.name())?;
            }
        }
        Ok(())
    }
}

//! A record as text: for people.

use crate::board::{What, name};
use crate::catalogue::judge;
use crate::plan::Refusal;
use crate::record::Backend;
use crate::record::{Ending, Record};
use crate::scenario::Scenario;
use echo_core::Role;
use std::fmt::Write;

/// Columns of the client's side of a ladder.
pub(crate) const WIDTH: usize = 30;

/// The ladder: the client's events to the left, the server's to the right, time downwards.
///
/// `─▶` stands beside what an end sends, `▶` beside what it reads. With `times`, each line begins with the virtual
/// time in milliseconds; without, the text depends on nothing but the order of events.
pub fn ladder(record: &Record, times: bool) -> String {
    let mut text = format!("{} on {}\n", record.scenario, record.backend.id());
    let margin = if times { "   ms  " } else { "" };
    line(&mut text, margin, "client", "server");
    for entry in &record.entries {
        let Some((left, right)) = step(entry.side, &entry.what) else { continue };
        let margin = if times { format!("{:>5}  ", entry.at) } else { String::new() };
        line(&mut text, &margin, &left, &right);
    }
    for left in &record.unreached {
        let _ = writeln!(text, "never reached: {left}");
    }
    for side in [Role::Client, Role::Server] {
        let _ = writeln!(text, "{}: {}", name(side), ending(&record.ending(side)));
    }
    text
}

/// How an end came out of it, in words.
pub fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Outcome(outcome) => outcome.to_string(),
        Ending::Gone(action) => format!("gone ({})", action.id()),
        Ending::Open => "still open".to_owned(),
    }
}

pub(crate) fn line(text: &mut String, margin: &str, left: &str, right: &str) {
    let pad = WIDTH.saturating_sub(left.chars().count());
    let whole = format!("{margin}{left}{:pad$}│ {right}", "");
    let _ = writeln!(text, "{}", whole.trim_end());
}

/// One event in the two columns. Bookkeeping that is no event on the wire is left out.
fn step(side: Role, what: &What) -> Option<(String, String)> {
    let put = |client: String, server: String| match side {
        Role::Client => (client, String::new()),
        Role::Server => (String::new(), server),
    };
    let right_aligned = |words: String| format!("{words:>width$}", width = WIDTH - 1);
    Some(match what {
        What::Sent(unit) => put(right_aligned(format!("{unit} ─▶")), format!("◀─ {unit}")),
        What::Got(unit) => put(right_aligned(format!("{unit} ◀")), format!("▶ {unit}")),
        What::Did(action) => put(format!("* {}", action.id()), format!("* {}", action.id())),
        What::LetGo => put("* lets go".into(), "* lets go".into()),
        What::Stalled(point) => put(format!("~ {}", point.id()), format!("~ {}", point.id())),
        What::Relayed(unit) => put(format!("~ {unit} from the relay"), format!("~ {unit} from the relay")),
        What::Held => put("~ held on the way from here".into(), "~ held on the way from here".into()),
        What::Cut => ("~ the network is cut".into(), "~ the network is cut".into()),
        What::Ended(outcome) => put(format!("= {}", outcome.end.name()), format!("= {}", outcome.end.name())),
        What::Accepted(_) | What::Handed(_) => return None,
    })
}

/// One scenario, run on some backends.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// What came of it on each.
    pub runs: Vec<(Backend, Result<Record, Refusal>)>,
}

impl Row {
    /// Runs the scenario called `id` on `backends`.
    pub fn run(id: &str, backends: &[Backend]) -> Self {
        let scenario: Result<Scenario, Refusal> = id.parse();
        let run = |backend: &Backend| (*backend, scenario.clone().and_then(|scenario| backend.run(&scenario)));
        Self { id: id.to_owned(), runs: backends.iter().map(run).collect() }
    }

    /// What is wrong, by backend. A backend that cannot express a scenario says so here: it is never just left out.
    pub fn faults(&self) -> Vec<(Backend, String)> {
        let of = |(backend, run): &(Backend, Result<Record, Refusal>)| match run {
            Ok(record) => judge(record).iter().map(|found| (*backend, found.to_string())).collect::<Vec<_>>(),
            Err(refusal) => vec![(*backend, format!("cannot be run: {refusal}"))],
        };
        self.runs.iter().flat_map(of).collect()
    }

    /// The outcomes at `side`: one if the backends agree, otherwise one for each.
    fn outcomes(&self, side: Role) -> String {
        let names: Vec<_> = self.runs.iter().filter_map(|(_, run)| run.as_ref().ok()).collect();
        let mut names: Vec<_> = names.into_iter().map(|record| record.ending(side).name()).collect();
        names.dedup();
        names.join(" / ")
    }
}

/// All rows as a table: verdict, outcome at each end, id; below a broken one what is wrong, and how to see it.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<7} {:<12} {:<12} {}\n", "verdict", "client", "server", "close sequence");
    for row in rows {
        let faults = row.faults();
        let verdict = if faults.is_empty() { "ok" } else { "BROKEN" };
        let (client, server) = (row.outcomes(Role::Client), row.outcomes(Role::Server));
        let _ = writeln!(text, "{verdict:<7} {client:<12} {server:<12} {}", row.id);
        for (backend, fault) in faults {
            let _ = writeln!(text, "        {}: {fault}", backend.id());
            let _ = writeln!(text, "        replay: echo-sim replay {} --backend {}", row.id, backend.id());
        }
    }
    text
}

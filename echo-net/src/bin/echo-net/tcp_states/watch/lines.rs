//! A look as lines.

use super::cells::HEAD;
use super::look::Look;
use super::target::Target;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tcp_states::{Finding, Harm};

/// How many lines with the same finding and the same holder are shown.
const SHOWN: usize = 5;

/// Returns a look as text. `at` is the time of the look.
pub(crate) fn look(look: &Look, target: Option<Target>, at: &str) -> String {
    let mut text = format!("{at}  {}\n", summary(look, target));
    if let Some(line) = unreadable(look) {
        let _ = writeln!(text, "{line}");
    }
    let entries = look.entries();
    if !entries.is_empty() {
        let _ = writeln!(text, "{}", aligned(HEAD));
    }
    let mut seen: BTreeMap<(Finding, String), usize> = BTreeMap::new();
    for entry in entries {
        let count = seen.entry((entry.finding(), entry.holder())).or_default();
        *count += 1;
        if *count <= SHOWN {
            let _ =
                writeln!(text, "{}\n         {}", aligned(entry.cells().each_ref().map(String::as_str)), entry.text());
        }
    }
    for ((finding, holder), count) in seen.into_iter().filter(|(_, count)| *count > SHOWN) {
        let _ = writeln!(text, "         {} more like this: {}, held by {holder}", count - SHOWN, finding.name());
    }
    text
}

/// Returns how many sockets there are, and where.
pub(crate) fn summary(look: &Look, target: Option<Target>) -> String {
    let mut parts = vec![format!("network namespace {}", look.namespace)];
    parts.extend(target.map(|target| format!("{target} only")));
    parts.push(format!("{} stuck", look.count(Harm::Stuck)));
    parts.push(format!("{} passing", look.count(Harm::Passing)));
    match look.counts.is_empty() {
        true => parts.push("no socket in a closing state".to_owned()),
        false => parts.extend(look.counts.iter().map(|(state, count)| format!("{state} {count}"))),
    }
    parts.join(", ")
}

/// Returns what is missing because of permissions.
pub(crate) fn unreadable(look: &Look) -> Option<String> {
    let processes = match look.unreadable {
        0 => return None,
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    Some(format!("The sockets of {processes} cannot be read, so some owners are missing: root sees them all"))
}

fn aligned([harm, state, age, received, sent, timer, local, peer, holder]: [&str; 9]) -> String {
    format!("{harm:<8} {state:<12} {age:>9} {received:>8} {sent:>8} {timer:<18} {local:<21} {peer:<21} {holder}")
}

//! The complete table of the close machine: every reachable state × every event (PROTOCOL.md, section 9).

use crate::machines::{Effect, SETUPS, Setup, table};
use echo_core::close::CloseHandshake;
use echo_core::close::HalfState::{self, Closed, Failed, Finished, Leaving, Open};
use echo_core::close::table::{Sample, State, Verdict};
use echo_core::{Deadline, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

type Row = BTreeMap<Sample, BTreeSet<Effect>>;

fn effect_name(state: State, effect: &Effect) -> String {
    let mut text = effect.actions.join(" ");
    if (effect.sent, effect.received) != (state.sent, state.received) {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}→ {:?} / {:?}", effect.sent, effect.received);
    }
    if let Some(verdict) = &effect.verdict {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{verdict}");
    }
    if text.is_empty() { "nothing".into() } else { text }
}

/// Groups samples with the same effects, in the order of the first of each group.
fn grouped(state: State, row: &Row) -> Vec<(Vec<Sample>, String)> {
    let mut groups: Vec<(Vec<Sample>, String)> = Vec::new();
    for (sample, effects) in row {
        let names: BTreeSet<String> = effects.iter().map(|effect| effect_name(state, effect)).collect();
        let text = names.into_iter().collect::<Vec<_>>().join(", or ");
        match groups.iter_mut().find(|(_, other)| *other == text) {
            Some((samples, _)) => samples.push(*sample),
            None => groups.push((vec![*sample], text)),
        }
    }
    groups
}

/// The names in a group. If it contains everything that a peer can send, this is one name.
fn sample_names(samples: &[Sample], setup: Setup) -> String {
    let from_peer = |sample: &Sample| {
        ["next request", "request out", "next answer", "answer out", "GOAWAY", "CLOSE", "unknown", "violation"]
            .iter()
            .any(|p| sample.name().starts_with(p))
    };
    let all: Vec<Sample> = setup.samples().filter(|sample| from_peer(sample)).collect();
    if !all.iter().all(|sample| samples.contains(sample)) {
        return samples.iter().map(|sample| sample.name()).collect::<Vec<_>>().join(" | ");
    }
    let mut names: Vec<&str> = samples.iter().filter(|sample| !from_peer(sample)).map(|sample| sample.name()).collect();
    names.push("whatever comes but FIN");
    names.join(" | ")
}

/// Tests clause 9.1: every state has an effect for every event; a snapshot lists them.
#[test]
fn every_state_and_event() {
    for setup in SETUPS {
        let mut text = String::new();
        for (state, row) in table(setup) {
            assert_eq!(row.len(), setup.samples().count(), "every sample was tried in {state}");
            let _ = writeln!(text, "{state}");
            for (samples, effect) in grouped(state, &row) {
                let _ = writeln!(text, "    {}: {effect}", sample_names(&samples, setup));
            }
        }
        text += "\nNever:\n";
        for (sent, received) in pairs() {
            if let Some(reason) = unreachable(setup, sent, received) {
                let _ = writeln!(text, "    {sent:?} / {received:?}: {reason}");
            }
        }
        insta::assert_snapshot!(setup.name.replace(' ', "_"), text);
    }
}

fn pairs() -> impl Iterator<Item = (HalfState, HalfState)> {
    let all = [Open, Leaving, Closed, Failed, Finished];
    all.into_iter().flat_map(move |sent| all.into_iter().map(move |received| (sent, received)))
}

/// Why a state is not reachable; `None` if it is.
fn unreachable(setup: Setup, sent: HalfState, received: HalfState) -> Option<&'static str> {
    let fin_first = setup.role == setup.policy.first_fin;
    match (setup.policy.handshake, setup.role, sent, received) {
        (CloseHandshake::None, _, _, Leaving | Closed | Failed) => Some("the plain wire has no words"),
        (CloseHandshake::None, _, Closed | Failed, _) => Some("without words, FIN follows at once"),
        (CloseHandshake::None, Role::Client, Leaving, _) => Some("a plain client owes nothing, so FIN follows at once"),
        (_, _, Open | Leaving | Closed, Failed) => Some("an error in the peer's CLOSE ends one's own words"),
        (_, _, Closed | Failed, Finished) => Some("the peer's FIN is followed by FIN at once"),
        (_, Role::Client, Open, Leaving) => Some("a client answers GOAWAY at once"),
        (_, Role::Client, Open | Leaving, Closed) => Some("a client answers CLOSE at once"),
        (_, Role::Client, Open | Leaving, Finished) => Some("a client answers FIN at once"),
        (_, Role::Client, Closed, Open | Leaving) => Some("a client's CLOSE in order follows the server's"),
        (_, Role::Client, Failed, Open | Leaving) => Some("a client that knows of no other setting sends FIN first"),
        (_, Role::Server, Open | Leaving, Closed) => Some("a client's CLOSE in order follows the server's"),
        (CloseHandshake::Server, Role::Server, _, Closed) => Some("the client has no CLOSE"),
        (CloseHandshake::Server, Role::Server, Closed, Open | Leaving) if fin_first => {
            Some("FIN follows CLOSE at once")
        }
        (_, Role::Server, Closed, Closed) if fin_first => Some("FIN follows the CLOSE frames at once"),
        (_, Role::Server, Failed, _) if fin_first => Some("FIN follows an error at once"),
        _ => None,
    }
}

/// Tests clause 9.2: a state is reachable unless there is a reason why not.
#[test]
fn unreachable_states_have_a_reason() {
    for setup in SETUPS {
        let reached: BTreeSet<_> = table(setup).into_keys().map(|state| (state.sent, state.received)).collect();
        for (sent, received) in pairs() {
            let reason = unreachable(setup, sent, received);
            let is_reached = reached.contains(&(sent, received));
            assert_eq!(is_reached, reason.is_none(), "{}: {sent:?} / {received:?}, {reason:?}", setup.name);
        }
    }
}

/// Tests clause 9.3: these events end the connection at once in every state, so the printed table leaves them out.
#[test]
fn some_events_end_everything() {
    for setup in SETUPS {
        for (state, row) in table(setup) {
            for (sample, effects) in row {
                if lets_go(sample) {
                    for effect in effects {
                        let action =
                            if sample == Sample::Deadline(Deadline::Shutdown) { "close transport" } else { "abort" };
                        assert_eq!(effect.actions, [action], "{sample} in {state}");
                        assert_eq!((effect.sent, effect.received), (Finished, Finished));
                        assert!(effect.verdict.is_none() || state.verdict == Verdict::None, "the first verdict stands");
                    }
                }
            }
        }
    }
}

fn lets_go(sample: Sample) -> bool {
    let deadlines = [Deadline::Connect, Deadline::Write, Deadline::Shutdown].map(Sample::Deadline);
    [Sample::Abort, Sample::Reset].contains(&sample) || deadlines.contains(&sample)
}

/// Whether this is a deadline that never runs at `role`.
fn foreign_deadline(role: Role, sample: Sample) -> bool {
    match role {
        Role::Client => sample == Sample::Deadline(Deadline::Detect),
        Role::Server => sample == Sample::Deadline(Deadline::Answer),
    }
}

/// The row with only the kinds of its verdicts, because a deadline is already named.
fn without_details(mut row: Row) -> Row {
    for effects in row.values_mut() {
        *effects = std::mem::take(effects)
            .into_iter()
            .map(|effect| Effect {
                verdict: effect.verdict.map(|text| text.split(" (").next().unwrap_or_default().to_owned()),
                ..effect
            })
            .collect();
    }
    row
}

/// Section 9 of PROTOCOL.md for one role on the framed wire: only events that change something.
fn printed(setup: Setup) -> String {
    let mut text = String::from("| sent / received | what happens | what follows |\n|---|---|---|\n");
    for (state, row) in table(setup) {
        let mut name = state.to_string();
        for (mut samples, effect) in grouped(state, &without_details(row)) {
            samples.retain(|sample| !lets_go(*sample) && !foreign_deadline(setup.role, *sample));
            if !samples.is_empty() && !["nothing", "discard"].contains(&effect.as_str()) {
                let samples = sample_names(&samples, setup).replace(", ", " with ").replace(" | ", ", ");
                let _ = writeln!(text, "| {} | {samples} | {effect} |", std::mem::take(&mut name));
            }
        }
        if !name.is_empty() {
            let _ = writeln!(text, "| {name} | whatever it is | nothing |");
        }
    }
    text
}

/// Tests clause 9.4: the table in PROTOCOL.md is equal to the machine's. `UPDATE_PROTOCOL=1` rewrites it.
#[test]
fn protocol_md_holds_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/PROTOCOL.md");
    let mut text = std::fs::read_to_string(path).expect("PROTOCOL.md is there");
    for setup in &SETUPS[..2] {
        let begin = format!("<!-- table of the {} -->\n", setup.name);
        let from = text.find(&begin).expect("PROTOCOL.md marks the table's beginning") + begin.len();
        let to = from + text[from..].find("<!-- end of table -->").expect("and its end");
        let table = printed(*setup);
        if std::env::var_os("UPDATE_PROTOCOL").is_some() {
            text.replace_range(from..to, &table);
        } else {
            assert_eq!(&text[from..to], table, "run this test with UPDATE_PROTOCOL=1 and read the difference");
        }
    }
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        std::fs::write(path, text).expect("PROTOCOL.md can be written");
    }
}

//! Scratch.
use sim_tests::{Backend, catalogue, oracle};
use std::collections::BTreeMap;
fn main() {
    let arg = std::env::args().nth(1).unwrap_or_default();
    let start = std::time::Instant::now();
    let all = catalogue::all();
    eprintln!("{} sequences in {:?}", all.len(), start.elapsed());
    if arg == "by" { breakdown(); return; }
    if arg == "counts" { let s = std::time::Instant::now(); print!("{}", catalogue::counts()); eprintln!("{:?}", s.elapsed()); return; }
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut total = 0;
    let nets = catalogue::NETWORKS;
    let _ = nets;
    for one in all {
        for run in one.scenario.runs() {
            let record = match Backend::Pair.run(&run) { Ok(r) => r, Err(e) => { kinds.entry(format!("refused {e}")).or_default().push(run.to_string()); continue } };
            let exp = oracle::expect(&run);
            let un: std::collections::BTreeSet<String> = record.unreached.iter().cloned().collect();
            let [c, s] = [echo_core::Role::Client, echo_core::Role::Server].map(|r| oracle::Report::of(&record.ending(r)));
            let m = &exp.members[0];
            if m.client != c || m.server != s || un != exp.unreached {
                total += 1;
                let key = format!("pair C {c} S {s} | oracle {m} {}", if un != exp.unreached { format!("UN pair {un:?} oracle {:?}", exp.unreached) } else { String::new() });
                kinds.entry(key).or_default().push(run.to_string());
            }
        }
    }
    println!("{total} different");
    let mut v: Vec<_> = kinds.into_iter().collect();
    v.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    for (k, ids) in v.iter().take(40) { println!("{:5} {k}\n      {}", ids.len(), ids.iter().min_by_key(|i| i.len()).unwrap()); }
}
#[allow(dead_code)]
fn breakdown() {
    let mut by: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for one in catalogue::all() {
        let s = &one.scenario;
        let mut add = |k: String| { let e = by.entry(k).or_default(); e.0 += 1; if one.told_by().is_none() { e.1 += 1; } };
        add(format!("net {} {}", s.wire.id(), s.network));
        for p in [&s.client, &s.server] { for st in &p.steps { add(format!("act {}", st.action.id())); add(format!("pt {}", st.point.id())); } }
        let mis = [&s.client, &s.server].iter().filter(|p| p.misbehaves()).count();
        add(format!("mis {mis} polite {} {}", [&s.client, &s.server].iter().filter(|p| !p.misbehaves() && !p.steps.is_empty()).count(), if s.network.to_string()=="clear" {"clear"} else {"net"}));
    }
    for (k, (n, d)) in by { println!("{n:6} {d:6} {k}"); }
}

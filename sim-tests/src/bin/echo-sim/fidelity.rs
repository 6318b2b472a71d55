//! prototype
use crate::linux_worker;
use crate::output::{Answer, Trouble};
use sim_tests::fidelity::Comparison;
use sim_tests::{Backend, Scenario, catalogue};
use std::fmt::Write as _;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 3)]
    tries: usize,
    #[arg(long, default_value_t = 1)]
    steps: usize,
    #[arg(long, default_value_t = 1)]
    every: usize,
}
pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let scenarios: Vec<Scenario> = catalogue::all().iter().map(|s| &s.scenario).chain(catalogue::packets().iter().map(|s| &s.scenario))
        .filter(|s| s.client.steps.len() + s.server.steps.len() <= options.steps)
        .filter(|s| Backend::Linux.expresses(s).is_ok()).step_by(options.every).cloned().collect();
    let jobs: Vec<Scenario> = scenarios.iter().flat_map(|s| std::iter::repeat_n(s.clone(), options.tries)).collect();
    let t = std::time::Instant::now();
    let records = linux_worker::records(&jobs, || ())?;
    let t1 = t.elapsed();
    let linux: Vec<&[_]> = records.chunks(options.tries).collect();
    let all = Comparison::all(&scenarios, &linux)?;
    let mut text = String::new();
    for c in &all {
        if !c.different().is_empty() {
            let _ = writeln!(text, "DIFF {}", c.scenario);
            for (b, e) in &c.endings { let _ = writeln!(text, "   {:8} {:?}", b.id(), e); }
        }
        if c.states.len() == 2 && c.states[&Backend::Packet].keys().collect::<Vec<_>>() != c.states[&Backend::Linux].keys().collect::<Vec<_>>() {
            let _ = writeln!(text, "STATES {}", c.scenario);
            for (b, e) in &c.states { let _ = writeln!(text, "   {:8} {:?}", b.id(), e); }
        }
    }
    for r in &records { for b in sim_tests::check(r) { let _ = writeln!(text, "CONTRACT {} {}", r.scenario, b); } for b in sim_tests::check_tcp(r) { let _ = writeln!(text, "TCP {} {}", r.scenario, b); } }
    let _ = writeln!(text, "{} sequences, {} runs, {:?} linux, {:?} all", scenarios.len(), records.len(), t1, t.elapsed());
    Ok(Answer::new(text, true))
}

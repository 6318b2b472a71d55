//! `echo-sim coverage`: every fault of one and of two packets, and how often each change of a TCP state was taken.

use crate::output::{self, Answer, Trouble};
use sim_tests::faults::{self, Sweep};
use std::fmt::Write as _;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Faults of one packet only, not of two
    #[arg(long)]
    quick: bool,
    /// Print every breach
    #[arg(long)]
    verbose: bool,
}

/// So many breaches are shown at most.
const SHOWN: usize = 20;

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let core = faults::core();
    let bar = output::progress(0);
    let mut sweep = faults::sweep(&core, !options.quick, &|runs| bar.inc(runs));
    let faulty = sweep.runs;
    sweep.merge(faults::networks(&|runs| bar.inc(runs)));
    bar.finish_and_clear();
    Ok(answer(&sweep, core.len(), faulty, if options.verbose { usize::MAX } else { SHOWN }))
}

fn answer(sweep: &Sweep, scenarios: usize, faulty: u64, most: usize) -> Answer {
    let mut text = String::from("Every change of a TCP state, and how often it was taken:\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", sweep.table);
    for (id, what) in sweep.broken.iter().take(most) {
        let _ = writeln!(text, "BROKEN: {what}\n    replay: echo-sim replay {id} --backend packet");
    }
    let missing = sweep.table.missing();
    for edge in &missing {
        let _ = writeln!(text, "NEVER TAKEN: {edge}");
    }
    let others = sweep.runs - faulty;
    let _ = writeln!(text, "{scenarios} close sequences with each fate of one packet and of two: {faulty} runs;");
    let _ = writeln!(text, "the networks that only packets show: {others} runs.");
    let verdict = match sweep.broken.len() {
        0 => "The contract and RFC 9293 hold in all of them.".to_owned(),
        count => format!("{count} BROKEN."),
    };
    let _ = writeln!(text, "{verdict}");
    Answer { text, good: sweep.broken.is_empty() && missing.is_empty() }
}

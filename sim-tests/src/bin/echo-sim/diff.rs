//! `echo-sim diff`: the differences between two saved baselines.

use crate::output::{self, Answer, Trouble};
use sim_tests::ScenarioError;
use sim_tests::baseline::{Baseline, Diff};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The file that `echo-sim check --save` wrote before the change
    old: PathBuf,
    /// The file that it wrote after the change
    new: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    let diff = Diff::new(&baseline(&options.old)?, &baseline(&options.new)?);
    Ok(Answer::new(diff.to_string(), diff.is_empty()))
}

fn baseline(path: &Path) -> Result<Baseline, Trouble> {
    let text = output::read(path)?;
    text.parse().map_err(|refusal: ScenarioError| Trouble::Usage(format!("{}: {refusal}", path.display())))
}

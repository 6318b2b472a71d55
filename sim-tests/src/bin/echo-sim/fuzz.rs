//! `echo-sim fuzz`: lists the fuzz targets, and runs their corpora without a fuzzer.

use crate::output::{Answer, Trouble};
use sim_tests::fuzz::{Target, inputs, seeds};
use sim_tests::pairs::Pairs;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The target; without one, all targets are listed
    target: Option<String>,
    /// Inputs to run: files, and directories of files
    paths: Vec<PathBuf>,
    /// Also print every pair of state and event that was not reached
    #[arg(long)]
    missing: bool,
    /// Write seed inputs for every target below DIR, from real conversations and from the catalogue
    #[arg(long, value_name = "DIR", conflicts_with = "target")]
    seeds: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<Answer, Trouble> {
    if let Some(folder) = &options.seeds {
        return write_seeds(folder);
    }
    let Some(name) = &options.target else { return Ok(list()) };
    let target = Target::named(name).ok_or_else(|| {
        let names: Vec<_> = Target::ALL.iter().map(|target| target.name).collect();
        Trouble::Usage(format!("no fuzz target {name:?}; there are {}", names.join(", ")))
    })?;
    if options.paths.is_empty() {
        return Err(Trouble::Usage(format!(
            "{name}: expected files or directories of inputs, such as fuzz/corpus/{name}"
        )));
    }
    replay(target, &options.paths, options.missing)
}

fn list() -> Answer {
    let mut text = String::new();
    for target in Target::ALL {
        let _ = writeln!(text, "{:<14} {}", target.name, target.about);
    }
    Answer::new(text, true)
}

fn replay(target: &Target, paths: &[PathBuf], missing: bool) -> Result<Answer, Trouble> {
    let mut reached = Pairs::default();
    let mut text = String::new();
    let (mut count, mut broken) = (0, 0);
    for path in paths {
        for input in inputs(path).map_err(|error| Trouble::Failed(error.to_string()))? {
            count += 1;
            match target.run(&input.bytes) {
                Ok(pairs) => reached.merge(pairs),
                Err(what) => {
                    broken += 1;
                    let _ = writeln!(text, "BROKEN: {}: {what}", input.path.display());
                }
            }
        }
    }
    let verdict = if broken == 0 { "every rule holds".to_owned() } else { format!("{broken} BROKEN") };
    let _ = write!(text, "{}: {count} inputs, {} pairs: {verdict}\n{reached}", target.name, reached.count());
    if missing {
        text += &reached.missing();
    }
    Ok(Answer::new(text, broken == 0))
}

fn write_seeds(folder: &Path) -> Result<Answer, Trouble> {
    let failed = |path: &Path, error: std::io::Error| Trouble::Failed(format!("{}: {error}", path.display()));
    let mut text = String::new();
    for (name, seeds) in seeds() {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        for (index, bytes) in seeds.iter().enumerate() {
            let path = folder.join(format!("seed-{index:03}"));
            std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
        }
        let _ = writeln!(text, "{name}: {} seeds", seeds.len());
    }
    Ok(Answer::new(text, true))
}

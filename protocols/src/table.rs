//! The committed table: what was found, in Markdown.

use sim_tests::trial::TrialPage;
use std::process::ExitCode;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/WHAT-HAPPENS-AT-CLOSE.md");

/// What stands before the table.
const HEAD: &str = include_str!("head.md");

/// Writes the table, or compares it with what is there.
pub(crate) fn check_or_write(page: &TrialPage, check: bool) -> Result<ExitCode, String> {
    let text = format!("{HEAD}\n{}", page.to_markdown());
    let failed = |error: std::io::Error| format!("{TABLE}: {error}");
    if !check {
        std::fs::write(TABLE, text).map_err(failed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let committed = std::fs::read_to_string(TABLE).map_err(failed)?;
    let mut lines = committed.lines().zip(text.lines());
    match lines.find(|(committed, found)| committed != found) {
        None if committed == text => Ok(ExitCode::SUCCESS),
        None => {
            eprintln!(
                "protocols: the table has {} lines, expected {}",
                committed.lines().count(),
                text.lines().count()
            );
            Ok(ExitCode::FAILURE)
        }
        Some((committed, found)) => {
            eprintln!("protocols: the table differs\ncommitted: {committed}\nfound:     {found}");
            Ok(ExitCode::FAILURE)
        }
    }
}

//! A page as a table in Markdown.

use super::{Grade, TrialPage, TrialRow};
use crate::trial::report::{Failure, FindingKind, OnLinux};
use std::fmt::Write;

pub(super) fn markdown(page: &TrialPage) -> String {
    let mut text = String::from("| protocol | what is asked | answer | the shortest run against it | on Linux |\n");
    text.push_str("|---|---|---|---|---|\n");
    page.rows.iter().for_each(|row| lines(&mut text, row));
    text
}

/// A line for each finding, or one.
fn lines(text: &mut String, row: &TrialRow) {
    let (name, asks) = (cell(&row.name), cell(&row.asks));
    let found = row.report.failures.iter().map(|failure| (Grade::Broken, failure));
    let found = found.chain(row.report.surprises.iter().map(|failure| (Grade::Surprising, failure)));
    let mut is_first = true;
    for (grade, failure) in found {
        let (name, asks) = if is_first { (&name[..], &asks[..]) } else { ("", "") };
        let what = match failure.finding.kind {
            FindingKind::Check | FindingKind::Surprise => cell(&failure.finding.what),
            _ => cell(&failure.finding.to_string()),
        };
        let scenario = failure.scenario;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {asks} | **{grade}**: {what} | `{scenario}` | {} |", on_linux(failure));
        is_first = false;
    }
    if is_first {
        let _ = writeln!(text, "| {name} | {asks} | holds, in {} runs | | |", row.report.runs);
    }
}

/// What Linux says, without its reasons.
fn on_linux(failure: &Failure) -> String {
    match &failure.on_linux {
        None => "not asked".to_owned(),
        Some(OnLinux::Confirmed { .. }) => "confirmed".to_owned(),
        Some(OnLinux::NotConfirmed { .. }) => "not confirmed".to_owned(),
        Some(OnLinux::NotExpressible(why)) => format!("not expressible: {}", cell(why)),
        Some(OnLinux::NotTried(why)) => format!("NOT TRIED: {}", cell(why)),
    }
}

fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace('\n', " ")
}

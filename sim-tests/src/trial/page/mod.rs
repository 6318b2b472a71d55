//! The results of several trials as one document: HTML for people, JSON and JUnit for programs, Markdown for a repository.

mod html;
mod junit;
mod markdown;
mod row;

pub use row::{Grade, TrialCell, TrialRow};

use serde::{Deserialize, Serialize};

/// The results of several trials, one row each.
///
/// ```no_run
/// # use sim_tests::trial::{Trial, TrialPage, TrialRun, TrialStream};
/// # let trial: Trial<(), ()> = Trial::new(|_| async {}, |_| async {}, |_| Ok(()));
/// let row = trial.row("downloads", "Does the client ever take a part of the file for the whole?");
/// let page = TrialPage::new("My protocol", vec![row]);
/// std::fs::write("target/my-protocol.html", page.to_html())?;
/// assert!(page.holds(), "{page}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialPage {
    /// The title.
    pub title: String,
    /// The rows, in the order in which they are shown.
    pub rows: Vec<TrialRow>,
}

impl TrialPage {
    /// Creates a page.
    pub fn new(title: impl Into<String>, rows: Vec<TrialRow>) -> Self {
        Self { title: title.into(), rows }
    }

    /// Returns whether no trial has a failure.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.grade() != Grade::Broken)
    }

    /// Returns one self-contained HTML file. It needs no network access.
    ///
    /// Each row has a cell for each fault on each network, with its grade. A click on it shows a run of it as a ladder, and
    /// the line that replays it. Rows and cells can be filtered by grade and by text.
    pub fn to_html(&self) -> String {
        html::html(self)
    }

    /// Returns the rows as JSON: an object with `title` and `rows`, which has what [`TrialRow`] has.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists: nothing that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Returns the rows as JUnit XML: a suite for each row, a case for each fault on each network.
    pub fn to_junit(&self) -> String {
        junit::junit(self)
    }

    /// Returns the rows as a table in Markdown: what was asked, the answer, the shortest run against it, and what Linux
    /// says.
    pub fn to_markdown(&self) -> String {
        markdown::markdown(self)
    }
}

/// Writes the failures of each row.
impl std::fmt::Display for TrialPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for row in &self.rows {
            writeln!(f, "{}: {}\n{}", row.name, row.grade(), row.report)?;
        }
        Ok(())
    }
}

//! A page as JUnit XML.

use super::{Grade, TrialCell, TrialPage};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

pub(super) fn junit(page: &TrialPage) -> String {
    let mut report = Report::new(page.title.as_str());
    for row in &page.rows {
        let mut suite = TestSuite::new(row.name.as_str());
        for cell in &row.cells {
            let mut case = TestCase::new(format!("{} on {}", cell.fault, cell.network), status(cell));
            case.set_classname(row.asks.as_str());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    // It is written to memory.
    report.to_string().unwrap_or_default()
}

fn status(cell: &TrialCell) -> TestCaseStatus {
    match cell.grade {
        Grade::Holds | Grade::Surprising => TestCaseStatus::success(),
        Grade::Broken => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let (first, count) = (cell.findings.first().map_or("", String::as_str), cell.found);
            status.set_message(format!("{first} (found in {count} of {} runs)", cell.runs));
            status.set_description(format!("{}\n\n{}", cell.findings.join("\n"), cell.ladder));
            status
        }
    }
}

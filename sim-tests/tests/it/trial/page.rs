//! The page of several trials: its HTML in a real browser, and the other forms.

use super::question::{answer, ask, whole_or_nothing};
use sim_tests::trial::{Grade, Trial, TrialPage, TrialRun, TrialStream};
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use tokio::io::AsyncReadExt;

/// A row that holds, one that is broken, and one that is surprising. A message has what HTML could take for markup.
fn page() -> TrialPage {
    async fn careless(mut stream: TrialStream) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        let whole = super::question::PATIENCE;
        tokio::time::timeout(whole, stream.read_to_end(&mut answer)).await??;
        Ok(answer)
    }
    async fn tells(mut stream: TrialStream) -> io::Result<()> {
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"news").await
    }
    let part = |run: &TrialRun<io::Result<Vec<u8>>, io::Result<()>>| match run.client.returned() {
        Some(Ok(answer)) if answer != b"news" => Err("</script><b>a part</b> & \"no\" news".to_owned()),
        _ => Ok(()),
    };
    let late = |run: &TrialRun<io::Result<Vec<u8>>, io::Result<()>>| match run.over_at {
        Some(at) if at > 500 => Err(format!("it took {at} ms")),
        _ => Ok(()),
    };
    TrialPage::new(
        "A page & <its> title",
        vec![
            Trial::new(ask, answer, whole_or_nothing).row("question", "Does it hold?"),
            Trial::new(careless, tells, part).row("news", "Is a part taken for all?"),
            Trial::new(careless, tells, |_| Ok(())).surprises(late).row("late", "Does it take long?"),
        ],
    )
}

#[test]
fn grades() {
    let page = page();
    let grades: Vec<_> = page.rows.iter().map(|row| row.grade()).collect();
    assert_eq!(grades, [Grade::Holds, Grade::Broken, Grade::Surprising]);
    assert!(!page.holds());
    let late = &page.rows[2];
    assert!(late.report.is_clean() && late.report.failures.is_empty(), "a surprise is no failure: {}", late.report);
    for row in &page.rows {
        assert_eq!(row.cells.iter().map(|cell| cell.runs).sum::<usize>(), row.report.runs, "each run is in a cell");
        for cell in &row.cells {
            assert_eq!(cell.found > 0, cell.grade != Grade::Holds, "{} on {}", cell.fault, cell.network);
            assert!(cell.ladder.starts_with(&cell.scenario.to_string()), "{}", cell.ladder);
            let fault = cell.scenario.injection.map_or("undisturbed", |injection| injection.fault.id());
            assert_eq!((fault, cell.scenario.network), (cell.fault.as_str(), cell.network));
        }
    }
}

#[test]
fn markdown() {
    insta::assert_snapshot!(page().to_markdown());
}

#[test]
fn json_is_read_again() {
    let page = page();
    let json = page.to_json();
    assert_eq!(serde_json::from_str::<TrialPage>(&json).expect("its own JSON"), page);
    assert_eq!(json, self::page().to_json(), "the same trials give the same bytes");
}

#[test]
fn junit_has_a_case_for_each_cell() {
    let (page, junit) = (page(), page().to_junit());
    let cells: usize = page.rows.iter().map(|row| row.cells.len()).sum();
    let broken = page.rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.grade == Grade::Broken).count();
    assert_eq!((junit.matches("<testcase ").count(), junit.matches("<failure ").count()), (cells, broken));
    assert!(junit.contains(&format!("failures=\"{broken}\"")), "{}", &junit[..300]);
}

/// The browser, if there is one. In CI there must be.
fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()));
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "no browser (Debian's package chromium)");
    if found.is_none() {
        eprintln!("SKIPPED: no browser (Debian's package chromium)");
    }
    found
}

fn browse(browser: &str, folder: &Path, options: &[&str], file: &str) -> Output {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let output = Command::new("timeout")
        .args(["60", browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        .args([profile.as_str(), "--allow-file-access-from-files"])
        .args(options)
        .arg(format!("file://{}", folder.join(file).display()))
        .output()
        .expect("coreutils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn in_a_browser() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("page.html"), page().to_html()).expect("written");
    std::fs::write(folder.path().join("driver.html"), include_str!("browser/driver.html")).expect("written");
    let output = browse(browser, folder.path(), &["--virtual-time-budget=10000", "--dump-dom"], "driver.html");
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let seen =
        dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>")).expect("the driver").0;
    insta::assert_snapshot!(seen);
    let console: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    let pdf = folder.path().join("page.pdf");
    browse(browser, folder.path(), &[&format!("--print-to-pdf={}", pdf.display())], "page.html");
    let pdf = std::fs::read(pdf).expect("printed");
    let pages = pdf.windows(11).filter(|part| part == b"/Type /Page").count();
    assert!(pdf.starts_with(b"%PDF") && pages > 0, "{} bytes", pdf.len());
}

//! The matrices: how both ends come out of every sequence of the product. One file for each pair of actions.

use echo_core::{Deadline, Role, Tally};
use sim_tests::catalogue::{self, NETWORKS, Place};
use sim_tests::oracle::{Report, Verdict};
use sim_tests::{Action, Backend, Network, Plan, Point, Scenario, Wire};
use std::fmt::Write;

const HEADER: &str = "\
Rows: the client's point, the server's point. Columns: networks. A cell: the client's end, the server's end.
C0 C1 clean (1000, 1001)   F2 F8 failed (1002, 1008)   T truncated   R reset   V violation   U unproven   - gone
timed out: dc connect  dt detect  da answer  di idle  dw write  dd drain  dl close  df fin  dg linger  ds shutdown
Behind an end its account: answered, refused, unknown. Either | or: a race may go either way.
A small letter alone: excluded by the rule of that letter (see the figures). Rows without a sequence are left out.
";

/// Nothing, or an action.
type Doing = Option<Action>;

fn name(doing: Doing) -> &'static str {
    doing.map_or("none", Action::id)
}

/// The plans that do this, each with the name of its row.
fn plans(doing: Doing) -> Vec<(&'static str, Plan)> {
    match doing {
        None => vec![("", Plan::none())],
        Some(action) => Point::ALL.map(|point| (point.id(), Plan::one(action, point))).to_vec(),
    }
}

fn end(report: Report) -> String {
    let Report::Outcome(verdict, Tally { answered, refused, unknown }) = report else {
        return if report == Report::Gone { "-".to_owned() } else { "OPEN".to_owned() };
    };
    let short = match verdict {
        Verdict::Clean(code) => format!("C{}", code % 1000),
        Verdict::Failed(code) => format!("F{}", code % 1000),
        Verdict::Unproven => "U".to_owned(),
        Verdict::Truncated => "T".to_owned(),
        Verdict::Reset => "R".to_owned(),
        Verdict::Violation => "V".to_owned(),
        Verdict::TimedOut(deadline) => format!("d{}", letter(deadline)),
    };
    format!("{short}.{answered}{refused}{unknown}")
}

fn letter(deadline: Deadline) -> char {
    match deadline {
        Deadline::Connect => 'c',
        Deadline::Detect => 't',
        Deadline::Answer => 'a',
        Deadline::Idle => 'i',
        Deadline::Write => 'w',
        Deadline::Drain => 'd',
        Deadline::Close => 'l',
        Deadline::Fin => 'f',
        Deadline::Linger => 'g',
        Deadline::Shutdown => 's',
    }
}

/// What the pair comes to, in as many ways as there are runs.
fn endings(scenario: &Scenario) -> String {
    let mut cells = Vec::new();
    for one in scenario.runs() {
        let record = Backend::Pair.run(&one).expect("the pair expresses every scenario");
        let [client, server] = [Role::Client, Role::Server].map(|role| end(Report::of(&record.ending(role))));
        cells.push(format!("{client} {server}"));
    }
    cells.dedup();
    cells.join(" | ")
}

/// One cell, and whether it is a sequence.
fn cell(wire: Wire, client: &Plan, server: &Plan, network: &str) -> (String, bool) {
    let network = Network::named(network).expect("a network of the product");
    let scenario = Scenario::new(wire, client.clone(), server.clone(), network);
    match catalogue::place(&scenario) {
        Some(Place::Sequence(_)) => (endings(&scenario), true),
        Some(Place::Excluded(rule)) => (format!("·{}", rule.letter), false),
        None => panic!("{scenario} is not of the product"),
    }
}

/// The rows of a wire that have a sequence, and how many have none.
fn rows(wire: Wire, client: Doing, server: Doing) -> (Vec<Vec<String>>, usize) {
    let (mut rows, mut left_out) = (Vec::new(), 0);
    for (clients, client) in plans(client) {
        for (servers, server) in plans(server) {
            let cells: Vec<_> = NETWORKS.iter().map(|network| cell(wire, &client, &server, network)).collect();
            if cells.iter().any(|(_, is_sequence)| *is_sequence) {
                let head = format!("{clients} {servers}").trim().to_owned();
                rows.push(std::iter::once(head).chain(cells.into_iter().map(|(text, _)| text)).collect());
            } else {
                left_out += 1;
            }
        }
    }
    (rows, left_out)
}

/// The rows as a table. Columns in which nothing stands but one letter are told in one line.
fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let heads = || std::iter::once("").chain(NETWORKS);
    let same = |column: usize| {
        let first = &rows[0][column];
        (first.starts_with('·') && rows.iter().all(|row| row[column] == *first)).then_some(first)
    };
    let empty: Vec<_> = heads().enumerate().filter_map(|(column, head)| Some(format!("{head} {}", same(column)?))).collect();
    if !empty.is_empty() {
        let _ = writeln!(text, "nothing on: {}", empty.join(", "));
    }
    let columns: Vec<_> = heads().enumerate().filter(|(column, _)| same(*column).is_none()).collect();
    let width = |column: usize, head: &str| {
        rows.iter().map(|row| row[column].chars().count()).chain([head.len()]).max().unwrap_or(0)
    };
    let mut line = |cells: Vec<&str>| {
        let padded: Vec<_> =
            cells.iter().zip(&columns).map(|(cell, (column, head))| format!("{cell:<0$}", width(*column, head))).collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    };
    line(columns.iter().map(|(_, head)| *head).collect());
    for row in rows {
        line(columns.iter().map(|(column, _)| row[*column].as_str()).collect());
    }
    text
}

fn matrix(client: Doing, server: Doing) -> String {
    let mut text = format!("client: {}, server: {}\n{HEADER}", name(client), name(server));
    for wire in Wire::ALL {
        let (rows, left_out) = rows(wire, client, server);
        let _ = writeln!(text, "\n{}: {} rows, {left_out} left out", wire.id(), rows.len());
        if !rows.is_empty() {
            text.push_str(&table(&rows));
        }
    }
    text
}

#[test]
fn matrices() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/matrices");
    settings.set_prepend_module_to_snapshot(false);
    let _bound = settings.bind_to_scope();
    let doings = || std::iter::once(None).chain(Action::ALL.map(Some));
    for client in doings() {
        for server in doings() {
            insta::assert_snapshot!(format!("{}_{}", name(client), name(server)), matrix(client, server));
        }
    }
}

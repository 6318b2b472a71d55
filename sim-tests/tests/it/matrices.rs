//! The whole catalogue as matrices: one for each pair of actions, rows the points, columns the networks, cells how both
//! ends came out of it on the pair.

use echo_core::{Deadline, Role, Tally};
use sim_tests::catalogue::{self, NETWORKS, Place, Sequence};
use sim_tests::oracle::{EndKind, Reported};
use sim_tests::{Action, Backend, Network, Plan, Point, Scenario, Wire, parallel};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const LEGEND: &str = "\
A cell is the client's end and the server's: a letter, and the account (answered, refused, unknown) in three digits.
c clean 1000   g clean 1001   u unproven   t truncated   r reset   v violation   ---- taken away by its plan
f failed 1002   p failed 1008   e failed with another code
timed out: C connect   E detect   A answer   I idle   W write   D drain   L close   N fin   G linger   S shutdown
Two runs of a race that end differently are joined by +. A dot and a letter: excluded by that rule (echo-sim list --count).
";

fn input(verdict: EndKind) -> char {
    match verdict {
        EndKind::Clean(1000) => 'c',
        EndKind::Clean(1001) => 'g',
        EndKind::Clean(code) => panic!("a clean end with {code}: the legend has no letter for it"),
        EndKind::Unproven => 'u',
        EndKind::Failed(1002) => 'f',
        EndKind::Failed(1008) => 'p',
        EndKind::Failed(_) => 'e',
        EndKind::Truncated => 't',
        EndKind::Reset => 'r',
        EndKind::Violation => 'v',
        EndKind::TimedOut(deadline) => match deadline {
            Deadline::Connect => 'C',
            Deadline::Detect => 'E',
            Deadline::Answer => 'A',
            Deadline::Idle => 'I',
            Deadline::Write => 'W',
            Deadline::Drain => 'D',
            Deadline::Close => 'L',
            Deadline::Fin => 'N',
            Deadline::Linger => 'G',
            Deadline::Shutdown => 'S',
        },
    }
}

fn code(report: Reported) -> String {
    match report {
        Reported::Outcome(verdict, Tally { answered, refused, unknown }) => {
            format!("{}{answered}{refused}{unknown}", input(verdict))
        }
        Reported::Killed => "----".to_owned(),
        Reported::Open => "OPEN".to_owned(),
    }
}

/// How the runs of a sequence end on the pair.
fn cell(sequence: &Sequence) -> String {
    let mut endings: Vec<String> = Vec::new();
    for run in sequence.scenario.runs() {
        let record = Backend::Pair.run(&run).unwrap_or_else(|refusal| panic!("{run}: {refusal}"));
        let [client, server] = Role::BOTH.map(|side| code(Reported::of(&record.ending(side))));
        let ending = format!("{client} {server}");
        if !endings.contains(&ending) {
            endings.push(ending);
        }
    }
    endings.join("+")
}

fn cells() -> Cells {
    let all = catalogue::all();
    let cells = parallel::parallel_map(all.len(), |index| (all[index].id.as_str(), cell(&all[index])));
    Cells { all: cells.into_iter().collect(), shown: BTreeSet::new() }
}

/// The plans with this action, one for each point; or the one plan without any.
fn plans(action: Option<Action>) -> Vec<Plan> {
    match action {
        None => vec![Plan::none()],
        Some(action) => Point::ALL.into_iter().map(|point| Plan::one(action, point)).collect(),
    }
}

fn point(plan: &Plan) -> &'static str {
    plan.points().next().map_or("none", Point::id)
}

/// What is to be shown, and what was.
struct Cells {
    all: BTreeMap<&'static str, String>,
    shown: BTreeSet<&'static str>,
}

impl Cells {
    fn show(&mut self, id: &str) -> Option<&str> {
        let (id, cell) = self.all.get_key_value(id)?;
        self.shown.insert(id);
        Some(cell)
    }
}

fn row(wire: Wire, client: &Plan, server: &Plan, cells: &mut Cells) -> Option<Vec<String>> {
    let scenarios: Vec<Scenario> = NETWORKS
        .iter()
        .filter_map(|name| Network::named(name))
        .map(|network| Scenario::new(wire, client.clone(), server.clone(), network))
        .collect();
    let ids: Vec<String> = scenarios.iter().map(ToString::to_string).collect();
    if !ids.iter().any(|id| cells.all.contains_key(id.as_str())) {
        return None;
    }
    let mut show = |(scenario, id): (&Scenario, &String)| match (cells.show(id), catalogue::place(scenario)) {
        (Some(cell), _) => cell.to_owned(),
        (None, Some(Place::Excluded(rule))) => format!("·{}", rule.input),
        (None, place) => panic!("{id} is in the product, and went {place:?}"),
    };
    let names = [point(client).to_owned(), point(server).to_owned()];
    Some(names.into_iter().chain(scenarios.iter().zip(&ids).map(&mut show)).collect())
}

/// Columns as wide as they have to be.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..NETWORKS.len() + 2).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn matrix(client: Option<Action>, server: Option<Action>, cells: &mut Cells) -> String {
    let mut text = String::new();
    for wire in Wire::ALL {
        let heads = ["client at", "server at"].into_iter().chain(NETWORKS).map(ToOwned::to_owned).collect();
        let mut rows: Vec<Vec<String>> = vec![heads];
        let mut left_out = 0;
        for client in plans(client) {
            for server in plans(server) {
                match row(wire, &client, &server, cells) {
                    Some(row) => rows.push(row),
                    None => left_out += 1,
                }
            }
        }
        if rows.len() > 1 {
            let _ = writeln!(text, "{}\n{}", wire.id(), table(&rows));
        }
        if left_out > 0 {
            let _ = writeln!(text, "{}: {left_out} rows are excluded on every network\n", wire.id());
        }
    }
    text
}

fn name(action: Option<Action>) -> &'static str {
    action.map_or("none", Action::id)
}

#[test]
fn every_sequence_is_in_a_matrix() {
    let mut cells = cells();
    let actions: Vec<Option<Action>> = [None].into_iter().chain(Action::ALL.map(Some)).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_snapshot_path("matrices");
    settings.set_prepend_module_to_snapshot(false);
    let _bound = settings.bind_to_scope();
    for client in &actions {
        for server in &actions {
            let text = matrix(*client, *server, &mut cells);
            let title = format!("client {}, server {}", name(*client), name(*server));
            insta::assert_snapshot!(title.replace(", ", "_").replace(' ', "-"), format!("{title}\n{LEGEND}\n{text}"));
        }
    }
    let mut beyond = String::new();
    for (id, cell) in cells.all.iter().filter(|(id, _)| !cells.shown.contains(*id)) {
        let scenario: Scenario = id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
        assert!(catalogue::place(&scenario).is_none(), "{id} has a place in a matrix, and is in none");
        let _ = writeln!(beyond, "{cell:<21} {id}");
    }
    insta::assert_snapshot!("beyond-the-product", format!("{LEGEND}\n{beyond}"));
}

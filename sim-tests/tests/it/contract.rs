//! The contract on the catalogue, and its checker: for every rule a false record, which the checker must reject.

use echo_core::{CloseCode, End, Outcome, Role, Side, Tally, Violation};
use sim_tests::{Action, Backend, ContractRule, LogEntry, LogEvent, Record, Scenario, Unit, catalogue, check};
use std::collections::BTreeSet;

const CLIENT: Role = Role::Client;
const SERVER: Role = Role::Server;

fn record(id: &str) -> Record {
    let scenario: Scenario = id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
    Backend::Pair.run(&scenario).unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

/// A clean end with two answers, as the pair ran it.
fn polite() -> Record {
    record("framed/client:close@answer-in-flight/server:none/clear")
}

fn index(record: &Record, side: Role, what: &LogEvent) -> usize {
    let found = record.entries.iter().position(|entry| entry.side == side && entry.what == *what);
    found.unwrap_or_else(|| panic!("no {what} at the {side:?}:\n{}", record.trace()))
}

fn remove(record: &mut Record, side: Role, what: LogEvent) {
    let index = index(record, side, &what);
    record.entries.remove(index);
}

fn add_after(record: &mut Record, side: Role, what: &LogEvent, more: LogEvent) {
    let index = index(record, side, what);
    let at = record.entries[index].at;
    record.entries.insert(index + 1, LogEntry { at, side, what: more });
}

fn end_as(record: &mut Record, side: Role, end: End, account: Tally) {
    for entry in &mut record.entries {
        if entry.side == side && matches!(entry.what, LogEvent::Ended(_)) {
            entry.what = LogEvent::Ended(Outcome { end: end.clone(), began: Side::Local, account });
        }
    }
}

#[track_caller]
fn caught(record: &Record, rule: ContractRule) {
    let rules: Vec<_> = check(record).into_iter().map(|breach| breach.rule).collect();
    assert!(rules.contains(&rule), "{rule:?} is not among {rules:?}:\n{}", record.trace());
}

fn close_frame(last: u64) -> Unit {
    Unit::Close { last, code: 1000, fin_first: false }
}

fn tally(answered: u64, refused: u64, unknown: u64) -> Tally {
    Tally { answered, refused, unknown }
}

const CLEAN: End = End::Clean(CloseCode::NORMAL);

#[test]
fn the_catalogue_reaches_every_pair_of_ends() {
    let runs = catalogue::all().iter().flat_map(|sequence| sequence.scenario.runs());
    let outcomes: BTreeSet<_> = runs
        .map(|scenario| record(&scenario.to_string()))
        .map(|record| (record.ending(CLIENT).name(), record.ending(SERVER).name()))
        .collect();
    for pair in [
        ("clean", "clean"),
        ("clean", "timed out"),
        ("clean", "killed"),
        ("timed out", "timed out"),
        ("failed", "truncated"),
        ("reset", "truncated"),
        ("truncated", "failed"),
        ("truncated", "reset"),
        ("truncated", "killed"),
        ("reset", "killed"),
        ("timed out", "killed"),
        ("killed", "truncated"),
        ("killed", "reset"),
        ("killed", "timed out"),
        ("unproven", "unproven"),
    ] {
        assert!(outcomes.contains(&pair), "nothing ends {pair:?}");
    }
}

#[test]
fn an_honest_record_passes() {
    assert_eq!(check(&polite()), []);
}

#[test]
fn a_clean_server_without_the_clients_close_is_caught() {
    let mut record = polite();
    remove(&mut record, SERVER, LogEvent::Got(close_frame(2)));
    caught(&record, ContractRule::ServersProof);
}

#[test]
fn a_clean_server_whose_client_lacks_an_answer_is_caught() {
    let mut record = polite();
    remove(&mut record, CLIENT, LogEvent::Got(Unit::Answer(2)));
    caught(&record, ContractRule::ServersProof);
}

#[test]
fn a_clean_server_that_accepted_more_than_was_acknowledged_is_caught() {
    let mut record = polite();
    add_after(&mut record, SERVER, &LogEvent::Accepted(2), LogEvent::Accepted(3));
    caught(&record, ContractRule::ServersProof);
}

#[test]
fn a_clean_server_with_an_account_that_is_not_whole_is_caught() {
    let mut record = polite();
    end_as(&mut record, SERVER, CLEAN, tally(1, 0, 1));
    caught(&record, ContractRule::ServersProof);
}

#[test]
fn a_clean_client_without_the_servers_close_is_caught() {
    let mut record = polite();
    remove(&mut record, CLIENT, LogEvent::Got(close_frame(2)));
    caught(&record, ContractRule::ClientsProof);
}

#[test]
fn a_clean_client_whose_user_lacks_an_answer_is_caught() {
    let mut record = polite();
    remove(&mut record, CLIENT, LogEvent::Handed(2));
    caught(&record, ContractRule::ClientsProof);
    caught(&record, ContractRule::Answers);
}

#[test]
fn a_request_that_ran_above_the_servers_close_is_caught() {
    let mut record = polite();
    add_after(&mut record, SERVER, &LogEvent::Sent(close_frame(2)), LogEvent::Accepted(3));
    caught(&record, ContractRule::ClientsProof);
}

#[test]
fn a_clean_end_upon_a_fin_is_caught() {
    let mut record = record("framed/client:none/server:drop@idle/clear");
    end_as(&mut record, CLIENT, CLEAN, tally(1, 0, 0));
    caught(&record, ContractRule::FinIsNoProof);
    caught(&record, ContractRule::ClientsProof);
}

#[test]
fn answers_that_are_doubled_swapped_or_made_up_are_caught() {
    for more in [Unit::Answer(1), Unit::Answer(3), Unit::Broken("answer 2 with another payload".into())] {
        let mut record = polite();
        add_after(&mut record, CLIENT, &LogEvent::Got(Unit::Answer(1)), LogEvent::Got(more));
        caught(&record, ContractRule::Answers);
    }
    let mut record = polite();
    remove(&mut record, SERVER, LogEvent::Got(Unit::Request(2)));
    caught(&record, ContractRule::Answers);
}

#[test]
fn an_account_that_claims_an_answer_nobody_has_is_caught() {
    for side in [CLIENT, SERVER] {
        let mut record = record("framed/client:none/server:half-close@request-in-flight/clear");
        end_as(&mut record, side, End::Truncated, tally(2, 0, 0));
        caught(&record, ContractRule::Account);
    }
}

#[test]
fn an_account_that_calls_run_work_refused_is_caught() {
    let mut record = record("framed/client:none/server:crash@answer-in-flight/clear");
    end_as(&mut record, CLIENT, End::Truncated, tally(1, 1, 0));
    caught(&record, ContractRule::Account);
}

#[test]
fn an_account_of_requests_that_were_never_made_is_caught() {
    let mut record = polite();
    end_as(&mut record, CLIENT, End::Truncated, tally(2, 0, 1));
    caught(&record, ContractRule::Account);
}

#[test]
fn whatever_follows_a_close_is_caught() {
    for more in [
        close_frame(2),
        Unit::Answer(3),
        Unit::Request(3),
        Unit::GoAway { last: 0, code: 1001 },
        Unit::Preface,
        Unit::Other("x".into()),
    ] {
        for side in [CLIENT, SERVER] {
            let mut record = polite();
            add_after(&mut record, side, &LogEvent::Sent(close_frame(2)), LogEvent::Sent(more.clone()));
            caught(&record, ContractRule::Close);
        }
    }
    let mut record = polite();
    add_after(&mut record, SERVER, &LogEvent::Sent(Unit::Fin), LogEvent::Sent(Unit::Fin));
    caught(&record, ContractRule::Close);
}

#[test]
fn a_violation_between_correct_peers_is_caught() {
    let mut record = polite();
    end_as(&mut record, SERVER, End::Violation(Violation::protocol("this", "that")), tally(0, 0, 2));
    caught(&record, ContractRule::NoViolation);
}

#[test]
fn an_end_that_never_ends_is_caught() {
    let mut record = polite();
    record.entries.retain(|entry| !(entry.side == SERVER && matches!(entry.what, LogEvent::Ended(_))));
    caught(&record, ContractRule::End);

    let mut record = polite();
    record.over_at = None;
    caught(&record, ContractRule::End);
}

#[test]
fn an_ending_over_its_cap_is_caught() {
    let mut record = polite();
    let ended =
        record.entries.iter().position(|entry| entry.side == CLIENT && matches!(entry.what, LogEvent::Ended(_)));
    record.entries[ended.expect("the client ends")].at += 2000;
    caught(&record, ContractRule::End);
}

#[test]
fn an_abort_in_peace_is_caught() {
    let mut record = polite();
    add_after(&mut record, CLIENT, &LogEvent::Sent(Unit::Fin), LogEvent::Sent(Unit::Reset));
    caught(&record, ContractRule::Care);
}

#[test]
fn something_lost_in_peace_is_caught() {
    let mut record = polite();
    remove(&mut record, CLIENT, LogEvent::Got(Unit::Fin));
    caught(&record, ContractRule::Care);
}

#[test]
fn time_wait_on_the_wrong_side_is_caught() {
    let mut record = polite();
    record.scenario.wire = sim_tests::Wire::FramedServerFin;
    caught(&record, ContractRule::Care);
}

#[test]
fn something_got_that_was_not_sent_is_caught() {
    let mut record = polite();
    remove(&mut record, CLIENT, LogEvent::Sent(Unit::Request(2)));
    caught(&record, ContractRule::Wire);
}

/// An outcome that the contract allows in general, but not for this sequence.
#[test]
fn an_outcome_outside_its_set_is_caught() {
    let mut record = polite();
    end_as(&mut record, SERVER, End::Truncated, tally(0, 0, 2));
    assert_eq!(check(&record), [], "truncated breaks no promise by itself");
    let faults = catalogue::check_run(&record);
    assert!(matches!(faults[..], [catalogue::Problem::Unexpected { .. }]), "{faults:?}");
}

#[test]
fn a_plan_that_was_never_carried_out_is_told() {
    let record = record("framed/client:close@idle/server:abort@answer-in-flight/clear/talk-16");
    assert_eq!(record.unreached, ["server:abort@answer-in-flight"]);
    assert!(!record.of(SERVER).any(|what| *what == LogEvent::Did(Action::Abort)));
}

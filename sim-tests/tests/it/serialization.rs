//! Feature `serde`: scenarios, records and reports as JSON.

use serde_json::{Value, from_str, from_value, json, to_string, to_value};
use sim_tests::file::Saved;
use sim_tests::trial::{Trial, TrialNetwork, TrialScenario, TrialStream};
use sim_tests::{Action, Backend, Point, Record, Scenario, Wire};

const ID: &str = "framed/client:close@answer-in-flight/server:none/clear";

#[test]
fn a_scenario_is_its_id() {
    let scenario: Scenario = ID.parse().expect("an id");
    assert_eq!(to_value(&scenario).expect("JSON"), json!(ID));
    assert_eq!(from_value::<Scenario>(json!(ID)).expect("an id"), scenario);
    let error = from_value::<Scenario>(json!("framed/nonsense")).expect_err("no id").to_string();
    assert!(error.contains("framed/nonsense"), "{error}");
    let saved = Saved::from(scenario);
    assert_eq!(from_value::<Saved>(to_value(&saved).expect("JSON")).expect("a file"), saved);
}

#[test]
fn parts_of_an_id_are_written_as_in_the_id() {
    let text = |value: Value| value.as_str().map(str::to_owned);
    for action in Action::ALL {
        assert_eq!(text(json!(action)).as_deref(), Some(action.id()));
    }
    for point in Point::ALL {
        assert_eq!(text(json!(point)).as_deref(), Some(point.id()));
    }
    for wire in Wire::ALL {
        assert_eq!(text(json!(wire)).as_deref(), Some(wire.id()));
    }
    for backend in Backend::SIMULATORS {
        assert_eq!(text(json!(backend)).as_deref(), Some(backend.id()));
    }
    for network in TrialNetwork::ALL {
        assert_eq!(text(json!(network)), Some(network.to_string()));
    }
}

/// All kinds of entries: violations, relays, timeouts, packets.
#[test]
fn a_record_can_be_read_again() {
    for id in [
        ID,
        "framed/client:violate@idle/server:none/clear",
        "framed/client:none/server:vanish@idle/clear",
        "framed/client:none/server:crash@idle/relay-rst-to-fin",
        "plain/client:drop-unread@idle/server:none/clear",
    ] {
        let scenario: Scenario = id.parse().unwrap_or_else(|error| panic!("{id}: {error}"));
        for backend in Backend::SIMULATORS.into_iter().filter(|backend| backend.expresses(&scenario).is_ok()) {
            let record = backend.run(&scenario).expect("it runs");
            assert!(!record.entries.is_empty());
            let text = to_string(&record).expect("JSON");
            assert_eq!(from_str::<Record>(&text).expect("a record"), record, "{id} {}", backend.id());
        }
    }
}

#[test]
fn a_report_of_a_trial_names_its_failures() {
    let side = |stream: TrialStream| async move { drop(stream) };
    let report = Trial::new(side, side, |_| Err("it says no".to_owned())).networks(&[TrialNetwork::CLEAR]).run();
    let value = to_value(&report).expect("JSON");
    assert_eq!(value["runs"], json!(report.runs));
    let failure = &value["failures"][0];
    assert_eq!(failure["finding"], json!({"kind": "check", "what": "it says no"}));
    let scenario: TrialScenario = from_value(failure["scenario"].clone()).expect("an id");
    assert_eq!(scenario, report.failures[0].scenario);
}

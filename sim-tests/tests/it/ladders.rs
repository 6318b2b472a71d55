//! The ladder of every close sequence, as it is on the pair. Without times: a ladder is an order.

use sim_tests::{Backend, Scenario, catalogue, report};

/// One snapshot for each id. Every line was read against the contract before it was accepted.
#[test]
fn every_sequence_has_its_ladder() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for id in catalogue::ids() {
        let scenario: Scenario = id.parse().expect("an id of the catalogue");
        let record = Backend::Pair.run(&scenario).expect("the pair expresses every scenario");
        let name = id.replace('/', "_").replace(':', "-").replace('@', "-at-").replace('+', "-and-");
        insta::assert_snapshot!(name, report::ladder(&record, false));
    }
}

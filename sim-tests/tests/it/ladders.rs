//! Ladders of close sequences that are worth reading, as they are on the pair. Without times: a ladder is an order.

use sim_tests::{Backend, Scenario, report};

/// Every line of their ladders was read against the contract before it was accepted.
const IDS: [&str; 26] = [
    // The usual order, whoever begins.
    "framed/client:close@idle/server:none/clear",
    "framed/client:none/server:close@idle/clear",
    "framed/client:close@idle/server:close@idle/clear",
    "framed/client:close@request-in-flight/server:close@request-in-flight/clear",
    "framed-server-fin/client:close@idle/server:none/clear",
    "framed/client:none/server:none/clear",
    // Nobody listens.
    "framed/client:close@peer-not-reading/server:none/clear",
    "framed/client:none/server:close@peer-not-reading/clear",
    // Out of order.
    "framed/client:half-close@request-in-flight/server:none/clear",
    "framed/client:none/server:half-close@request-in-flight/clear",
    "framed/client:violate@idle/server:none/clear",
    "framed-server-fin/client:none/server:violate@last-word-in-flight/clear",
    "framed/client:drop@in-preface/server:none/clear",
    "framed/client:none/server:close@connecting/clear",
    "framed/client:none/server:abort@inside-frame/clear",
    "framed/client:drop-unread@after-goaway/server:close@idle/clear",
    // A second step.
    "framed/client:none/server:close@idle,abort@draining/clear",
    // The network's part.
    "framed/client:close@idle/server:none/last-word-held",
    "framed/client:close@idle/server:none/ack-held",
    "framed/client:close@idle/server:none/cut-closing",
    "framed/client:none/server:abort@answer-in-flight/rst-overtakes",
    "framed/client:none/server:abort@answer-in-flight/relay-rst-to-fin",
    "framed/client:half-close@request-in-flight/server:none/relay-closes-both",
    // Plain.
    "plain/client:close@answer-in-flight/server:none/clear",
    "plain/client:drop@inside-frame/server:none/clear",
    "plain/client:close@request-in-flight/server:none/relay-closes-both",
];

#[test]
fn ladders() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for id in IDS {
        let scenario: Scenario = id.parse().expect("an id");
        let record = Backend::Pair.run(&scenario).expect("the pair expresses every scenario");
        assert_eq!(record.unreached, [""; 0], "{id}");
        let name = id.replace('/', "_").replace(':', "-").replace('@', "-at-").replace(['+', ','], "-and-");
        insta::assert_snapshot!(name, report::ladder(&record, false));
    }
}

//! Some sequences from the first byte to the end, as the pair runs them. Without times, because a ladder is an order.

use sim_tests::{Backend, Scenario, ladder};

/// One for each kind of end, and for each way in which a network can change it.
const LADDERS: [&str; 25] = [
    "framed/client:close@idle/server:none/clear",
    "framed/client:none/server:close@answer-in-flight/clear",
    "framed/client:close@request-in-flight/server:close@request-in-flight/clear",
    "framed-server-fin/client:close@idle/server:none/clear",
    "framed/client:none/server:none/clear",
    "framed/client:close@in-preface/server:none/clear",
    "framed/client:none/server:close@connecting/clear",
    "framed/client:drop@in-preface/server:none/clear",
    "framed/client:close@inside-frame/server:none/one-byte-reads",
    "framed/client:none/server:drop@inside-frame/clear",
    "framed/client:close@peer-not-reading/server:none/clear",
    "framed/client:half-close@request-in-flight/server:none/clear",
    "framed/client:none/server:half-close@request-in-flight/clear",
    "framed/client:crash@after-close/server:close@idle/clear",
    "framed/client:close@idle/server:none/client-close-held",
    "framed/client:close@idle/server:none/close-held",
    "framed/client:close@idle/server:none/fin-held",
    "framed/client:close@idle/server:none/cut-closing",
    "framed/client:vanish@idle/server:none/clear",
    "framed/client:violate@draining/server:none/clear",
    "framed/client:none/server:abort@answer-in-flight/rst-overtakes",
    "framed/client:none/server:abort@answer-in-flight/relay-rst-to-fin",
    "framed/client:close@idle/server:none/relay-closes-both",
    "plain/client:half-close@request-in-flight/server:none/relay-closes-both",
    "plain/client:none/server:crash@answer-in-flight/clear",
];

/// Each line of the snapshots was checked by a person with the contract.
#[test]
fn ladders() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_snapshot_path("ladders");
    settings.set_prepend_module_to_snapshot(false);
    let _bound = settings.bind_to_scope();
    for id in LADDERS {
        let scenario: Scenario = id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
        let record = Backend::Pair.run(&scenario).expect("the pair expresses every scenario");
        let name = id.replace('/', "_").replace(':', "-").replace('@', "-at-");
        insta::assert_snapshot!(name, ladder::ladder(&record, false));
    }
}

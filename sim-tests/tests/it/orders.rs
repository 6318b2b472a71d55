//! The most important sequences on turmoil, in every order in which their packets can be delivered.

use echo_core::Role;
use sim_tests::{Scenario, check, every_order, ladder};
use std::collections::BTreeMap;
use std::fmt::Write;

/// More orders than any of these sequences has. Reaching it is a failure.
const MOST: u64 = 30_000;

const CORE: [&str; 17] = [
    "framed/client:close@idle/server:none/clear",
    "framed/client:close@request-in-flight/server:none/clear",
    "framed/client:none/server:close@idle/clear",
    "framed/client:none/server:close@request-in-flight/clear",
    "framed/client:close@idle/server:close@idle/clear",
    "framed/client:close@answer-in-flight/server:close@request-in-flight/clear",
    "framed/client:close@request-in-flight/server:close@answer-in-flight/clear/talk-16-16-16",
    "framed-server-fin/client:close@request-in-flight/server:none/clear",
    "framed-server-fin/client:close@idle/server:close@idle/clear",
    "framed/client:half-close@request-in-flight/server:none/clear",
    "framed/client:none/server:drop@answer-in-flight/clear",
    "framed/client:drop@request-in-flight/server:close@idle/clear",
    "framed/client:close@idle/server:abort@close-in-flight/clear",
    "framed/client:violate@request-in-flight/server:close@idle/clear",
    "plain/client:close@request-in-flight/server:none/clear",
    "plain/client:half-close@request-in-flight/server:close@request-in-flight/clear",
    "plain/client:close@request-in-flight/server:drop@request-in-flight/clear",
];

/// Counts the orders for each pair of endings. Checks the contract in every order.
fn endings(id: &str) -> (u64, BTreeMap<String, u64>) {
    let scenario: Scenario = id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
    let mut endings = BTreeMap::new();
    let mut seen = 0;
    let (count, complete) = every_order(&scenario, |record| {
        seen += 1;
        assert_eq!(check(&record), [], "{}", ladder::ladder(&record, true));
        let [client, server] = Role::BOTH.map(|side| ladder::ending(&record.ending(side)));
        *endings.entry(format!("{client} | {server}")).or_default() += 1;
        seen < MOST
    })
    .unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
    assert!(complete, "{id} has more than {MOST} orders");
    (count, endings)
}

#[test]
fn every_order_of_delivery_keeps_the_contract() {
    let mut text = String::new();
    for id in CORE {
        let (count, endings) = endings(id);
        let _ = writeln!(text, "{id}: {count} orders");
        for (ending, times) in endings {
            let _ = writeln!(text, "    {times:>5}  {ending}");
        }
    }
    insta::assert_snapshot!("orders", text);
}

/// A network that itself decides when packets arrive has only one order, so it is rejected.
#[test]
fn a_network_with_times_of_its_own_is_refused() {
    for network in ["coalesced", "relay-closes-both", "fin-held"] {
        let scenario: Scenario = format!("framed/client:close@idle/server:none/{network}").parse().expect("an id");
        let refusal = every_order(&scenario, |_| true).expect_err(network);
        assert_eq!(refusal.to_string(), format!("{network} says when packets arrive: it has one order"));
    }
}

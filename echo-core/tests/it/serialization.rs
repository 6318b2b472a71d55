//! Feature `serde`: outcomes as JSON.

use echo_core::{CloseCode, Deadline, End, Outcome, Side, Tally, Violation};
use serde_json::{from_value, json, to_value};

#[test]
fn an_outcome_can_be_read_again() {
    let account = Tally { answered: 3, refused: 1, unknown: 0 };
    let violation = Violation::protocol("GOAWAY 2", "GOAWAY 3");
    for (end, expected) in [
        (End::Clean(CloseCode::NORMAL), json!({"clean": 1000})),
        (End::Unproven, json!("unproven")),
        (
            End::Failed { code: CloseCode::INTERNAL, reason: "out of paper".into() },
            json!({"failed": {"code": 1011, "reason": "out of paper"}}),
        ),
        (End::Truncated, json!("truncated")),
        (End::UnexpectedEof, json!("unexpected_eof")),
        (End::Reset, json!("reset")),
        (End::TimedOut(Deadline::Drain), json!({"timed_out": "drain"})),
        (
            End::Violation(violation),
            json!({"violation": {"kind": "protocol", "expected": "GOAWAY 2", "got": "GOAWAY 3", "peer": null}}),
        ),
    ] {
        let outcome = Outcome { end, began: Side::Peer, account };
        let value = to_value(&outcome).expect("JSON");
        assert_eq!(
            value,
            json!({"end": expected, "began": "peer", "account": {"answered": 3, "refused": 1, "unknown": 0}})
        );
        assert_eq!(from_value::<Outcome>(value).expect("an outcome"), outcome);
    }
    for deadline in Deadline::ALL {
        assert_eq!(json!(deadline), json!(deadline.name()));
    }
}

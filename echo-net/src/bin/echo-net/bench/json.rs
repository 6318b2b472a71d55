//! The result as one line of JSON. `BENCH.md` describes its fields.

use super::plan::{Pace, Plan};
use super::report::PERCENTILES;
use super::results::{Results, Times};
use echo_net::Report;
use serde_json::{Map, Value, json};

/// Returns the line.
pub(super) fn line(plan: &Plan, results: &Results, seconds: f64, served: Option<&Report>) -> String {
    let per_second = results.count as f64 / seconds.max(f64::MIN_POSITIVE);
    let mut line = json!({
        "schema": "echo-net bench 1",
        "server": plan.name,
        "own_server": plan.is_own,
        "wire": plan.wire(),
        "connections": plan.connections,
        "threads": plan.threads,
        "size": plan.payload.len(),
        "pace": pace(plan.pace),
        "seconds": seconds,
        "warm_up_seconds": plan.warm_up.as_secs_f64(),
        "count": results.count,
        "per_second": per_second,
        "latency_ns": times(&results.latency),
        "round_trip_ns": times(&results.round_trip),
        "out_ns": times(&results.out),
        "server_ns": times(&results.server),
        "back_ns": times(&results.back),
        "offset_ns": results.offset(),
        "conversations": results.ends,
        "account": results.account,
        "problems": results.problems(plan),
    });
    if let (Some(report), Some(line)) = (served, line.as_object_mut()) {
        line.insert("served".to_owned(), json!(report));
    }
    format!("{line}\n")
}

fn pace(pace: Pace) -> Value {
    match pace {
        Pace::Closed { unanswered } => json!({ "unanswered": unanswered }),
        Pace::Open { rate } => json!({ "rate": rate }),
        Pace::Short => json!("short"),
    }
}

/// Returns `null` for times that were not measured.
fn times(times: &Times) -> Value {
    let times = times.histogram();
    if times.is_empty() {
        return Value::Null;
    }
    let mut fields = Map::new();
    fields.insert("count".to_owned(), json!(times.len()));
    fields.insert("min".to_owned(), json!(times.min()));
    fields.insert("mean".to_owned(), json!(times.mean()));
    for (name, share) in PERCENTILES {
        fields.insert(name.to_owned(), json!(times.value_at_quantile(share)));
    }
    fields.insert("max".to_owned(), json!(times.max()));
    Value::Object(fields)
}

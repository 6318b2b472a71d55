//! The attackers, in a process of their own.

use crate::Failure;
use echo_net::misbehave::{Kind, Load, run as run_attack};
use std::time::Duration;

/// The first argument of such a process. Kind, address, connections and seconds follow.
pub(crate) const COMMAND: &str = "attack";

/// Runs an attack. Prints the numbers of connections made and failed, and whether each ending is allowed. The report
/// goes to standard error.
#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> Result<(), Failure> {
    let [kind, address, connections, seconds] = arguments else {
        return Err("expected KIND ADDRESS CONNECTIONS SECONDS".into());
    };
    let kind: Kind = kind.parse()?;
    let duration = Duration::try_from_secs_f64(seconds.parse()?)?;
    let mut load = Load::of(kind);
    load.connections = connections.parse()?;
    load.duration = duration;
    let report = run_attack(kind, address.parse()?, load).await;
    let verdict = if report.is_allowed() { "yes" } else { "NO" };
    println!("{} {} {verdict}", report.connected, report.not_connected);
    eprintln!("{report}");
    Ok(())
}

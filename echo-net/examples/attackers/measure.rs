//! Measures one kind: starts a server, clients and an attack, and checks the server afterwards.

use crate::clients::{self, Clients, Tally};
use crate::probe::{self, Probes};
use crate::process::{SubProcess, Usage};
use crate::{Failure, attacker, server};
use echo_net::misbehave::Kind;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

/// The heading of the table.
pub(crate) const HEADING: &str = "\
| kind | connections: at once, made, failed | as it must | lost, not clean | p50, p99, max ms | new clients: served, refused, neither; slowest ms | server CPU s | peak MiB | most descriptors | after: descriptors back, MiB |
|---|---|---|---|---|---|---|---|---|---|";

/// Interval of the samples of the server's usage.
const SAMPLE: Duration = Duration::from_millis(20);
/// Maximum wait for the server to release its descriptors.
const RECOVERY: Duration = Duration::from_secs(20);

/// Measures one row of the table.
pub(crate) async fn measure(
    kind: Option<Kind>,
    seconds: Duration,
    connections: Option<usize>,
) -> Result<String, Failure> {
    let mut server = SubProcess::start(&[server::COMMAND])?;
    let address = server.line().await?.parse()?;
    let clients = Clients::connect(address).await?;
    sleep(Duration::from_millis(500)).await;
    let before = server.usage()?;
    clients.measure();
    let (stop, stopped) = oneshot::channel();
    let probes = probe::start(address, stopped);

    let began = Instant::now();
    let connections = connections.or(kind.map(Kind::usual_connections)).unwrap_or_default();
    let mut attack = JoinSet::new();
    match kind {
        Some(kind) => attack.spawn(await_attacker(SubProcess::start(&[
            attacker::COMMAND,
            kind.id(),
            &format!("{address}"),
            &connections.to_string(),
            &seconds.as_secs_f64().to_string(),
        ])?)),
        None => attack.spawn(async move {
            sleep(seconds).await;
            Ok("0 0 ".to_owned())
        }),
    };
    let mut peak = before.descriptors;
    let mut look = interval(SAMPLE);
    let result = loop {
        tokio::select! { biased;
            Some(result) = attack.join_next() => break result?.map_err(|error| error as Failure)?,
            _ = look.tick() => peak = peak.max(server.usage()?.descriptors),
        }
    };
    let elapsed = began.elapsed();
    let during = server.usage()?;
    let _ = stop.send(());
    let probes = probes.await?;
    let recovery = recover(&server, before.descriptors).await?;
    let after = server.usage()?;
    let tally = clients.finish().await;
    server.finish().await?;
    let row = Row { kind, connections, result, elapsed, before, during, after, peak, recovery, probes };
    Ok(row.text(tally))
}

async fn await_attacker(mut attacker: SubProcess) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let line = attacker.line().await.map_err(|error| error.to_string())?;
    attacker.finish().await.map_err(|error| error.to_string())?;
    Ok(line)
}

/// Waits until the server has no more descriptors than before. Returns how long that took, or `None` if it took too
/// long.
async fn recover(server: &SubProcess, descriptors: usize) -> Result<Option<Duration>, Failure> {
    let began = Instant::now();
    while began.elapsed() < RECOVERY {
        if server.usage()?.descriptors <= descriptors {
            return Ok(Some(began.elapsed()));
        }
        sleep(SAMPLE).await;
    }
    Ok(None)
}

struct Row {
    kind: Option<Kind>,
    connections: usize,
    result: String,
    elapsed: Duration,
    before: Usage,
    during: Usage,
    after: Usage,
    peak: usize,
    recovery: Option<Duration>,
    probes: Probes,
}

impl Row {
    fn text(&self, mut tally: Tally) -> String {
        let Self { connections, before, during, after, peak, probes, .. } = self;
        let kind = self.kind.map_or("nobody".to_owned(), |kind| format!("`{kind}`"));
        let mut result = self.result.split(' ');
        let mut next = || result.next().unwrap_or_default();
        let (made, failed, verdict) = (next(), next(), next());
        let [p50, p99, most] = [50, 99, 100].map(|percent| millis(tally.percentile(percent)));
        let Probes { served, refused, neither, slowest } = probes;
        let recovery = match self.recovery {
            Some(_) => "yes".to_owned(),
            None => format!("NO, {} instead of {}", after.descriptors, before.descriptors),
        };
        format!(
            "| {kind} | {connections}, {made}, {failed} | {verdict} | {}, {} | {p50}, {p99}, {most} \
             | {served}, {refused}, {neither}; {} | {:.1} in {:.1} | {} | {peak} | {recovery}, {} |",
            tally.lost,
            tally.not_clean,
            millis(*slowest),
            (during.cpu - before.cpu).as_secs_f64(),
            self.elapsed.as_secs_f64(),
            mebibytes(after.most_memory),
            mebibytes(after.memory),
        )
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

const _: () = assert!(clients::COUNT < 1024, "a server with the defaults has a place for each client");

//! echo/1 through the same entry as everybody else's protocol: the real client and server, every fault at every I/O
//! event.

use echo_core::{Config, Deadline, End, Outcome};
use echo_net::{Client, ClientConfig, Clock, Ended, Listener, OnEnd, ServerConfig, serve};
use sim_tests::defaults;
use sim_tests::trial::{Role, TimeWait, Trial, TrialRun, TrialStream};
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;

const CLOCK: Clock = Clock { wall: || defaults::EPOCH, steady: true, utc_offset: |_| 0 };

/// Deadlines eight times as long as in this crate's scenarios: the networks of a trial are slower.
fn config() -> Config {
    let mut deadlines = defaults::deadlines();
    for deadline in Deadline::ALL {
        deadlines.set(deadline, 8 * deadlines.length(deadline));
    }
    Config { deadlines, ..Config::default() }
}

/// Two requests at once, and how many were answered.
async fn client(stream: TrialStream) -> (usize, Outcome) {
    let client = Client::start(stream, ClientConfig { connection: config(), clock: CLOCK });
    let (one, two) = tokio::join!(client.request("one"), client.request("two"));
    (usize::from(one.is_ok()) + usize::from(two.is_ok()), client.close().await)
}

/// A listener with one connection to give.
struct Door(Option<TrialStream>);

impl Listener for Door {
    type Stream = TrialStream;

    async fn accept(&mut self) -> io::Result<(TrialStream, String)> {
        match self.0.take() {
            Some(stream) => Ok((stream, "client".to_owned())),
            None => pending().await,
        }
    }
}

async fn server(stream: TrialStream) -> Option<Outcome> {
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let on_end = OnEnd::call(move |ended: &Ended| sender.send(ended.outcome.clone()).unwrap_or_default());
    let config = ServerConfig { connection: config(), clock: CLOCK, on_end, ..ServerConfig::default() };
    let mut outcome = None;
    serve(Door(Some(stream)), config, async { outcome = inbox.recv().await }).await;
    outcome
}

/// Clean at the client: it has every answer. Clean at the server: so it does, and it had read the CLOSE.
fn clean_is_a_proof(run: &TrialRun<(usize, Outcome), Option<Outcome>>) -> Result<(), String> {
    match run.client.returned() {
        Some((2, _)) | None => (),
        Some((answers, Outcome { end: End::Clean(_), .. })) => {
            return Err(format!("clean at the client, with {answers} answers"));
        }
        Some(_) => (),
    }
    let unread = run.bytes_written(Role::Server) != run.bytes_read(Role::Client);
    match run.server.returned() {
        Some(Some(Outcome { end: End::Clean(_), .. })) if unread => Err("clean at the server, too early".to_owned()),
        Some(Some(_)) | None => Ok(()),
        Some(None) => Err("the server lost its connection's outcome".to_owned()),
    }
}

/// Every wait has a deadline, so nobody hangs, whatever happens.
#[test]
fn clean_is_a_proof_whatever_happens() {
    let report =
        Trial::new(client, server, clean_is_a_proof).time_wait(TimeWait::Client).budget(Duration::from_secs(60)).run();
    assert!(report.is_clean(), "{report}");
    assert!(report.distinct > 1000, "{report}");
}

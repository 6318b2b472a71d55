//! A trial of echo/1 like one of any other protocol: the real client and server, every fault at every I/O event.

use echo_core::{Config, Deadline, End, Outcome};
use echo_net::{Client, ClientConfig, Clock, Echo, Ended, Listener, OnEnd, ServerConfig, serve};
use sim_tests::defaults;
use sim_tests::trial::{Role, TimeWait, Trial, TrialRun, TrialStream};
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;

const CLOCK: Clock = Clock::simulated(|| defaults::EPOCH);

/// Deadlines eight times as long as in this crate's scenarios, because the networks of a trial are slower.
fn config() -> Config {
    let mut deadlines = defaults::deadlines();
    for deadline in Deadline::ALL {
        deadlines.set(deadline, 8 * deadlines.length(deadline));
    }
    let mut config = Config::default();
    config.deadlines = deadlines;
    config
}

/// Sends two requests at once. Returns how many were answered.
async fn client(stream: TrialStream) -> (usize, Outcome) {
    let mut client_config = ClientConfig::default();
    (client_config.connection, client_config.clock) = (config(), CLOCK);
    let client = Client::start(stream, client_config);
    let (one, two) = tokio::join!(client.request("one"), client.request("two"));
    (usize::from(one.is_ok()) + usize::from(two.is_ok()), client.close().await)
}

/// A listener that accepts one connection.
struct Door(Option<TrialStream>);

impl Listener for Door {
    type Stream = TrialStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(TrialStream, &'static str)> {
        match self.0.take() {
            Some(stream) => Ok((stream, "client")),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("server")
    }
}

async fn server(stream: TrialStream) -> Option<Outcome> {
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let on_end = OnEnd::call(move |ended: &Ended| sender.send(ended.outcome.clone()).unwrap_or_default());
    let mut server_config = ServerConfig::default();
    (server_config.connection, server_config.clock, server_config.on_end) = (config(), CLOCK, on_end);
    let mut outcome = None;
    serve(Door(Some(stream)), Echo, server_config, async { outcome = inbox.recv().await }).await;
    outcome
}

/// Clean at the client: it has every answer. Clean at the server: the client has read all that the server wrote.
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

/// Every wait has a deadline, so no side hangs.
#[test]
fn clean_is_a_proof_whatever_happens() {
    let report =
        Trial::new(client, server, clean_is_a_proof).time_wait(TimeWait::Client).budget(Duration::from_secs(60)).run();
    assert!(report.is_clean(), "{report}");
    assert!(report.distinct > 1000, "{report}");
}

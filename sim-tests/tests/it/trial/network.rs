//! Trials of programs that connect themselves.

use super::network_programs::{ANSWER, Answered, ask, requests, serve};
use sim_tests::trial::{
    FindingKind, InjectedFault, Role, Trial, TrialEnding, TrialEvent, TrialNet, TrialNetwork, TrialRun,
};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

type Run = TrialRun<Answered, io::Result<()>>;

fn honest(run: &Run) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(answer)) if answer != ANSWER => Err(format!("{answer:?} passes for the answer")),
        Some(Err(error)) if run.scenario.injection.is_none() => Err(format!("no answer without a fault: {error}")),
        _ => Ok(()),
    }
}

fn trial() -> Trial<Answered, io::Result<()>> {
    Trial::of_network(ask, serve, honest)
}

fn replay(id: &str) -> Run {
    trial().replay(id).unwrap_or_else(|error| panic!("{id}: {error}"))
}

/// How the client ended, and the server.
fn endings(run: &Run) -> String {
    format!("{} | {}", run.client, run.server)
}

#[test]
fn all_faults_of_all_networks() {
    let report = trial().run();
    assert!(report.is_clean(), "{report}");
    assert!(report.unreached == 0 && report.runs > 500, "{report}");
    let faults: std::collections::BTreeSet<_> =
        report.hashes.iter().filter_map(|(scenario, _)| Some(scenario.injection?.fault)).collect();
    assert_eq!(faults.into_iter().collect::<Vec<_>>(), {
        let mut all = InjectedFault::OF_NETWORK.to_vec();
        all.sort();
        all
    });
}

#[test]
fn a_conversation() {
    insta::assert_snapshot!(replay("undisturbed/clear").ladder());
}

/// The same conversation, opened by a program: the I/O events are those of a trial of one stream, and two more.
#[test]
fn connecting_is_seen_by_both_sides() {
    let run = replay("undisturbed/clear");
    let of = |side, what| run.of(side).filter(|one| **one == what).count();
    assert_eq!((of(Role::Client, TrialEvent::Connected), of(Role::Server, TrialEvent::Accepted)), (1, 1));
    let at = |side, what| run.log.iter().find(|entry| entry.side == side && entry.what == what).map(|entry| entry.at);
    assert_eq!(at(Role::Client, TrialEvent::Connected), Some(20), "a round trip");
    assert_eq!(at(Role::Server, TrialEvent::Accepted), Some(30), "and a half: the ACK");
    assert!(matches!(run.server, TrialEnding::Serving), "{}", run.server);
}

#[test]
fn faults_of_connecting() {
    let ends = |fault: &str| {
        let id = format!("client:{fault}@0/clear");
        format!("{fault}: {}\n", endings(&replay(&id)))
    };
    insta::assert_snapshot!(["refuse", "ignore", "accept-and-close", "crash", "vanish"].map(ends).concat(), @r#"
    refuse: Err(Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }) | serving
    ignore: Err(Kind(TimedOut)) | serving
    accept-and-close: Err(Custom { kind: UnexpectedEof, error: "early eof" }) | serving
    crash: killed | serving
    vanish: killed | serving
    "#);
}

#[test]
fn a_listener_that_fails_keeps_the_connection() {
    let run = replay("server:fail-accept@0/clear");
    let server: Vec<_> = run.of(Role::Server).filter(|what| what.is_event()).take(2).cloned().collect();
    assert_eq!(server, [TrialEvent::AcceptFailed, TrialEvent::Accepted]);
    assert_eq!(endings(&run), endings(&replay("undisturbed/clear")));
}

/// A server that ends when an accept fails, as most first servers do.
#[test]
fn a_server_that_does_not_survive_a_failed_accept() {
    async fn fragile(net: TrialNet) -> io::Result<()> {
        let listener = net.listen(80)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(requests(stream));
        }
    }
    let still_there = |run: &Run| match run.server {
        TrialEnding::Returned(_) => Err("the server is gone".to_owned()),
        _ => Ok(()),
    };
    let report = Trial::of_network(ask, fragile, still_there).run();
    let failure = report.failures.first().expect("it is caught");
    assert_eq!(failure.finding.what, "the server is gone");
    assert_eq!(failure.scenario.to_string(), "server:fail-accept@0/clear");
}

#[test]
fn nobody_listens() {
    async fn nobody(_: TrialNet) {}
    async fn connect(net: TrialNet) -> Option<ErrorKind> {
        net.connect(80).await.err().map(|error| error.kind())
    }
    let ends = |network: TrialNetwork| {
        let trial = Trial::of_network(connect, nobody, |_| Ok(()));
        trial.replay(&format!("undisturbed/{network}")).expect("a scenario").client.to_string()
    };
    assert_eq!(ends(TrialNetwork::CLEAR), "Some(ConnectionRefused)");
    // A relay accepts before it connects.
    assert_eq!(ends(TrialNetwork::RELAY_RST_TO_FIN), "None");
}

/// `net.ipv4.tcp_syn_retries` is 6: 127 s.
#[test]
fn a_host_that_is_gone() {
    async fn connect(net: TrialNet) -> Option<ErrorKind> {
        net.connect(80).await.err().map(|error| error.kind())
    }
    let trial = Trial::of_network(connect, serve, |_| Ok(())).budget(Duration::from_secs(200));
    let run = trial.replay("server:vanish@0/clear").expect("a scenario");
    assert_eq!(run.client.to_string(), "Some(TimedOut)");
    assert_eq!(run.over_at, Some(127_000));
}

/// The SYN is sent again after a second.
#[test]
fn a_cut_that_heals() {
    let run = replay("client:nothing@0/cut-healed");
    let connected = run.log.iter().find(|entry| entry.what == TrialEvent::Connected).expect("it connects");
    assert_eq!(connected.at, 1020);
}

#[test]
fn a_port_that_is_taken() {
    async fn twice(net: TrialNet) -> (Option<ErrorKind>, bool) {
        let first = net.listen(80).expect("a free port");
        let second = net.listen(80).err().map(|error| error.kind());
        drop(first);
        (second, net.listen(80).is_ok())
    }
    async fn idle(_: TrialNet) {}
    let run = Trial::of_network(idle, twice, |_| Ok(())).replay("undisturbed/clear").expect("a scenario");
    assert_eq!(run.server, TrialEnding::Returned((Some(ErrorKind::AddrInUse), true)));
}

/// A server that crashes and starts again is there for a client that asks again.
#[test]
fn a_restart() {
    async fn patient(net: TrialNet) -> Answered {
        for _ in 0..10 {
            if let Ok(answer) = ask(net.clone()).await {
                return Ok(answer);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(ErrorKind::TimedOut.into())
    }
    let trial = |restarts| {
        let trial = Trial::of_network(patient, serve, honest);
        if restarts { trial.restarts(Duration::from_millis(250)) } else { trial }
    };
    let run = |restarts| trial(restarts).replay("server:crash@2/clear").expect("a scenario");
    let (with, without) = (run(true), run(false));
    assert!(matches!(with.client.returned(), Some(Ok(_))), "{}", with.ladder());
    assert!(with.of(Role::Server).any(|what| *what == TrialEvent::StartedAgain), "{}", with.ladder());
    assert!(matches!(without.client.returned(), Some(Err(_))), "{}", without.ladder());
}

/// A connection of the server that nobody closes.
#[test]
fn a_connection_that_is_never_closed() {
    async fn keeps(net: TrialNet) -> io::Result<()> {
        let listener = net.listen(80)?;
        let mut kept = Vec::new();
        loop {
            if let Ok((mut stream, _)) = listener.accept().await {
                if stream.read_u8().await.is_ok() {
                    let _ = stream.write_all(ANSWER).await;
                }
                kept.push(stream);
            }
        }
    }
    let report = Trial::of_network(ask, keeps, honest).run();
    let failure = report.of(FindingKind::NeverEnds).next().expect("it is caught");
    assert_eq!(failure.finding.what, "the server never closed a connection");
    assert_eq!(failure.all[0].to_string(), "undisturbed/clear");
}

/// Both sides may connect, at the same time and to each other.
#[test]
fn connections_in_both_directions() {
    async fn both(net: TrialNet) -> io::Result<(u8, String)> {
        let listener = net.listen(7)?;
        let connect = async {
            let mut stream = net.connect(7).await?;
            stream.write_u8(7).await?;
            io::Result::Ok(stream.local_addr().to_string())
        };
        let accept = async { listener.accept().await?.0.read_u8().await };
        let (own, got) = tokio::join!(biased; connect, accept);
        Ok((got?, own?))
    }
    let trial = Trial::of_network(both, both, |_| Ok(()));
    let run = trial.replay("undisturbed/clear").expect("a scenario");
    assert_eq!(run.client.to_string(), r#"Ok((7, "10.0.0.1:49152"))"#);
    assert_eq!(run.server.to_string(), r#"Ok((7, "10.0.0.2:49153"))"#);
}

/// A connect that is given up leaves nothing, at whatever moment.
#[test]
fn a_connect_that_is_given_up() {
    for millis in [0, 5, 10, 15, 20, 25, 30, 100] {
        let gives_up = move |net: TrialNet| async move {
            drop(timeout(Duration::from_millis(millis), net.connect(80)).await);
        };
        let trial = Trial::of_network(gives_up, serve, |_| Ok(()));
        let report = trial.run();
        assert!(report.is_clean(), "after {millis} ms: {report}");
    }
}

#[test]
fn a_fault_of_one_stream_is_refused() {
    let refused = trial().replay("client:drop-unread@1/clear").expect_err("not in a network");
    insta::assert_snapshot!(refused, @"a trial of a network has no fault drop-unread; it has drop, half-close, abort, crash, vanish, nothing, refuse, ignore, accept-and-close, fail-accept, fail-flush, fail-shutdown, cancel, clock-jump");
}

/// A rule for packets: the server's first data is lost, and sent again; its RST is lost for good.
#[test]
fn packets_of_the_users_own() {
    use sim_tests::trial::{TrialPacketFate, TrialPacketKind};
    let trial = || {
        trial().packets(|packet| match (packet.from, packet.kind) {
            (Role::Server, TrialPacketKind::Data) if packet.bytes == ANSWER => TrialPacketFate::Lose,
            (Role::Server, TrialPacketKind::Reset) => TrialPacketFate::Lose,
            (Role::Client, TrialPacketKind::Fin) => TrialPacketFate::Delay(Duration::from_millis(35)),
            _ => TrialPacketFate::Pass,
        })
    };
    insta::assert_snapshot!(trial().replay("undisturbed/clear").expect("an id").ladder());
    let report = trial().run();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn the_same_in_two_runs() {
    let report = trial().strict().run();
    assert!(report.is_clean(), "{report}");
}

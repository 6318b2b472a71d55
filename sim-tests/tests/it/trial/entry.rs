//! Properties of the trial: every fault at every I/O event, ids that can be parsed, and a report whatever the user's
//! code does.

use super::{ANSWER, Answer, PATIENCE, answer, ask, trial, whole_or_nothing};
use sim_tests::trial::{
    FindingKind, InjectedFault, Role, TimeWait, Trial, TrialEnding, TrialEvent, TrialNetwork, TrialReport, TrialRun,
    TrialScenario, TrialStream,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

/// A trial whose check accepts everything.
fn unchecked<C, S, CF, SF>(
    client: impl Fn(TrialStream) -> CF + 'static,
    server: impl Fn(TrialStream) -> SF + 'static,
) -> Trial<C, S>
where
    C: std::fmt::Debug + 'static,
    S: std::fmt::Debug + 'static,
    CF: Future<Output = C> + 'static,
    SF: Future<Output = S> + 'static,
{
    Trial::new(client, server, |_| Ok(())).networks(&[TrialNetwork::CLEAR])
}

/// A copy of the run without what the sides returned.
fn without_outcomes<C, S>(run: &TrialRun<C, S>) -> TrialRun<(), ()> {
    TrialRun {
        scenario: run.scenario,
        client: TrialEnding::Killed,
        server: TrialEnding::Killed,
        log: run.log.clone(),
        over_at: run.over_at,
        time_wait: run.time_wait.clone(),
        leaking: run.leaking.clone(),
        tasks_left: run.tasks_left.clone(),
    }
}

/// The only failure of `kind`, as text.
fn only(report: &TrialReport, kind: FindingKind) -> String {
    let [failure] = &report.of(kind).collect::<Vec<_>>()[..] else { panic!("one {} expected:\n{report}", kind.id()) };
    format!("{} | {}", failure.finding, failure.scenario)
}

#[test]
fn a_report_counts_how_both_sides_ended() {
    let report = Trial::new(ask, answer, |_| Ok(())).networks(&[TrialNetwork::CLEAR]).run();
    assert_eq!(report.endings.values().sum::<usize>(), report.runs);
    let first = |text: &str| report.endings.iter().find(|(ends, _)| ends.starts_with(text)).map(|(ends, _)| &ends[..]);
    insta::assert_snapshot!(first("client Ok").unwrap_or_default(), @"client Ok([#, #, #, #, #, #, #, #, #, #, #, #, #, #]), server Ok(())");
    let reset = report.endings.keys().find(|ends| ends.contains("Os { code: #, kind: ConnectionReset"));
    insta::assert_snapshot!(reset.expect("a reset"), @r#"client Err(Os { code: #, kind: ConnectionReset, message: "Connectio…, server killed"#);
}

#[test]
fn every_fault_strikes_at_every_event() {
    let runs = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&runs);
    let keep = move |run: &TrialRun<Answer, io::Result<()>>| {
        seen.borrow_mut().push(without_outcomes(run));
        Ok(())
    };
    let report = Trial::new(ask, answer, keep).run();
    assert!(report.is_clean(), "{report}");
    let runs = runs.borrow();
    let expected = |network: TrialNetwork, side: Role| {
        let calm = if network.is_cut() { TrialNetwork::CLEAR } else { network };
        let base = runs.iter().find(|run| run.scenario == TrialScenario::new(None, calm)).expect("run");
        let drop = base.of(side).filter(|what| what.is_event()).position(|what| *what == TrialEvent::Dropped);
        let drop = drop.expect("both drop their streams");
        let all = (0..=base.events(side)).flat_map(|event| InjectedFault::OF_STREAM.map(|fault| (event, fault)));
        all.filter(|(event, fault)| match fault {
            InjectedFault::Drop | InjectedFault::DropUnread | InjectedFault::HalfClose | InjectedFault::Abort => {
                *event <= drop
            }
            InjectedFault::Crash | InjectedFault::Vanish => true,
            InjectedFault::Nothing => network.is_cut(),
            _ => false,
        })
        .collect::<BTreeSet<_>>()
    };
    for network in TrialNetwork::ALL {
        for side in Role::BOTH {
            let of = |run: &&TrialRun<(), ()>| {
                run.scenario.network == network
                    && run.scenario.injection.is_some_and(|injection| injection.side == side)
            };
            let injected = runs.iter().filter(of).map(|run| {
                let fault = run
                    .of(side)
                    .find_map(|what| if let TrialEvent::Injected(fault) = what { Some(*fault) } else { None });
                (run.injected_at().expect("it was injected"), fault.expect("it was injected"))
            });
            assert_eq!(injected.collect::<BTreeSet<_>>(), expected(network, side), "{} {side:?}", network);
        }
    }
    assert!(report.distinct * 3 > report.runs, "{report}");
}

#[test]
fn an_id_gives_the_run_of_the_batch() {
    let report = trial().run();
    assert!(report.is_clean(), "{report}");
    assert!(report.hashes.len() > 500, "{report}");
    for (scenario, hash) in report.hashes {
        let run = trial().replay(&scenario.to_string()).expect("its own id");
        assert_eq!((run.scenario, run.hash()), (scenario, hash), "alone:\n{}", run.timeline());
    }
}

#[test]
fn a_ladder_shows_who_did_what() {
    insta::assert_snapshot!(trial().replay("server:abort@3/relay-rst-to-fin").expect("an id").ladder());
}

/// The user's words for bytes, and what the programs send to `tracing`, at their virtual time. A run of the batch has
/// neither, and the same hash.
#[test]
fn a_ladder_in_the_words_of_the_user() {
    async fn traces(stream: TrialStream) -> Answer {
        tracing::info!("asking");
        tracing::debug!("not shown");
        ask(stream).await
    }
    let trial = Trial::new(traces, answer, whole_or_nothing)
        .label(|side, bytes| format!("<{} of {}>", side.name(), bytes.len()))
        .tracing(tracing::level_filters::LevelFilter::INFO);
    let run = trial.replay("undisturbed/slow").expect("an id");
    insta::assert_snapshot!(run.ladder());
    let (scenario, hash) = trial.run().hashes.swap_remove(0);
    let again = trial.replay(&scenario.to_string()).expect("its own id");
    assert_eq!(hash, again.hash());
}

/// A place that no run comes to is a failure, and one that a run comes to is none.
#[test]
fn what_must_happen() {
    async fn notes(stream: TrialStream) -> Answer {
        let answer = ask(stream).await;
        sim_tests::trial::note(if answer.is_ok() { "answered" } else { "no answer" });
        answer
    }
    let trial = Trial::new(notes, answer, whole_or_nothing).must_happen("answered").must_happen("no answer");
    assert!(trial.run().is_clean());
    let report = trial.must_happen("asked twice").run();
    let [failure] = &report.failures[..] else { panic!("{report}") };
    assert_eq!(failure.finding.to_string(), "never happened: nobody has noted \"asked twice\" in any run");
}

/// As with tokio's halves: the end of the writing half is FIN, the end of both closes.
#[test]
fn halves() {
    async fn by_halves(stream: TrialStream) -> Answer {
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(b"?").await?;
        drop(writer);
        let mut answer = vec![0; reader.read_u8().await?.into()];
        reader.read_exact(&mut answer).await?;
        Ok(answer)
    }
    let run = Trial::new(by_halves, answer, whole_or_nothing).replay("undisturbed/clear").expect("an id");
    let client: Vec<_> = run.of(Role::Client).filter(|what| what.is_event()).map(ToString::to_string).collect();
    assert_eq!(client[..2], ["wrote 1", "shut down"]);
    assert_eq!(client[client.len() - 2..], ["dropped its stream".to_owned(), format!("returned Ok({ANSWER:?})")]);
    assert_eq!(run.time_wait, [Role::Client]);
}

/// Each scenario is in one of the parts.
#[test]
fn shards() {
    let whole = trial().run();
    let mut parts: Vec<_> = (0..3).flat_map(|shard| trial().run_shard(shard, 3).hashes).collect();
    let sizes = (0..3).map(|shard| trial().run_shard(shard, 3).runs);
    assert!(sizes.into_iter().all(|runs| runs > whole.runs / 4), "the parts are alike");
    let by_id = |(scenario, _): &(TrialScenario, u64)| scenario.to_string();
    parts.sort_by_key(by_id);
    let mut all = whole.hashes;
    all.sort_by_key(by_id);
    assert_eq!(parts, all);
}

/// The finding says what to do.
#[test]
fn a_socket_of_the_machine() {
    async fn listens(_: TrialStream) -> io::Result<()> {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.map(drop)
    }
    let report = unchecked(listens, answer).networks(&[TrialNetwork::CLEAR]).faults(&[]).run();
    let what = &report.of(FindingKind::Panic).next().expect("it panics").finding.what;
    assert!(what.ends_with("(a trial has no real sockets: give the program its TrialStream or TrialNet)"), "{what}");
}

/// A sample has the first and the last point of each side, and no more than it says.
#[test]
fn a_sample_of_the_points() {
    let events = |report: &TrialReport, side: Role| -> BTreeSet<usize> {
        let of = |scenario: &TrialScenario| scenario.injection.filter(|one| one.side == side).map(|one| one.event);
        report.hashes.iter().filter_map(|(scenario, _)| of(scenario)).collect()
    };
    let clear = || trial().networks(&[TrialNetwork::CLEAR]);
    let (all, some) = (clear().run(), clear().sample(3).run());
    for side in Role::BOTH {
        let (all, some) = (events(&all, side), events(&some, side));
        assert!(some.len() == 3 && some.is_subset(&all), "{some:?} of {all:?}");
        assert_eq!((some.first(), some.last()), (all.first(), all.last()));
    }
    assert_eq!(events(&clear().sample(1000).run(), Role::Client), events(&all, Role::Client));
}

#[test]
fn bad_ids_are_refused_in_one_line() {
    let ids = [
        "",
        "client:drop@1",
        "nobody:drop@1/clear",
        "client:explode@1/clear",
        "client:drop@one/clear",
        "client:drop/clear",
        "client:drop@1/nowhere",
        "client:nothing@1/clear",
        "undisturbed/cut",
        "client:drop@99/clear",
        "client:refuse@0/clear",
        "client:drop@0+client:drop@1+client:drop@2+client:drop@3/clear",
        "client:drop@0+undisturbed/clear",
    ];
    let refusals = ids.map(|id| format!("{id}: {}", trial().replay(id).expect_err(id)));
    assert!(refusals.iter().all(|line| line.lines().count() == 1), "{refusals:?}");
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_future_that_never_ends_is_reported() {
    async fn wait(stream: TrialStream) {
        let _stream = stream;
        pending().await
    }
    let report = unchecked(wait, |_| async {}).faults(&[]).budget(Duration::from_secs(1)).run();
    assert_eq!(only(&report, FindingKind::NeverEnds), "never ends: the client never ended | undisturbed/clear");
    assert!(unchecked(wait, |_| async {}).faults(&[]).may_hang().run().is_clean());
}

/// A read at the end is ready at once, so this future never yields to the runtime.
#[test]
fn a_future_that_reads_the_end_for_ever_is_reported() {
    async fn spin(mut stream: TrialStream) {
        loop {
            let _ = stream.read(&mut [0]).await;
        }
    }
    let report = unchecked(spin, |_| async {}).faults(&[]).run();
    let expected = "never ends: the client never ended: it had more than 10000 I/O events (Trial::most_events)";
    assert_eq!(only(&report, FindingKind::NeverEnds), format!("{expected} | undisturbed/clear"));
    assert!(report.failures[0].ladder.contains("too many I/O events"), "{report}");
    assert!(report.failures[0].ladder.lines().count() < 20, "what repeats itself is left out: {report}");
}

#[test]
fn a_panic_is_a_failure_with_its_scenario() {
    async fn trusting(mut stream: TrialStream) -> u8 {
        stream.write_all(b"!").await.expect("a server");
        stream.read_u8().await.expect("an answer")
    }
    let report = unchecked(trusting, |mut stream: TrialStream| async move { stream.write_all(b"!").await }).run();
    assert!(report.of(FindingKind::Panic).count() > 0, "{report}");
    for failure in report.of(FindingKind::Panic) {
        assert!(failure.finding.what.starts_with("the client panicked: a"), "{failure}");
        assert!(failure.ladder.contains("! panicked"), "{failure}");
        assert!(failure.all.iter().all(|scenario| scenario.injection.is_some()), "{failure}");
    }
}

#[test]
fn a_panic_outside_of_the_future_is_a_failure_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    async fn armed(stream: TrialStream) {
        let (mut stream, _bomb) = (stream, Bomb);
        let _ = stream.write_all(b"!").await;
        pending().await
    }
    let report = unchecked(armed, |_| async {}).faults(&[InjectedFault::Drop]).may_hang().budget(PATIENCE).run();
    let found = only(&report, FindingKind::Panic);
    let begin = "panic: the client panicked: in a destructor (sim-tests/tests/it/trial/entry.rs:";
    assert!(found.starts_with(begin) && found.ends_with(") | client:drop@1/clear"), "{found}");
}

#[test]
fn a_check_that_panics_is_a_failure() {
    let report = Trial::new(ask, answer, |_| panic!("no opinion")).faults(&[]).networks(&[TrialNetwork::CLEAR]).run();
    assert_eq!(only(&report, FindingKind::Panic), "panic: the check panicked: no opinion | undisturbed/clear");
}

/// Errors that differ in numbers are one kind of failure, shown by the shortest run.
#[test]
fn the_shortest_run_of_a_kind_is_shown() {
    let complain = |run: &TrialRun<Answer, io::Result<()>>| match run.client.returned() {
        Some(Ok(_)) | None => Ok(()),
        Some(Err(_)) => Err(format!("{} bytes were not enough", run.bytes_read(Role::Client))),
    };
    let trial = Trial::new(ask, answer, complain);
    let report = trial.run();
    let [failure] = &report.failures[..] else { panic!("{report}") };
    assert!(failure.all.len() > 100, "{report}");
    let length = |scenario: &TrialScenario| trial.replay(&scenario.to_string()).expect("an id").log.len();
    let shortest = failure.all.iter().map(length).min();
    assert_eq!(Some(length(&failure.scenario)), shortest);
    assert!(failure.to_string().ends_with(&format!("replay: trial.replay(\"{}\")", failure.scenario)), "{failure}");
}

#[test]
fn who_holds_time_wait_is_checked() {
    let says = |side| {
        let trial = Trial::new(ask, answer, whole_or_nothing).time_wait(side).faults(&[]);
        trial.networks(&[TrialNetwork::CLEAR, TrialNetwork::RELAY_CLOSES_BOTH]).run()
    };
    assert!(says(TimeWait::Client).is_clean() && says(TimeWait::Any).is_clean());
    let wrong = only(&says(TimeWait::Server), FindingKind::TimeWait);
    assert_eq!(wrong, "TIME_WAIT: TIME_WAIT should be the server's, and is held by: client | undisturbed/clear");
}

#[test]
fn a_connection_that_ends_by_rst_leaves_no_time_wait() {
    async fn leave(mut stream: TrialStream) {
        let _ = stream.write_all(b"unread").await;
        sleep(PATIENCE).await;
    }
    let report = unchecked(leave, leave).time_wait(TimeWait::Client).faults(&[]).run();
    assert!(only(&report, FindingKind::TimeWait).contains("held by: nobody"), "{report}");
}

#[test]
fn a_stream_that_outlives_its_future_is_a_leak() {
    async fn leak(stream: TrialStream) {
        tokio::spawn(async move {
            let _stream = stream;
            pending::<()>().await
        });
    }
    let report = unchecked(leak, |_| async {}).faults(&[]).budget(PATIENCE).run();
    let expected = "leak: the client has returned, and its stream is still open | undisturbed/clear";
    assert_eq!(only(&report, FindingKind::Leak), expected);
}

#[test]
fn a_crash_takes_every_task_along() {
    let survivors = Rc::new(Cell::new(0));
    let count = Rc::clone(&survivors);
    let client = move |mut stream: TrialStream| {
        let count = Rc::clone(&count);
        async move {
            tokio::task::spawn_local(async move {
                sleep(PATIENCE).await;
                count.set(count.get() + 1);
            });
            let _ = stream.write_all(b"!").await;
            pending::<()>().await
        }
    };
    let trial = unchecked(client, |_| sleep(2 * PATIENCE));
    for (id, survives) in [("client:drop@1/clear", 1), ("client:crash@1/clear", 0), ("client:vanish@1/clear", 0)] {
        survivors.set(0);
        assert_eq!(trial.replay(id).expect("an id").client, TrialEnding::Killed);
        assert_eq!(survivors.get(), survives, "{id}");
    }
}

/// Two sides that write before they read block each other, unless the buffer holds what they write.
#[test]
fn a_buffer_that_is_full_takes_no_more() {
    async fn write_and_read(mut stream: TrialStream) -> io::Result<()> {
        stream.write_all(&[0; 1000]).await?;
        stream.read_exact(&mut [0; 1000]).await?;
        Ok(())
    }
    let with = |bytes| unchecked(write_and_read, write_and_read).faults(&[]).buffer(bytes).budget(PATIENCE).run();
    assert!(with(1000).is_clean());
    assert_eq!(with(999).of(FindingKind::NeverEnds).count(), 2);
}

#[test]
fn a_relay_may_do_what_no_cable_does() {
    let ladder = |id| trial().replay(id).expect("an id").ladder();
    assert!(ladder("server:abort@3/relay-rst-to-fin").contains("FIN of a relay"));
    assert!(!ladder("server:abort@3/clear").contains("relay"));
    let whole = |id| trial().replay(id).expect("an id").client;
    assert!(
        matches!(whole("client:half-close@1/relay-rst-to-fin"), TrialEnding::Returned(Ok(answer)) if answer == ANSWER)
    );
    assert!(matches!(whole("client:half-close@1/relay-closes-both"), TrialEnding::Returned(Err(_))));
}

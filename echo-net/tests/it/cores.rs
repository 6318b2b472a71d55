//! Connections on threads with runtimes of their own.

use crate::support::bounded;
use crate::support::program::Serve;
use crate::support::raw::{Raw, Said};
use crate::support::server::{Server, server_config};
use echo_net::{Cores, Echo, OnEnd, serve};
use std::net::TcpListener;
use std::num::NonZero;
use std::sync::{Mutex, mpsc};
use std::thread;

fn two() -> Cores {
    Cores::start(NonZero::new(2).expect("more than 0")).expect("two threads")
}

/// The server's own task runs `on_end`. While that blocks, the runtime that serves does nothing.
#[test]
fn the_thread_that_accepts_answers_nothing() {
    let (ended, has_ended) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let config = server_config(|config| {
        config.cores = Some(two());
        config.on_end = OnEnd::call(move |_| {
            let _ = ended.send(());
            let _ = wait.lock().expect("no panic").recv();
        });
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("an option can be set");
    let address = listener.local_addr().expect("it listens");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            serve(listener, Echo, config, async { drop(stopped.await) }).await
        })
    });
    // As many on each thread.
    let mut clients: Vec<_> = (0..4).map(|_| Raw::greeted(address)).collect();
    let mut first = clients.remove(0);
    first.asks(1, b"the last one");
    first.ends_clean(1);
    bounded("the first end", move || has_ended.recv().expect("the callback is called"));
    for client in &mut clients {
        client.asks(1, b"answered although the server's task waits");
    }
    drop(go_on);
    for client in clients {
        client.ends_clean(1);
    }
    drop(stop);
    let report = bounded("the server's end", move || server.join().expect("the server does not panic"));
    assert_eq!((report.accepted, report.ended("clean"), report.messages), (4, 4, 4), "{report}");
}

#[test]
fn limits_and_the_end_are_those_of_the_whole_server() {
    let server = Server::start(server_config(|config| (config.cores, config.max_connections) = (Some(two()), 3)));
    let mut clients: Vec<_> = (0..3).map(|_| Raw::greeted(server.address)).collect();
    Raw::connect(server.address).hears_refusal("try again later: all 3 connections are in use");
    for client in &mut clients {
        client.asks(1, b"one");
    }
    let draining = thread::spawn(move || server.drain());
    for mut client in clients {
        assert!(matches!(client.hears(), Said::GoAway { .. }));
        client.ends_clean_as(1, 1001);
    }
    let report = bounded("the drain", move || draining.join().expect("no panic"));
    assert_eq!((report.accepted, report.refused_connections, report.ended("clean")), (4, 1, 3), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_starts_as_many_threads_as_it_is_told() {
    let server = Serve::start(&["--threads", "3"]);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.kid.id())).expect("a running process");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.expect("a thread").path().join("comm")).ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("core-")).collect();
    names.sort();
    assert_eq!(names, ["core-0\n", "core-1\n", "core-2\n"]);
    let mut clients: Vec<_> = (0..5).map(|_| Raw::greeted(server.address)).collect();
    for client in &mut clients {
        client.asks(1, b"hello");
    }
    for client in clients {
        client.ends_clean(1);
    }
    let (code, report) = server.drain();
    assert_eq!(code, Some(0));
    assert!(report.contains("served 5 connections (5 clean), 0 refused at a limit, 5 messages, 25 bytes"), "{report}");
}

//! `echo-net tcp-states --watch` finds a program that accepts and never closes, in three languages.

use crate::support::need;
use crate::support::program::{ECHO_NET, Kid};
use crate::support::{PATIENCE, eventually};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A directory for what a compiler makes, that is removed in the end.
struct Made(PathBuf);

impl Made {
    /// Returns a directory, and the path of a program in it.
    fn with(name: &str) -> (Self, PathBuf) {
        let folder = std::env::temp_dir().join(format!("echo-net-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a directory");
        let program = folder.join(name);
        (Self(folder), program)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that leaks, and its port. It is killed in the end.
struct Leaky {
    child: Child,
    port: u16,
}

impl Leaky {
    #[track_caller]
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { child, port: line.trim().parse().expect("a port") }
    }
}

impl Drop for Leaky {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks once at a port. Returns the exit code and the JSON.
fn look(port: u16) -> (Option<i32>, Value) {
    let arguments = ["tcp-states", "--watch", &format!(":{port}"), "--once", "--json", "--stuck-after", "1.5"];
    let output = Command::new(ECHO_NET).args(arguments).output().expect("the program starts");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// Returns the sockets of these connections to a port. Other tests may have left sockets with the same port behind.
fn own<'a>(document: &'a Value, clients: &[TcpStream], port: u16) -> Vec<&'a Value> {
    let server = format!("127.0.0.1:{port}");
    let addresses: Vec<String> =
        clients.iter().map(|client| client.local_addr().expect("an address").to_string()).collect();
    let is_own = |socket: &&Value| {
        let ends = [&socket["local"], &socket["remote"]];
        ends.iter().any(|end| **end == server)
            && addresses.iter().any(|address| ends.iter().any(|end| **end == *address))
    };
    document["sockets"].as_array().expect("sockets").iter().filter(is_own).collect()
}

/// Three clients finish. Both sides' sockets are found as soon as they are stuck, the leak in `name` first, with ages
/// that are right.
#[track_caller]
fn assert_found(leaky: &Leaky, name: &str) {
    let before = Instant::now();
    let clients: Vec<TcpStream> = (0..3)
        .map(|_| {
            let client = TcpStream::connect(("127.0.0.1", leaky.port)).expect("it listens");
            client.shutdown(Shutdown::Write).expect("a FIN");
            client
        })
        .collect();
    let after = Instant::now();
    let (code, young) = look(leaky.port);
    assert!(code == Some(0) || before.elapsed() > Duration::from_millis(1500), "{young}");
    let mut found = Value::Null;
    let (mut earliest, mut latest) = (Duration::ZERO, Duration::ZERO);
    eventually("three leaks and three clients that wait", || {
        earliest = after.elapsed();
        let (code, document) = look(leaky.port);
        latest = before.elapsed();
        let stuck = own(&document, &clients, leaky.port).into_iter().filter(|socket| socket["harm"] == "stuck");
        let is_found = stuck.count() == 6;
        assert!(code == Some(1) || !is_found, "something is stuck: {document}");
        found = document;
        is_found
    });
    let sockets = own(&found, &clients, leaky.port);
    for state in ["CLOSE-WAIT", "FIN-WAIT-2"] {
        assert!(found["counts"][state].as_u64() >= Some(3), "{found}");
        assert_eq!(sockets.iter().filter(|socket| socket["state"] == state).count(), 3, "{found}");
    }
    for socket in &sockets {
        let age = Duration::from_millis(socket["age_ms"].as_u64().expect("a number"));
        // A FIN may be acknowledged late (RFC 9293 section 3.8.6.3: within 0.5 s; Linux takes 0.2 s at most).
        let slack = Duration::from_millis(500);
        assert!(age + slack >= earliest && age <= latest + slack, "{earliest:?} <= {age:?} <= {latest:?}");
        let text = socket["diagnosis"].as_str().expect("a text");
        let seconds = format!("at least {} s ago", age.as_secs());
        assert!(text.contains(&seconds), "{text}: {seconds}");
    }
    let leaks: Vec<&Value> = sockets.iter().copied().filter(|socket| socket["finding"] == "not-closed").collect();
    assert_eq!(leaks.len(), 3, "{found}");
    for leak in leaks {
        assert_eq!((&leak["state"], &leak["harm"]), (&"CLOSE-WAIT".into(), &"stuck".into()));
        assert_eq!(leak["local"], format!("127.0.0.1:{}", leaky.port));
        assert_eq!(leak["owners"], serde_json::json!([{"pid": leaky.child.id(), "program": name}]));
        let text = leak["diagnosis"].as_str().expect("a text");
        assert!(text.ends_with(&format!("did not close: a leak in {name}")), "{text}");
    }
    let waiting = sockets.iter().filter(|socket| socket["finding"] == "peer-does-not-close");
    assert_eq!(waiting.count(), 3, "{found}");
    drop(clients);
}

#[test]
fn a_leak_in_python() {
    if need("python3") {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/leaky/leaky.py");
        assert_found(&Leaky::start(Command::new("python3").arg(file)), "leaky.py");
    }
}

#[test]
fn a_leak_in_c() {
    if need("cc") {
        let (_made, program) = Made::with("leaky-c");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/leaky/leaky.c");
        let compiled = Command::new("cc").arg("-o").arg(&program).arg(file).status();
        assert!(compiled.is_ok_and(|status| status.success()));
        assert_found(&Leaky::start(&mut Command::new(&program)), "leaky-c");
    }
}

#[test]
fn a_leak_in_rust() {
    if need("rustc") {
        let (_made, program) = Made::with("leaky-rust");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/leaky/leaky.rs");
        let compiled = Command::new("rustc").args(["--edition", "2024", "-o"]).arg(&program).arg(file).status();
        assert!(compiled.is_ok_and(|status| status.success()));
        assert_found(&Leaky::start(&mut Command::new(&program)), "leaky-rust");
    }
}

/// A program that never accepts: the sockets have no process yet, and the one that listens is named.
#[test]
fn a_connection_that_is_not_accepted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = TcpStream::connect(address).expect("it listens");
    client.shutdown(Shutdown::Write).expect("a FIN");
    eventually("it is stuck", || look(address.port()).0 == Some(1));
    let (_, document) = look(address.port());
    let sockets = document["sockets"].as_array().expect("sockets");
    let waiting: Vec<&Value> = sockets.iter().filter(|socket| socket["finding"] == "not-accepted").collect();
    assert_eq!(waiting.len(), 1, "{document}");
    assert_eq!(waiting[0]["owners"][0]["pid"], std::process::id());
    // One that has sent nothing, either.
    let _silent = TcpStream::connect(address).expect("it listens");
    eventually("both are stuck", || {
        let (_, document) = look(address.port());
        let sockets = document["sockets"].as_array().expect("sockets").iter();
        let found = sockets.filter(|socket| socket["finding"] == "not-accepted");
        found.filter(|socket| socket["state"] == "ESTABLISHED").count() == 1
    });
    // A watch of the process that listens finds them, too.
    let process = format!("pid:{}", std::process::id());
    let arguments = ["tcp-states", "--watch", &process, "--once", "--json", "--stuck-after", "1.5"];
    let output = Command::new(ECHO_NET).args(arguments).output().expect("the program starts");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let port = format!("127.0.0.1:{}", address.port());
    let sockets = document["sockets"].as_array().expect("sockets").iter().filter(|socket| socket["local"] == port);
    assert_eq!(sockets.filter(|socket| socket["finding"] == "not-accepted").count(), 2, "{document}");
}

/// A peer that does not read, seen from both sides at the first look.
#[test]
fn a_queue_that_does_not_move() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut writer = TcpStream::connect(address).expect("it listens");
    let (_reader, _) = listener.accept().expect("a connection");
    writer.set_nonblocking(true).expect("a socket");
    let start = Instant::now();
    // The kernels move what was written for a while.
    while start.elapsed() < Duration::from_millis(300) {
        let _ = std::io::Write::write(&mut writer, &[0; 65_536]);
    }
    let mut found = Value::Null;
    eventually("the peer does not read", || {
        found = look(address.port()).1;
        let mut sockets = found["sockets"].as_array().expect("sockets").iter();
        sockets.any(|socket| socket["finding"] == "peer-does-not-read")
    });
    let socket = &found["sockets"][0];
    assert_eq!((&socket["state"], &socket["harm"]), (&"ESTABLISHED".into(), &"stuck".into()), "{socket}");
    assert_eq!(socket["timer"], "window-probe", "{socket}");
    let still = Duration::from_millis(socket["send_still_ms"].as_u64().expect("a number"));
    assert!(still >= Duration::from_millis(1500) && still <= start.elapsed() + Duration::from_millis(20), "{still:?}");
}

/// Connections that are in use, or were until a moment ago, are not stuck, however short the patience.
#[test]
fn a_healthy_conversation_is_not_stuck() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut client = TcpStream::connect(address).expect("it listens");
    let (mut server, _) = listener.accept().expect("a connection");
    let port = format!(":{}", address.port());
    let arguments = ["tcp-states", "--watch", &port, "--json", "--interval", "0.01", "--stuck-after", "1"];
    let mut watch = Command::new(ECHO_NET).args(arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
    let lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    // Longer idle than the patience, then a message that waits for a delayed acknowledgment.
    let talk = std::thread::spawn(move || {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(1300));
            std::io::Write::write_all(&mut client, b"x").expect("written");
            std::io::Read::read_exact(&mut server, &mut [0]).expect("read");
        }
    });
    let mut looks = 0;
    for line in lines {
        let document: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        assert_eq!(document["stuck"], 0, "{document}");
        looks += 1;
        if talk.is_finished() {
            break;
        }
    }
    assert!(looks > 10, "{looks} looks");
    talk.join().expect("it has talked");
    let _ = watch.kill();
    let _ = watch.wait();
}

/// A watch that goes on: it sees the change itself, so the age is exact, and it goes on when a process ends.
#[test]
fn a_watch_that_goes_on() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let port = format!(":{}", address.port());
    let arguments = ["tcp-states", "--watch", &port, "--json", "--interval", "0.05", "--stuck-after", "0.5"];
    let mut watch = Command::new(ECHO_NET).args(arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let start = Instant::now();
    let mut next = move || -> Value {
        assert!(start.elapsed() < PATIENCE, "the watch shows nothing");
        serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON")
    };
    assert_eq!(next()["stuck"], 0, "nothing is there yet");
    let client = TcpStream::connect(address).expect("it listens");
    let (server, _) = listener.accept().expect("a connection");
    client.shutdown(Shutdown::Write).expect("a FIN");
    let stuck = loop {
        let document = next();
        if document["stuck"] == 2 {
            break document;
        }
    };
    let sockets = stuck["sockets"].as_array().expect("sockets").iter();
    for socket in sockets.filter(|socket| socket["harm"] == "stuck") {
        assert_eq!(socket["age_is_minimum"], false, "{socket}");
    }
    drop((client, server));
    while next()["stuck"] != 0 {}
    let _ = watch.kill();
    let _ = watch.wait();
}

/// A process that ends: so does its watch.
#[test]
fn a_watch_of_a_process_ends_with_it() {
    let mut sleep = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("sleep");
    let process = format!("pid:{}", sleep.id());
    let watch = Kid::echo_net(&["tcp-states", "--watch", &process, "--interval", "0.05"]);
    watch.says("no socket in a closing state");
    sleep.kill().and_then(|()| sleep.wait()).expect("it is a child");
    let (code, _, err) = watch.finish();
    assert_eq!((code, err.as_str()), (Some(0), &*format!("echo-net: process {} has ended\n", sleep.id())));
}

/// Metrics are whole at any time, and have a fixed order.
#[test]
fn metrics_for_prometheus() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = TcpStream::connect(address).expect("it listens");
    let (_server, _) = listener.accept().expect("a connection");
    client.shutdown(Shutdown::Write).expect("a FIN");
    let (made, file) = Made::with("metrics.prom");
    let port = format!(":{}", address.port());
    let path = file.to_str().expect("a path");
    let arguments = ["tcp-states", "--watch", &port, "--once", "--stuck-after", "0.2", "--prometheus", path];
    let leak = "tcp_states_findings{finding=\"not-closed\",harm=\"stuck\",program=\"";
    let mut text = String::new();
    eventually("the leak", || {
        let (code, _, err) = Kid::echo_net(&arguments).finish();
        assert_eq!(err, "");
        text = std::fs::read_to_string(&file).expect("the file");
        assert!(code == Some(1) || !text.contains("stuck"), "{code:?}: {text}");
        text.contains(leak)
    });
    for line in [
        "# TYPE tcp_states_sockets gauge",
        "tcp_states_sockets{state=\"CLOSE-WAIT\"} ",
        "tcp_states_sockets{state=\"FIN-WAIT-2\"} ",
        "tcp_states_sockets{state=\"TIME-WAIT\"} ",
        "tcp_states_unreadable_processes ",
    ] {
        assert_eq!(text.lines().filter(|found| found.starts_with(line)).count(), 1, "{line} is not in {text}");
    }
    // Other tests may have left some with the same port behind.
    for state in ["CLOSE-WAIT", "FIN-WAIT-2"] {
        assert!(!text.contains(&format!("tcp_states_sockets{{state=\"{state}\"}} 0")), "{text}");
    }
    let left: Vec<_> = std::fs::read_dir(&made.0).expect("a directory").flatten().collect();
    assert_eq!(left.len(), 1, "no temporary file is left: {left:?}");
}

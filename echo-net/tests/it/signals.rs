//! Signals to the client and to the server, and signals that were inherited as ignored.

use crate::support::person::Person;
use crate::support::program::{ECHO_NET, Kid, Serve, children, piped, signal};
use crate::support::raw::Raw;
use crate::support::{eventually, need_that};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

const SIGNALS: [(&str, i32); 3] = [("HUP", 129), ("INT", 130), ("TERM", 143)];

/// A resolver that does not answer.
const SLOW: &str = "#include <unistd.h>\nint getaddrinfo() { for (;;) pause(); }\n";

#[test]
fn a_server_whose_address_is_being_resolved() {
    let library = std::env::temp_dir().join(format!("echo-net-slow-{}.so", std::process::id()));
    let mut compile = Command::new("cc");
    compile.args(["-w", "-shared", "-fPIC", "-x", "c", "-", "-o"]).arg(&library).stdin(Stdio::piped());
    let mut compiler = compile.spawn().expect("a C compiler");
    compiler.stdin.take().expect("piped").write_all(SLOW.as_bytes()).expect("it reads");
    assert!(compiler.wait().is_ok_and(|status| status.success()));
    for arguments in [&["serve", "--listen", "localhost:0"][..], &["connect", "localhost:1"]] {
        let mut kid = Kid::spawn(piped(Command::new(ECHO_NET).args(arguments).env("LD_PRELOAD", &library)));
        eventually("a handler", || catches(kid.id(), 15));
        kid.signal("TERM");
        assert_eq!(kid.wait().code(), Some(if arguments[0] == "serve" { 0 } else { 143 }));
    }
    std::fs::remove_file(&library).expect("it was made");
}

/// The conversation ends by the contract. The exit status is that of a program that a signal has ended.
#[test]
fn a_client_in_a_pipe_ends_by_the_contract() {
    for (name, status) in SIGNALS {
        for options in [&[][..], &["--plain"]] {
            let serve = Serve::start(&[]);
            let address = serve.address.to_string();
            let mut kid = Kid::echo_net(&[&["connect"], options, &[&address]].concat());
            kid.write(b"hello\n");
            kid.says("hello");
            kid.signal(name);
            assert_eq!(kid.wait().code(), Some(status), "{name} {options:?}: {}", kid.stderr());
            assert!(kid.stderr().contains(&format!("failed: stopped by SIG{name}; ")), "{}", kid.stderr());
            let end = if options.is_empty() { "ends: clean" } else { "ends: unproven, begun by the peer" };
            serve.kid.logs(end);
        }
    }
}

#[test]
fn a_client_at_the_prompt_gives_the_terminal_back() {
    for (name, status) in SIGNALS {
        for options in [&[][..], &["--plain"]] {
            let serve = Serve::start(&[]);
            let script = "before=$(stty -g); \"$0\" connect \"$@\"; echo \"status $?\"; \
                          test \"$before\" = \"$(stty -g)\" && echo restored";
            let mut command = Command::new("bash");
            // The shell ignores the terminal's signals and waits for its child.
            command.args(["-c", &format!("trap : HUP INT TERM; {script}"), ECHO_NET]).args(options);
            command.arg(serve.address.to_string());
            let mut person = Person::of(command);
            person.sees("> ");
            person.types("hello\r");
            person.sees("] hello");
            signal(person.child(), name);
            person.sees(&format!("status {status}"));
            person.sees("restored");
            serve.kid.logs(if options.is_empty() { "ends: clean" } else { "ends: unproven, begun by the peer" });
        }
    }
}

/// A second signal aborts: this server ignores GOAWAY.
#[test]
fn a_second_signal_aborts() {
    for options in [&["--deadline", "drain=never", "--deadline", "shutdown=never"][..], &["--plain"]] {
        let (heard, hearing) = std::sync::mpsc::channel();
        let is_plain = options == ["--plain"];
        let (address, server) = crate::support::server::fake(move |mut raw| {
            if is_plain {
                assert_eq!(raw.rest(), b"");
            } else {
                raw.greets();
                raw.hears();
            }
            heard.send(()).expect("the test waits for it");
            raw
        });
        let address = address.to_string();
        let mut kid = Kid::echo_net(&[&["connect"], options, &[&address]].concat());
        if !is_plain {
            eventually("a connection", || crate::support::sockets::Sockets::now().of(port(&address)).established() > 0);
        }
        eventually("a handler", || catches(kid.id(), 2));
        kid.signal("INT");
        hearing.recv_timeout(crate::support::PATIENCE).expect("the server hears of the end");
        kid.signal("INT");
        assert_eq!(kid.wait().code(), Some(130), "{}", kid.stderr());
        drop(server.join().expect("no panic"));
    }
}

/// The reader of the answers stalls: the first signal ends the conversation, the second the program.
#[test]
fn an_output_that_nobody_reads_does_not_keep_a_client() {
    for options in [&[][..], &["--plain"]] {
        let serve = Serve::start(&[]);
        let (_unread, theirs) = UnixStream::pair().expect("a pair");
        let mut command = Command::new(ECHO_NET);
        piped(command.arg("connect").args(options).arg(serve.address.to_string())).stdout(OwnedFd::from(theirs));
        let mut kid = Kid::spawn(&mut command);
        drop(command);
        let mut input = kid.input();
        let writer = std::thread::spawn(move || {
            while input.write_all(&[b'x'; 4096].repeat(16)).and_then(|()| input.write_all(b"\n")).is_ok() {}
        });
        let client = || crate::support::sockets::Sockets::now().of(serve.address.port());
        eventually("a connection", || client().established() > 0);
        eventually("a handler", || catches(kid.id(), 2));
        kid.signal("INT");
        // Nothing shows that the plain client has taken the first signal, and two equal ones can become one. So the
        // second is another one there, and either may be taken first.
        let second = if options.is_empty() { "INT" } else { "TERM" };
        if options.is_empty() {
            serve.kid.logs("ends: clean");
        }
        kid.signal(second);
        let (code, stderr) = (kid.wait().code(), kid.stderr());
        let by_int = code == Some(130) && stderr.contains("failed: stopped by SIGINT; ");
        let by_term = second == "TERM" && code == Some(143) && stderr.contains("failed: stopped by SIGTERM; ");
        assert!(by_int || by_term, "{options:?}: {code:?}: {stderr}");
        writer.join().expect("no panic");
    }
}

#[test]
fn a_signal_before_the_server_has_answered() {
    // The kernel accepts connections, and nothing is sent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it listens").to_string();
    let mut kid = Kid::echo_net(&["connect", &address]);
    eventually("a handler", || catches(kid.id(), 15));
    kid.signal("TERM");
    assert_eq!(kid.wait().code(), Some(143));
    assert_eq!(kid.stderr(), format!("echo-net: failed: stopped by SIGTERM before {address} answered\n"));
}

#[test]
fn each_signal_drains_a_server() {
    for (name, _) in SIGNALS {
        let mut serve = Serve::start(&[]);
        let mut client = Raw::greeted(serve.address);
        client.asks(1, b"hello");
        serve.kid.signal(name);
        assert_eq!(client.hears(), crate::support::raw::Said::GoAway { last: 0, code: 1001 });
        client.ends_clean_as(1, 1001);
        assert_eq!(serve.kid.wait().code(), Some(0), "{name}");
        serve.kid.says("served 1 connections (1 clean)");
    }
}

/// `nohup` ignores SIGHUP, and a shell without job control ignores SIGINT for background processes.
#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    for name in ["HUP", "INT"] {
        let script = format!("trap '' {name}; exec \"$0\" serve --listen 127.0.0.1:0");
        let mut serve = Serve::of(Command::new("sh").args(["-c", &script, ECHO_NET]));
        serve.kid.signal(name);
        Raw::greeted(serve.address).asks(1, b"still here");
        serve.kid.signal("TERM");
        assert_eq!(serve.kid.wait().code(), Some(0), "{name}");

        let serve = Serve::start(&[]);
        let script = format!("trap '' {name}; exec \"$0\" connect \"$1\"");
        let address = serve.address.to_string();
        let mut kid = Kid::spawn(piped(Command::new("sh").args(["-c", &script, ECHO_NET, &address])));
        kid.write(b"one\n");
        kid.says("] one");
        kid.signal(name);
        kid.write(b"two\n");
        kid.says("] two");
        kid.end_input();
        assert_eq!(kid.wait().code(), Some(0), "{name}");
    }
}

#[test]
fn a_broken_pipe_kills_nobody() {
    let serve = Serve::start(&[]);
    serve.kid.signal("PIPE");
    Raw::greeted(serve.address).asks(1, b"still here");
    let (code, _) = serve.drain();
    assert_eq!(code, Some(0));
}

/// Like the first process of a container: no shell, no terminal, and no default action for signals.
#[test]
fn as_the_first_process_of_a_container() {
    let namespaces = ["-U", "-r", "-p", "-f", "--kill-child"];
    let works = Command::new("unshare").args(namespaces).arg("true").status().is_ok_and(|status| status.success());
    if !need_that(works, "namespaces for a user and for processes (unshare, of util-linux)") {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(namespaces).args([ECHO_NET, "serve", "--listen", "127.0.0.1:0"]);
    let mut serve = Serve::of(&mut command);
    let mut client = Raw::greeted(serve.address);
    client.asks(1, b"hello");
    // Clients that do not cooperate: one that sends nothing after its preface, and one that never reads.
    let _silent = Raw::greeted(serve.address);
    let began = std::time::Instant::now();
    signal(children(serve.kid.id())[0], "TERM");
    assert_eq!(client.hears(), crate::support::raw::Said::GoAway { last: 0, code: 1001 });
    client.ends_clean_as(1, 1001);
    assert_eq!(serve.kid.wait().code(), Some(0), "{}", serve.kid.stderr());
    // `docker stop` waits 10 s; the documented bound is 8 s.
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    serve.kid.says("served 2 connections (1 clean, 1 timed out)");
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// Whether the process has a handler for the signal. Without one, the signal would kill it.
pub(crate) fn catches(process: u32, signal: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|caught| u64::from_str_radix(caught.trim(), 16).ok()).unwrap_or_default();
    caught >> (signal - 1) & 1 == 1
}

//! Limits of open files: a low one, and one that is too low.

use crate::support::program::{ECHO_NET, Kid, Serve, limited, piped};
use crate::support::raw::{Raw, Said, echo};
use crate::support::{eventually, need_that};
use std::process::Command;

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

/// The client works, or reports what it lacks and exits with the code for a failed start.
#[test]
fn a_client_works_or_says_what_it_lacks() {
    let serve = Serve::start(&[]);
    let mut worked = 0;
    for files in 6..26 {
        let mut kid = Kid::spawn(&mut limited(&format!("ulimit -n {files}"), &["connect", &serve.address.to_string()]));
        kid.offer(b"hello\n");
        let (code, out, err) = kid.finish();
        match code {
            Some(0) => worked += usize::from(out.ends_with("] hello\n")),
            Some(3) => {
                assert!(err.starts_with("echo-net: the limit of open files (ulimit -Hn) leaves "), "{files}: {err}")
            }
            code => panic!("{files}: {code:?} {err}"),
        }
    }
    assert!((1..20).contains(&worked), "{worked} of 20 worked");
}

#[test]
fn a_server_works_or_says_what_it_lacks() {
    let mut worked = 0;
    for files in 6..32 {
        let kid = Kid::spawn(&mut limited(&format!("ulimit -n {files}"), SERVE));
        eventually("a server or none", || kid.stdout().contains('\n') || kid.stderr().contains("leaves"));
        if kid.stdout().is_empty() {
            let (code, _, err) = kid.finish();
            assert_eq!(code, Some(3), "{files}: {err}");
            let least = err.trim().rsplit(' ').next().and_then(|word| word.parse().ok());
            let left = err.split("leaves ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
            assert!(left.zip(least).is_some_and(|(left, least): (u32, u32)| left < least), "{files}: {err}");
        } else {
            let serve = Serve::by(kid);
            let mut client = Raw::greeted(serve.address);
            client.asks(1, b"hello");
            client.ends_clean(1);
            assert_eq!(serve.drain().0, Some(0), "{files}");
            worked += 1;
        }
    }
    assert!((1..26).contains(&worked), "{worked} of 26 worked");
}

#[test]
fn the_soft_limit_of_open_files_is_raised() {
    let serve = Serve::of(&mut limited("ulimit -Sn 64", SERVE));
    let mut clients: Vec<Raw> = (0..200).map(|_| Raw::greeted(serve.address)).collect();
    clients.iter_mut().for_each(|client| client.asks(1, b"hello"));
    drop(clients);
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(
        report.starts_with("served 200 connections") && report.contains(" 0 refused at a limit, 200 messages"),
        "{report}"
    );
}

/// Clients over the hard limit are refused with the reason, and none waits in silence.
#[test]
fn the_hard_limit_of_open_files_bounds_the_connections() {
    let serve = Serve::of(&mut limited("ulimit -n 100", SERVE));
    let line = serve.kid.logs("connections at once instead of 1024: the limit of open files");
    let most: usize = line.split_whitespace().find_map(|word| word.parse().ok()).expect("a number");
    let mut served: Vec<Raw> = (0..most).map(|_| Raw::greeted(serve.address)).collect();
    served.iter_mut().for_each(|client| client.asks(1, b"hello"));
    for _ in 0..20 {
        let mut refused = Raw::greeted(serve.address);
        match refused.hears() {
            Said::Close { code: 1013, .. } => (),
            said => panic!("expected CLOSE 1013, got {said:?}"),
        }
    }
    served.iter_mut().for_each(|client| client.asks(2, b"still here"));
}

/// The limit is lowered while the server runs: refused clients still get the reason.
#[test]
fn without_descriptors_a_client_is_told_why() {
    let serve = Serve::start(&[]);
    let mut served: Vec<Raw> = (0..20).map(|_| Raw::greeted(serve.address)).collect();
    served.iter_mut().for_each(|client| client.asks(1, b"hello"));
    let limit = procfs::process::Process::new(serve.kid.id().try_into().expect("an id")).and_then(|it| it.fd_count());
    let limit = limit.expect("/proc can be read").to_string();
    let mut lowered = Command::new("prlimit");
    lowered.args(["--pid", &serve.kid.id().to_string(), &format!("--nofile={limit}:{limit}")]);
    if !need_that(lowered.status().is_ok_and(|status| status.success()), "prlimit (util-linux)") {
        return;
    }
    // There may be free descriptors below the limit. After them, each client is refused.
    let mut refused = 0;
    while refused < 3 {
        let mut next = Raw::greeted(serve.address);
        next.send(&echo(1, b"hello"));
        match next.hears() {
            Said::Reply { .. } => served.push(next),
            Said::Close { code: 1013, reason, .. } => {
                assert_eq!(reason, "try again later: the server can open no more");
                refused += 1;
            }
            said => panic!("expected CLOSE 1013, got {said:?}"),
        }
        assert!(served.len() < 100, "the limit is lowered");
    }
    served.iter_mut().for_each(|client| client.asks(2, b"still here"));
    // Two clients leave, so there is room again.
    served.truncate(served.len() - 2);
    eventually("room for another", || {
        let mut next = Raw::greeted(serve.address);
        next.send(&echo(1, b"hello"));
        matches!(next.hears(), Said::Reply { .. })
    });
}

/// The same for threads, which are limited for every user but root.
#[test]
fn too_few_threads_are_named() {
    let setpriv = Command::new("setpriv").arg("--version").stdout(std::process::Stdio::null()).status();
    if !need_that(setpriv.is_ok_and(|status| status.success()), "setpriv (util-linux)") {
        return;
    }
    let serve = Serve::start(&[]);
    let program = std::env::temp_dir().join(format!("echo-net-threads-{}", std::process::id()));
    std::fs::copy(ECHO_NET, &program).expect("it can be copied");
    for processes in 1..4 {
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["connect", &serve.address.to_string()]] {
            let script = format!("ulimit -u {processes}; exec \"$0\" \"$@\"");
            let mut command = Command::new("setpriv");
            if rustix::process::geteuid().is_root() {
                command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
            }
            command.args(["bash", "-c", &script]).arg(&program).args(arguments);
            let (code, _, err) = Kid::spawn(piped(&mut command)).finish();
            assert_eq!(code, Some(3), "{processes}: {err}");
            assert!(err.starts_with("echo-net: the limit of processes (ulimit -u) leaves "), "{processes}: {err}");
        }
    }
    std::fs::remove_file(&program).expect("it was made");
}

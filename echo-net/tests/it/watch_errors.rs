//! `echo-net tcp-states --watch` where something is missing: one line that says what to do, and its exit code.

use crate::support::program::{ECHO_NET, Kid, piped};
use crate::support::{need, need_that};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

#[track_caller]
fn assert_fails(command: &mut Command, code: i32, parts: &[&str]) {
    let (exit, out, err) = Kid::spawn(piped(command)).finish();
    assert_eq!((exit, out.as_str()), (Some(code), ""), "{err}");
    for part in parts {
        assert!(err.contains(part), "{err:?} does not say {part:?}");
    }
    assert!(!err.contains("panicked"), "{err}");
}

fn watch(arguments: &[&str]) -> Command {
    let mut command = Command::new(ECHO_NET);
    command.args(["tcp-states", "--watch"]).args(arguments);
    command
}

#[test]
fn a_target_that_is_wrong_or_unknown() {
    for wrong in ["http", ":", ":65536", "pid:x", "pid:0", "0", "-1"] {
        let named = format!("--watch={wrong}");
        let mut command = Command::new(ECHO_NET);
        assert_fails(command.args(["tcp-states", &named]), 2, &[wrong, "expected PORT, :PORT, PID or pid:PID"]);
    }
    assert_fails(&mut watch(&["2147483647", "--once"]), 2, &["no process 2147483647"]);
    assert_fails(&mut watch(&["pid:2147483647", "--once"]), 2, &["there is no process 2147483647"]);
}

#[test]
fn a_number_that_is_a_port_and_a_process() {
    // A process whose number is a port that is free. Root can use every port, so there is one in CI.
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u16>().ok());
    let mut numbers: Vec<u16> = numbers.collect();
    numbers.sort_unstable();
    let found = numbers.into_iter().find_map(|number| Some((number, TcpListener::bind(("127.0.0.1", number)).ok()?)));
    if !need_that(found.is_some(), "a process whose number is a free port") {
        return;
    }
    let Some((number, _listener)) = found else { return };
    let (number, port, pid) = (number.to_string(), format!(":{number}"), format!("pid:{number}"));
    assert_fails(&mut watch(&[&number, "--once"]), 2, &[&number, &port, &pid]);
    for target in [&port, &pid] {
        let output = watch(&[target, "--once"]).output().expect("the program starts");
        // Another user's process cannot be seen.
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{target}: {output:?}");
    }
}

#[test]
fn options_that_exclude_each_other() {
    for (arguments, part) in [
        (&["tcp-states", "--once"][..], "--watch"),
        (&["tcp-states", "--prometheus", "x"], "--watch"),
        (&["tcp-states", "--watch", "--first", "both"], "cannot be used with"),
        (&["tcp-states", "--watch", "--explain"], "cannot be used with"),
        (&["tcp-states", "--watch", "--once", "--interval", "2"], "cannot be used with"),
        (&["tcp-states", "--watch", "--interval", "0"], "not above zero"),
        (&["tcp-states", "--watch", "--stuck-after", "soon"], "soon is not a time"),
        (&["tcp-states", "--watch", "--once", "--screen", "100x30"], "cannot be used with"),
        (&["tcp-states", "--screen", "100"], "expected COLUMNSxLINES"),
        (&["tcp-states", "--how", "slowly"], "slowly"),
    ] {
        assert_fails(Command::new(ECHO_NET).args(arguments), 2, &[part]);
    }
}

#[test]
fn a_file_or_an_output_that_cannot_be_written() {
    assert_fails(
        &mut watch(&["--once", "--prometheus", "/proc/no/such.prom"]),
        3,
        &["cannot write /proc/no/such.prom: No such file"],
    );
    for arguments in [&["--watch", "--once"][..], &["--first", "both"], &["--json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let mut command = Command::new(ECHO_NET);
        command.arg("tcp-states").args(arguments).stdout(full).stderr(Stdio::piped());
        let output = command.output().expect("the program starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {err}");
        assert!(err.contains("cannot write: No space left"), "{err}");
    }
}

/// Another user's process: what is missing, and what to do.
#[test]
fn a_process_that_may_not_be_seen() {
    if !rustix::process::geteuid().is_root() {
        let mut command = watch(&["pid:1", "--once"]);
        return assert_fails(&mut command, 3, &["process 1 cannot be read", "as root"]);
    }
    if !need("setpriv") {
        return;
    }
    let program = std::env::temp_dir().join(format!("echo-net-nobody-{}", std::process::id()));
    std::fs::copy(ECHO_NET, &program).expect("it can be copied");
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
        command.args(["tcp-states", "--watch"]).args(arguments);
        command
    };
    let pid = format!("pid:{}", std::process::id());
    assert_fails(&mut nobody(&[&pid, "--once"]), 3, &["cannot be read: run this as its user or as root"]);
    // A socket whose owner cannot be seen is shown all the same.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = std::net::TcpStream::connect(address).expect("it listens");
    let (_server, _) = listener.accept().expect("a connection");
    client.shutdown(std::net::Shutdown::Write).expect("a FIN");
    let output = nobody(&[&format!(":{}", address.port()), "--once"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("cannot be read, so some owners are missing: root sees them all"), "{text}");
    assert!(text.contains("CLOSE-WAIT") && text.contains("a process of user 0"), "{text}");
    std::fs::remove_file(&program).expect("it was made");
}

/// Kernels without netlink, without `sock_diag`, and without its part for TCP.
#[test]
fn a_kernel_that_does_not_show_its_sockets() {
    if !need("cc") {
        return;
    }
    let no_netlink = "int socket(int family, int type, int protocol) { if (family == AF_NETLINK) { errno = \
                      EPROTONOSUPPORT; return -1; } return syscall(SYS_socket, family, type, protocol); }";
    // Another protocol of netlink, which does not know this question.
    let no_diag = "int socket(int family, int type, int protocol) { return syscall(SYS_socket, family, type, family == \
                   AF_NETLINK ? 0 : protocol); }";
    // Another protocol than TCP in the question: the kernel knows it by IPPROTO_TCP, after the header and the family.
    let no_tcp = "ssize_t send(int fd, const void *bytes, size_t length, int flags) { char question[256]; if (length > 17 \
                  && length <= sizeof question) { memcpy(question, bytes, length); if (question[17] == 6) question[17] = \
                  250; bytes = question; } return syscall(SYS_sendto, fd, bytes, length, flags, 0, 0); }";
    for (number, body) in [no_netlink, no_diag, no_tcp].into_iter().enumerate() {
        let source = format!(
            "#define _GNU_SOURCE\n#include <errno.h>\n#include <string.h>\n#include <sys/socket.h>\n#include \
             <sys/syscall.h>\n#include <unistd.h>\n{body}\n"
        );
        let library = std::env::temp_dir().join(format!("echo-net-diag-{}-{number}.so", std::process::id()));
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-x", "c", "-", "-o"]).arg(&library).stdin(Stdio::piped());
        let mut compiler = compile.spawn().expect("a C compiler");
        compiler.stdin.take().expect("piped").write_all(source.as_bytes()).expect("it reads");
        assert!(compiler.wait().is_ok_and(|status| status.success()));
        for arguments in [&["tcp-states"][..], &["tcp-states", "--watch", "--once"]] {
            let mut command = Command::new(ECHO_NET);
            command.args(arguments).env("LD_PRELOAD", &library);
            let parts = ["this kernel does not show its TCP sockets", "inet_diag and tcp_diag"];
            assert_fails(&mut command, 3, &parts);
        }
        std::fs::remove_file(&library).expect("it was made");
    }
}

//! The service manager's part: it gives sockets to the server, and is told when the server is ready and when it drains.

use crate::support::program::{ECHO_NET, Kid, Serve, piped};
use crate::support::raw::{Raw, Said, hello};
use crate::support::{PATIENCE, within};
use echo_net::{Listener, TcpListeners};
use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::process::Command;

const ONE: &str = "LISTEN_PID=$$ LISTEN_FDS=1";

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    (listener, address)
}

/// `serve` with `file` as descriptor 3, and no descriptor 4. The shell sets the variables: its process becomes the
/// server, so `$$` is the server's id.
fn given(file: impl Into<OwnedFd>, variables: &str, arguments: &[&str]) -> Kid {
    let script = format!("exec 3<&0 4<&- 0</dev/null; export {variables}; exec \"$0\" serve \"$@\"");
    let mut command = Command::new("sh");
    piped(command.args(["-c", &script, ECHO_NET]).args(arguments)).stdin(file.into());
    Kid::spawn(&mut command)
}

#[track_caller]
fn is_refused(kid: Kid, exit: i32, expected: &str) {
    let (code, out, err) = kid.finish();
    assert_eq!((code, out.as_str(), err), (Some(exit), "", format!("echo-net: {expected}\n")));
}

/// The new server continues where the old one ended: a client that comes in between only waits.
#[test]
fn servers_follow_one_another_on_a_given_socket() {
    let (listener, address) = listener();
    let socket = || listener.try_clone().expect("a descriptor");
    let mut early = Raw::connect(address);
    let mut first = Serve::by(given(socket(), ONE, &[]));
    assert_eq!(first.address, address);
    early.send(&hello());
    early.hears_preface();
    early.asks(1, b"before the start");
    first.kid.signal("TERM");
    assert_eq!(early.hears(), Said::GoAway { last: 0, code: 1001 });
    let mut between = Raw::connect(address);
    early.ends_clean_as(1, 1001);
    assert_eq!(first.kid.wait().code(), Some(0));
    let second = Serve::by(given(socket(), ONE, &[]));
    between.send(&hello());
    between.hears_preface();
    between.asks(1, b"between the two");
    between.ends_clean(1);
    let (code, report) = second.drain();
    assert_eq!(code, Some(0));
    assert!(report.starts_with("served 1 connections (1 clean)"), "{report}");
}

#[test]
fn all_given_sockets_are_used() {
    let (listener, address) = listener();
    let serve = Serve::by(given(listener, "LISTEN_PID=$$ LISTEN_FDS=2; exec 4<&3", &["--threads", "2"]));
    Raw::greeted(serve.address).asks(1, b"hello");
    let line = format!("listening on {address}\n");
    assert_eq!(serve.kid.stdout(), line.repeat(2));
}

#[test]
fn what_is_no_listening_tcp_socket_is_named() {
    let unusable = |reason: &str| format!("cannot listen on the sockets of LISTEN_FDS: {reason}");
    let no_tcp = unusable("fd 3 is not a valid tcp socket");
    is_refused(given(UdpSocket::bind("127.0.0.1:0").expect("a free port"), ONE, &[]), 3, &no_tcp);
    let path = temporary("listener");
    is_refused(given(UnixListener::bind(&path).expect("a new path"), ONE, &[]), 3, &no_tcp);
    std::fs::remove_file(path).expect("it was made");
    is_refused(given(UnixDatagram::unbound().expect("a socket"), ONE, &[]), 3, &no_tcp);

    let (connecting, address) = listener();
    let connection = TcpStream::connect(address).expect("it listens");
    is_refused(given(connection, ONE, &[]), 3, &unusable("fd 3 is a TCP socket that does not listen"));
    let file = File::open("/dev/null").expect("it exists");
    is_refused(given(file, ONE, &[]), 3, &unusable("fd 3 is not a socket"));
    for more in ["LISTEN_PID=$$ LISTEN_FDS=2", "LISTEN_PID=$$ LISTEN_FDS=65535"] {
        let socket = connecting.try_clone().expect("a descriptor");
        is_refused(given(socket, more, &[]), 3, &unusable("fd 4 is not a socket"));
    }
}

#[test]
fn a_wrong_number_of_sockets_is_named() {
    for count in ["many", "-1", "1.5", "''", "65536", "2147483647", "99999999999999999999"] {
        let expected = format!("LISTEN_FDS is {}: expected a number of sockets", count.trim_matches('\''));
        is_refused(given(listener().0, &format!("LISTEN_PID=$$ LISTEN_FDS={count}"), &[]), 3, &expected);
    }
}

#[test]
fn sockets_and_an_address_are_too_much() {
    for option in [&["--listen", "127.0.0.1:0"][..], &["--port", "0"], &["--reuse-port"]] {
        let expected = "with sockets given by LISTEN_FDS: expected the sockets or the option, not both";
        is_refused(given(listener().0, ONE, option), 2, &format!("{} {expected}", option[0]));
    }
}

/// The variables name another process, or no sockets.
#[test]
fn what_was_given_to_nobody_here_is_ignored() {
    for variables in [
        "LISTEN_PID=1 LISTEN_FDS=1",
        "LISTEN_PID=1 LISTEN_FDS=many",
        "LISTEN_PID= LISTEN_FDS=1",
        "LISTEN_PID=many LISTEN_FDS=1",
        "LISTEN_FDS=1",
        "LISTEN_PID=$$ LISTEN_FDS=0",
        "LISTEN_PID=$$",
    ] {
        let (listener, address) = listener();
        let serve = Serve::by(given(listener, variables, &["--listen", "127.0.0.1:0"]));
        assert_ne!(serve.address, address, "{variables}");
    }
}

/// Connections that waited in the accept queue have the options, too.
#[tokio::test]
async fn the_library_takes_listeners() {
    let ((first, address), (second, other)) = (listener(), listener());
    let _clients = [address, other].map(|to| TcpStream::connect(to).expect("it listens"));
    let mut listeners = TcpListeners::from_std([first, second]).expect("they listen");
    assert_eq!(listeners.local_addrs().expect("they listen"), [address, other]);
    for _ in 0..2 {
        let (stream, _) = within(listeners.accept()).await.expect("a client");
        assert!(stream.nodelay().expect("an option"));
    }
    assert_eq!(TcpListeners::from_std([]).expect_err("nothing to listen on").kind(), ErrorKind::InvalidInput);
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("echo-net-{name}-{}", std::process::id()))
}

/// `serve` with this NOTIFY_SOCKET.
fn notifying(socket: &str) -> Serve {
    Serve::of(Command::new(ECHO_NET).args(["serve", "--listen", "127.0.0.1:0"]).env("NOTIFY_SOCKET", socket))
}

#[track_caller]
fn received(manager: &UnixDatagram) -> String {
    let mut message = [0; 1024];
    let length = manager.recv(&mut message).expect("a message");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

#[track_caller]
fn is_told(manager: &UnixDatagram, socket: &str) {
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut serve = notifying(socket);
    assert_eq!(received(manager), format!("READY=1\nSTATUS=listening on {}\n", serve.address));
    let mut client = Raw::greeted(serve.address);
    client.asks(1, b"hello");
    serve.kid.signal("TERM");
    assert_eq!(received(manager), "STOPPING=1\nSTATUS=draining\n", "while a client is connected");
    assert_eq!(client.hears(), Said::GoAway { last: 0, code: 1001 });
    client.ends_clean_as(1, 1001);
    assert_eq!(serve.kid.wait().code(), Some(0));
    assert!(!serve.kid.stderr().contains("NOTIFY_SOCKET"), "{}", serve.kid.stderr());
}

#[test]
fn the_service_manager_is_told() {
    let path = temporary("manager");
    is_told(&UnixDatagram::bind(&path).expect("a new path"), path.to_str().expect("UTF-8"));
    std::fs::remove_file(path).expect("it was made");

    let name = format!("echo-net-manager-{}", std::process::id());
    let address = net::SocketAddr::from_abstract_name(&name).expect("a short name");
    is_told(&UnixDatagram::bind_addr(&address).expect("a new name"), &format!("@{name}"));
}

#[test]
fn a_service_manager_that_is_not_there_is_a_warning() {
    let long = format!("/{}", "x".repeat(200));
    for socket in ["/nonexistent/notify", "/dev/null", "@echo-net-nobody", "vsock:2:1", "", &long] {
        let serve = notifying(socket);
        serve.kid.logs(&format!("WARN cannot send READY=1 to NOTIFY_SOCKET {socket}: "));
        Raw::greeted(serve.address).asks(1, b"hello");
        let (code, report) = serve.drain();
        assert_eq!(code, Some(0), "{report}");
    }
}

/// Its queue is full: the server serves, drains and ends.
#[test]
fn a_service_manager_that_reads_nothing_is_a_warning() {
    let path = temporary("full");
    let _manager = UnixDatagram::bind(&path).expect("a new path");
    let others = UnixDatagram::unbound().expect("a socket");
    others.connect(&path).and_then(|()| others.set_nonblocking(true)).expect("it exists");
    while others.send(b"STATUS=full").is_ok() {}
    let mut serve = notifying(path.to_str().expect("UTF-8"));
    Raw::greeted(serve.address).asks(1, b"hello");
    serve.kid.signal("TERM");
    assert_eq!(serve.kid.wait().code(), Some(0));
    for state in ["READY=1", "STOPPING=1"] {
        serve.kid.logs(&format!("cannot send {state} to NOTIFY_SOCKET"));
    }
    std::fs::remove_file(path).expect("it was made");
}

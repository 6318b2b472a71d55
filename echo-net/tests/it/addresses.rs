//! Names and addresses in all their forms.

use crate::support::need_that;
use crate::support::program::{Kid, Serve};
use crate::support::raw::Raw;
use crate::support::server::ClosedPort;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The server listens on all addresses of a name, with the same port.
#[test]
fn a_name_is_listened_on_at_all_its_addresses() {
    let found: Vec<SocketAddr> = std::net::ToSocketAddrs::to_socket_addrs("localhost:0").expect("a name").collect();
    let has = |v6: bool| found.iter().any(|address| address.is_ipv6() == v6) && can_bind(v6);
    let kid = Kid::echo_net(&["serve", "--listen", "localhost:0"]);
    let first: SocketAddr = address(&kid.says("listening on "));
    for v6 in [false, true].into_iter().filter(|v6| has(*v6)) {
        let host = if v6 { "[::1]" } else { "127.0.0.1" };
        kid.says(&format!("listening on {host}:{}", first.port()));
        let address: SocketAddr = format!("{host}:{}", first.port()).parse().expect("an address");
        Raw::greeted(address).asks(1, b"hello");
    }
}

#[test]
fn one_that_is_taken_is_named() {
    let taken = Serve::start(&[]);
    let address = taken.address.to_string();
    let (code, out, err) = Kid::echo_net(&["serve", "--listen", &address]).finish();
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    assert!(err.starts_with(&format!("echo-net: cannot listen on {address}: Address already in use")), "{err}");
    assert_eq!(err.matches(&address).count(), 1, "{err}");
}

#[test]
fn a_port_alone_and_a_port_apart() {
    // A port that was free a moment ago.
    let first = Serve::start(&[]);
    let port = first.address.port();
    assert_eq!(first.drain().0, Some(0));
    for options in [vec!["--listen".to_owned(), port.to_string()], vec!["--port".to_owned(), port.to_string()]] {
        let options: Vec<&str> = std::iter::once("serve").chain(options.iter().map(String::as_str)).collect();
        let kid = Kid::echo_net(&options);
        assert_eq!(address(&kid.says("listening on ")), SocketAddr::from(([127, 0, 0, 1], port)));
        let mut client = Kid::echo_net(&["connect", "-p", &port.to_string()]);
        client.offer(b"hello\n");
        let (code, out, err) = client.finish();
        assert_eq!(code, Some(0), "{err}");
        assert!(out.ends_with("] hello\n"));
        kid.signal("TERM");
        let (code, ..) = kid.finish();
        assert_eq!(code, Some(0));
    }
}

#[test]
fn what_is_no_address_is_named() {
    for (arguments, exit, named) in [
        (&["serve", "--listen", "localhost:http"][..], 2, "http in localhost:http is not a port"),
        (&["serve", "--listen", "[::1"], 2, "expected ] after the address"),
        (&["serve", "--max-connections", "0"], 2, "expected a number of at least 1"),
        (&["connect", "localhost:65536"], 2, "65536 in localhost:65536 is not a port"),
        (&["connect", "--ping", "0"], 2, "0 is not above zero: expected a number of seconds"),
    ] {
        let (code, _, err) = Kid::echo_net(arguments).finish();
        assert_eq!(code, Some(exit), "{arguments:?}: {err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}

/// The error contains the address once.
#[test]
fn an_address_that_refuses_is_named_once() {
    let closed = ClosedPort::new();
    let address = closed.address.to_string();
    let (code, _, err) = Kid::echo_net(&["connect", &address]).finish();
    assert_eq!(code, Some(3));
    assert_eq!(err, format!("echo-net: cannot talk to {address}: Connection refused\n"));
}

/// Without brackets it is an address without a port.
#[test]
fn an_address_by_ipv6_without_brackets_is_named_once() {
    let (code, _, err) = Kid::echo_net(&["connect", "::1:2012", "--deadline", "connect=2"]).finish();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.starts_with("echo-net: cannot talk to [::1:2012]:2012: "), "{err}");
    assert_eq!((err.matches("[::1:2012]").count(), err.lines().count()), (1, 1), "{err}");
}

/// A link-local address is written with the name of its interface.
#[test]
fn an_address_with_a_scope() {
    let listener = TcpListener::bind("[::1]:0");
    if !need_that(listener.is_ok(), "IPv6 on loopback") {
        return;
    }
    drop(listener);
    // It resolves; the answer does not matter.
    let (code, _, err) = Kid::echo_net(&["connect", "[fe80::1%lo]:9", "--deadline", "connect=1"]).finish();
    assert_eq!(code, Some(3), "{err}");
    assert!(!err.contains("does not resolve"), "{err}");
}

/// On a socket for both families, the log shows an IPv4 peer with its IPv4 address.
#[test]
fn a_peer_by_ipv4_is_called_so() {
    let both = Kid::echo_net(&["serve", "--listen", "[::]:0"]);
    if !need_that(TcpListener::bind("[::1]:0").is_ok(), "IPv6 on loopback") {
        return;
    }
    let port = address(&both.says("listening on ")).port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens for both");
    let line = both.logs("connection 1 from");
    assert!(line.contains(&format!("from {} begins", client.local_addr().expect("it is connected"))), "{line}");
}

/// RFC 8305: after 250 ms the client tries the next address in parallel.
#[test]
fn an_address_that_swallows_packets_costs_little() {
    let silent = Silent::new();
    let serve = Serve::start(&[]);
    let (good, bad) = (serve.address, silent.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let began = std::time::Instant::now();
    let whole = std::time::Duration::from_secs(20);
    let stream = runtime.block_on(echo_net::connect_tcp(&[bad, good][..], whole)).expect("the second one answers");
    assert_eq!(stream.peer_addr().expect("it is connected"), good);
    assert!(began.elapsed() < whole / 2, "{:?}", began.elapsed());
}

/// A listener whose queue is full: the kernel drops every further SYN.
struct Silent {
    address: SocketAddr,
    _listener: socket2::Socket,
    _queued: Vec<socket2::Socket>,
}

impl Silent {
    fn new() -> Self {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        listener.listen(0).expect("it listens");
        let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
        let queued = (0..8).map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("an option can be set");
            let _ = socket.connect(&address.into());
            socket
        });
        Self { address, _queued: queued.collect(), _listener: listener }
    }
}

fn can_bind(v6: bool) -> bool {
    TcpListener::bind(if v6 { "[::1]:0" } else { "127.0.0.1:0" }).is_ok()
}

fn address(line: &str) -> SocketAddr {
    line.rsplit(' ').next().and_then(|address| address.parse().ok()).expect("an address")
}

/// The kernel queues three hundred clients while the server does not accept.
#[test]
fn a_stopped_server_has_room_for_a_burst() {
    let serve = Serve::start(&[]);
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    if !need_that(most.trim().parse().is_ok_and(|most: u32| most >= 300), "net.core.somaxconn of at least 300") {
        return;
    }
    serve.kid.signal("STOP");
    let clients: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(serve.address).expect("room")).collect();
    serve.kid.signal("CONT");
    for client in clients {
        let mut raw = Raw::on(client);
        raw.send(&crate::support::raw::hello());
        raw.hears_preface();
    }
}

/// The host is the default of `--listen`.
#[test]
fn a_port_alone_is_listened_on_at_the_usual_host() {
    for listen in [":0", "0"] {
        let kid = Kid::echo_net(&["serve", "--listen", listen]);
        assert!(kid.says("listening on ").starts_with("listening on 127.0.0.1:"), "{listen}");
    }
}

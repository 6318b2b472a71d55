//! A client that is killed after its GOAWAY and before it reads its answers: the server's end is never clean.

use crate::support::eventually;
use crate::support::program::{Kid, piped};
use crate::support::raw::{self, Raw};
use crate::support::server::Server;
use echo_net::ServerConfig;
use procfs::net::TcpState;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

const ADDRESS: &str = "ECHO_NET_TEST_ADDRESS";
const RUNS: u64 = 200;
const REQUESTS: u64 = 3;

/// Clause 5.3: the server's clean end proves that the client holds every answer.
#[test]
fn two_hundred_killed_clients_and_no_clean_end() {
    let server = Server::start(ServerConfig::default());
    for run in 0..RUNS {
        let mut client = raw_client(server.address);
        let port: u16 = client.says("port ").split_once("port ").expect("a port").1.parse().expect("a number");
        match run % 4 {
            // While the server's answers and CLOSE may be in flight.
            0 => (),
            1 => std::thread::sleep(Duration::from_micros(run * 20)),
            // When all of them are unread in the client's kernel: preface, answers and CLOSE.
            2 => all_has_come(port, server.address),
            // The same at varying moments.
            _ => {
                all_has_come(port, server.address);
                std::thread::sleep(Duration::from_micros(run * 20));
            }
        }
        client.kill();
        client.wait();
    }
    // The control: a client that lives and reads sends the same bytes.
    let mut alive = Raw::connect(server.address);
    alive.send(&words());
    alive.hears_preface();
    for seq in 1..=REQUESTS {
        assert!(matches!(alive.hears(), raw::Said::Reply { seq: came, .. } if came == seq));
    }
    assert!(matches!(alive.hears(), raw::Said::Close { last: REQUESTS, code: 1000, .. }));
    alive.send(&raw::close(REQUESTS));
    alive.finish();
    assert_eq!(alive.hears(), raw::Said::Fin);

    let report = server.drain();
    assert_eq!(report.ended("clean"), 1, "only the control: {report}");
    assert_eq!(report.accepted, RUNS + 1, "{report}");
    assert_eq!(report.messages, REQUESTS * (RUNS + 1), "it asked before it was killed: {report}");
    assert_eq!(report.ended("reset") + report.ended("truncated"), RUNS, "{report}");
}

/// Preface, requests and GOAWAY in one write.
fn words() -> Vec<u8> {
    let requests = (1..=REQUESTS).flat_map(|seq| raw::echo(seq, b"is anybody there?"));
    raw::hello().into_iter().chain(requests).chain(raw::goaway(REQUESTS)).collect()
}

/// Size of the server's answer to them, in bytes.
fn answers() -> usize {
    let replies: usize = (1..=REQUESTS).map(|seq| raw::reply(seq, b"is anybody there?").len()).sum();
    raw::hello().len() + replies + raw::close(REQUESTS).len()
}

fn raw_client(address: SocketAddr) -> Kid {
    let mut command = crate::support::alone::this_binary("killed_client::the_client_that_is_killed");
    Kid::spawn(piped(command.env(ADDRESS, address.to_string())))
}

#[test]
#[ignore = "the client of the test above, in a process of its own"]
fn the_client_that_is_killed() {
    let address = std::env::var(ADDRESS).expect("started by the test above");
    let mut client = Raw::connect(address.parse().expect("an address"));
    client.send(&words());
    println!("\nport {}", client.stream.local_addr().expect("it is connected").port());
    std::io::stdout().flush().expect("the test above reads");
    // Waits until it is killed, or until the parent process has ended.
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Waits until all bytes have arrived in the client's kernel.
fn all_has_come(port: u16, server: SocketAddr) {
    eventually("CLOSE in the client's kernel", || {
        let sockets = procfs::net::tcp().expect("/proc/net/tcp can be read");
        let client = sockets.iter().find(|socket| {
            socket.local_address.port() == port
                && socket.remote_address == server
                && socket.state == TcpState::Established
        });
        client.is_some_and(|socket| socket.rx_queue as usize == answers())
    });
}

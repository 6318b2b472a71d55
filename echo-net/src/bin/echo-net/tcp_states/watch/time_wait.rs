//! Sockets in TIME-WAIT, by what they keep: a client's ports to one server, or nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tcp_states::{Harm, Reuse, Settings, TcpSocket, time};

/// Above this share of the ports, it is time to know.
const MANY: f64 = 0.8;

/// Sockets in TIME-WAIT that are alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeWaits {
    pub(crate) kind: Kind,
    pub(crate) count: usize,
    /// The time until the last of them is gone.
    pub(crate) left: Duration,
    /// For a client: the share of the ports to this server that they use, from 0 to 1.
    pub(crate) share: Option<f64>,
    pub(crate) harm: Harm,
}

/// Which side closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Connections from this address to a server, whose ports the kernel chose here.
    Client(IpAddr, SocketAddr),
    /// Connections to this address.
    Server(SocketAddr),
}

impl TimeWaits {
    /// Returns the state in words.
    pub(crate) fn text(&self) -> String {
        let left = time(self.left);
        match (self.kind, self.share) {
            (_, _) if self.count == 1 => format!("normal after closing first, {left} left"),
            (Kind::Client(_, server), Some(share)) => format!(
                "normal after closing first, the last is gone in {left}; {} of them use {:.0} % of the ports to \
                 {server}{}",
                self.count,
                share * 100.0,
                match self.harm {
                    Harm::None => "",
                    Harm::Passing => ": connecting fails when none is left",
                    Harm::Stuck => ": none is left, and connecting fails",
                }
            ),
            (_, _) => format!("normal after closing first, the last is gone in {left}"),
        }
    }
}

/// Groups sockets in TIME-WAIT, the most first.
pub(crate) fn grouped(waiting: &[TcpSocket], listening: &[TcpSocket], settings: &Settings) -> Vec<TimeWaits> {
    let mut groups: BTreeMap<Kind, (usize, Duration)> = BTreeMap::new();
    let listens = |port: u16| listening.iter().any(|socket| socket.local.port() == port);
    let mut by_local: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    let mut by_remote: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    for socket in waiting {
        *by_local.entry(socket.local).or_default() += 1;
        *by_remote.entry(socket.remote).or_default() += 1;
    }
    for socket in waiting {
        let port = socket.local.port();
        // A server's address has many peers; a client's has one, or a few that all have many clients.
        let is_client = settings.local_ports.contains(&port)
            && !listens(port)
            && by_remote.get(&socket.remote) >= by_local.get(&socket.local);
        let kind = if is_client { Kind::Client(socket.local.ip(), socket.remote) } else { Kind::Server(socket.local) };
        let (count, left) = groups.entry(kind).or_default();
        *count += 1;
        *left = socket.timer.map(|timer| timer.expires).unwrap_or_default().max(*left);
    }
    let mut groups: Vec<TimeWaits> =
        groups.into_iter().map(|(kind, (count, left))| group(kind, count, left, settings)).collect();
    groups.sort_by(|one, two| (two.harm, two.count, one.kind).cmp(&(one.harm, one.count, two.kind)));
    groups
}

fn group(kind: Kind, count: usize, left: Duration, settings: &Settings) -> TimeWaits {
    #[expect(clippy::cast_precision_loss, reason = "there are at most 65,536 ports")]
    let share = match kind {
        Kind::Client(_, _) => Some(count as f64 / settings.port_count() as f64),
        Kind::Server(_) => None,
    };
    let is_used_again = match (settings.reuse, kind) {
        (Reuse::Always, _) => true,
        (Reuse::Loopback, Kind::Client(_, server)) => server.ip().is_loopback(),
        (Reuse::Never | Reuse::Loopback, _) => false,
    };
    let harm = match share {
        Some(_) if is_used_again => Harm::None,
        Some(share) if share >= 1.0 => Harm::Stuck,
        Some(share) if share >= MANY => Harm::Passing,
        Some(_) | None => Harm::None,
    };
    TimeWaits { kind, count, left, share, harm }
}

#[cfg(test)]
mod tests {
    use super::{Kind, grouped};
    use std::net::SocketAddr;
    use std::time::Duration;
    use tcp_states::{Harm, Reuse, Settings, TcpSocket, TcpState, Timer, TimerKind};

    fn waits(local: &str, remote: &str, left: u64) -> TcpSocket {
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        TcpSocket {
            cookie: 0,
            local: address(local),
            remote: address(remote),
            state: TcpState::TimeWait,
            recv_queue: 0,
            send_queue: 0,
            timer: Some(Timer { kind: TimerKind::TimeWait, expires: Duration::from_secs(left) }),
            retransmissions: 0,
            traffic: None,
            uid: 0,
            inode: 0,
        }
    }

    #[test]
    fn a_clients_ports_to_a_server_are_counted() {
        let settings = Settings { local_ports: 40_000..=49_999, ..Settings::default() };
        let to_a_server = |count: u16, server: &str| -> Vec<TcpSocket> {
            (0..count).map(|n| waits(&format!("10.0.0.1:{}", 40_000 + n), server, 48)).collect()
        };
        let many = "normal after closing first, the last is gone in 48 s; ";
        for (count, harm, text) in [
            (1, Harm::None, "normal after closing first, 48 s left".to_owned()),
            (3_900, Harm::None, format!("{many}3900 of them use 39 % of the ports to 10.0.0.2:80")),
            (
                8_000,
                Harm::Passing,
                format!("{many}8000 of them use 80 % of the ports to 10.0.0.2:80: connecting fails when none is left"),
            ),
            (
                10_000,
                Harm::Stuck,
                format!(
                    "{many}10000 of them use 100 % of the ports to 10.0.0.2:80: none is left, and connecting fails"
                ),
            ),
        ] {
            let groups = grouped(&to_a_server(count, "10.0.0.2:80"), &[], &settings);
            assert_eq!((groups.len(), groups[0].harm, groups[0].text()), (1, harm, text));
        }
        // Linux uses ports to loopback again, and with tcp_tw_reuse 1 those to every peer.
        assert_eq!(grouped(&to_a_server(10_000, "127.0.0.1:80"), &[], &settings)[0].harm, Harm::None);
        let always = Settings { reuse: Reuse::Always, ..settings };
        assert_eq!(grouped(&to_a_server(10_000, "10.0.0.2:80"), &[], &always)[0].harm, Harm::None);
    }

    /// The kernel gives the same port for two servers.
    #[test]
    fn a_client_of_two_servers_is_one() {
        let settings = Settings { local_ports: 40_000..=49_999, ..Settings::default() };
        let both = ["10.0.0.2:80", "10.0.0.3:80"].map(|server| {
            (0..8_000_u16).map(|n| waits(&format!("10.0.0.1:{}", 40_000 + n), server, 48)).collect::<Vec<_>>()
        });
        let groups = grouped(&both.concat(), &[], &settings);
        let found: Vec<_> = groups.iter().map(|group| (group.count, group.share, group.harm)).collect();
        assert_eq!(found, [(8_000, Some(0.8), Harm::Passing); 2]);
    }

    #[test]
    fn a_port_with_several_connections_is_a_servers() {
        let sockets = ["1", "2"].map(|n| waits("10.0.0.1:50000", &format!("10.0.0.{n}:99"), 5));
        let groups = grouped(&sockets, &[], &Settings::default());
        assert_eq!(
            groups.iter().map(|group| (group.kind, group.count)).collect::<Vec<_>>(),
            [(Kind::Server("10.0.0.1:50000".parse().expect("an address")), 2)]
        );
    }

    #[test]
    fn a_server_uses_no_ports_up() {
        let settings = Settings { local_ports: 40_000..=40_001, ..Settings::default() };
        let mut listener = waits("0.0.0.0:40000", "0.0.0.0:0", 0);
        listener.state = TcpState::Listen;
        let sockets = ["1", "2", "3"].map(|n| waits("10.0.0.1:40000", &format!("10.0.0.{n}:99"), 5));
        let others = ["1", "2"].map(|n| waits("10.0.0.1:80", &format!("10.0.0.{n}:99"), 7));
        let groups = grouped(&[&sockets[..], &others[..]].concat(), &[listener], &settings);
        let found: Vec<_> = groups.iter().map(|group| (group.kind, group.count, group.share, group.harm)).collect();
        let server = |text: &str| Kind::Server(text.parse().expect("an address"));
        assert_eq!(
            found,
            [(server("10.0.0.1:40000"), 3, None, Harm::None), (server("10.0.0.1:80"), 2, None, Harm::None)]
        );
    }
}

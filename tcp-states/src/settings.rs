//! Settings of the network namespace that decide how long sockets stay and how many there can be.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// Settings of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long the kernel keeps an orphan in FIN-WAIT-2 (`tcp_fin_timeout` in tcp(7)).
    pub fin_timeout: Duration,
    /// The ports from which the kernel chooses for a client (`ip_local_port_range` in ip(7)).
    pub local_ports: RangeInclusive<u16>,
    /// Where a client may use a port again that is in TIME-WAIT (`tcp_tw_reuse` in tcp(7)).
    pub reuse: Reuse,
}

/// Where a client may use a port again that is in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Nowhere.
    Never,
    /// After a second, for any peer.
    Always,
    /// After a second, for a peer on loopback.
    Loopback,
}

impl Default for Settings {
    /// Linux's defaults.
    fn default() -> Self {
        Self { fin_timeout: Duration::from_secs(60), local_ports: 32_768..=60_999, reuse: Reuse::Loopback }
    }
}

impl Settings {
    /// Reads the settings of this process's network namespace. What cannot be read has Linux's default.
    pub fn read() -> Self {
        let default = Self::default();
        let read = |name: &str| std::fs::read_to_string(Path::new("/proc/sys/net/ipv4").join(name)).unwrap_or_default();
        let seconds = read("tcp_fin_timeout").trim().parse().ok();
        let range = read("ip_local_port_range");
        let mut ports = range.split_whitespace().map_while(|port| port.parse().ok()).fuse();
        Self {
            fin_timeout: seconds.map_or(default.fin_timeout, Duration::from_secs),
            local_ports: match (ports.next(), ports.next()) {
                (Some(first), Some(last)) if first <= last => first..=last,
                _ => default.local_ports,
            },
            reuse: match read("tcp_tw_reuse").trim() {
                "0" => Reuse::Never,
                "1" => Reuse::Always,
                _ => Reuse::Loopback,
            },
        }
    }

    /// Returns the number of ports for clients.
    pub fn port_count(&self) -> usize {
        self.local_ports.len()
    }
}

/// Returns the number of the network namespace of this process (`/proc/self/ns/net`).
///
/// # Errors
/// `/proc` cannot be read.
#[cfg(target_os = "linux")]
pub fn network_namespace() -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(std::fs::metadata("/proc/self/ns/net")?.ino())
}

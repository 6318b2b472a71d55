//! A network device whose other end is the harness: every packet between two addresses of this namespace passes through
//! it.
//!
//! Linux delivers packets between two of its own addresses by loopback, without latency, and nothing can come between.
//! Here the routes are set so that they leave by a TUN device. The harness reads them from it, and writes them back to
//! it, later, or never. Both ends of a connection are sockets of the same, real kernel.

use super::Isolated;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Component, Path};
use std::process::{Command, Output, Stdio};
use tun_rs::{AsyncDevice, DeviceBuilder, Layer};

const NAME: &str = "wire";
/// Largest IP packet, in bytes.
const MTU: u16 = 1500;

/// Commands of `ip`. Packets that leave are routed to the device (table 100) before the kernel sees that their
/// destination is its own; packets that arrive by the device are for this machine.
const ROUTES: [&str; 8] = [
    "link set lo up",
    "link set wire txqueuelen 10000 up",
    "route add local 10.0.0.0/8 dev lo table local",
    "route add 10.0.0.0/8 dev wire table 100",
    "rule add pref 10 iif wire lookup local",
    "rule add pref 20 lookup 100",
    "rule add pref 30 lookup local",
    "rule del pref 0",
];

/// Settings of this namespace: packets whose source is an address of its own are accepted, and small writes that follow
/// each other leave as packets of their own (otherwise the kernel joins them while the device has one, which here it
/// always has).
const SETTINGS: [(&str, &str); 4] = [
    ("ipv4/tcp_autocorking", "0"),
    ("ipv4/conf/wire/accept_local", "1"),
    ("ipv4/conf/wire/rp_filter", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
];

/// The device. All addresses of 10.0.0.0/8 belong to this namespace, and all packets between them pass through it.
pub struct PacketDevice(AsyncDevice);

impl fmt::Debug for PacketDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PacketDevice")
    }
}

impl PacketDevice {
    /// Creates the device and its routes. Must be called in a tokio runtime with I/O.
    ///
    /// # Errors
    /// `/dev/net/tun` cannot be opened; or `ip` (iproute2) is missing or fails, with the line that it printed.
    pub fn new(isolated: Isolated) -> io::Result<Self> {
        let opened = DeviceBuilder::new().name(NAME).layer(Layer::L3).mtu(MTU).build_async();
        let device = opened.map_err(|error| io::Error::new(error.kind(), format!("/dev/net/tun: {error}")))?;
        for (name, value) in SETTINGS {
            set(isolated, name, value)?;
        }
        for route in ROUTES {
            run(Command::new("ip").args(route.split(' ')))?;
        }
        Ok(Self(device))
    }

    /// Waits until [`PacketDevice::read`] returns a packet, or an error. Can also return earlier.
    ///
    /// # Errors
    /// The runtime has ended.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Returns the next packet that the kernel has sent; `None` if there is none now.
    ///
    /// # Errors
    /// The device was removed.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; usize::from(MTU)];
        // The runtime may not know yet what has just come, so the kernel itself is asked, too.
        let size = match self.0.try_recv(&mut packet) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => rustix::io::read(&*self.0, &mut packet[..]),
            other => other.map(Ok)?,
        };
        match size {
            Ok(size) => {
                packet.truncate(size);
                Ok(Some(packet))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Delivers a packet to the kernel. It has processed it when this returns.
    ///
    /// # Errors
    /// The kernel has no memory for it, or the device was removed.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        rustix::io::write(&*self.0, packet)?;
        Ok(())
    }
}

/// Returns the source and destination address of an IPv4 packet.
pub fn addresses(packet: &[u8]) -> Option<[Ipv4Addr; 2]> {
    let octets = |at: usize| packet.get(at..at + 4).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    if is_v4 { Some([octets(12)?.into(), octets(16)?.into()]) } else { None }
}

/// Changes a setting of the namespace: `name` is its path below `/proc/sys/net`.
///
/// # Errors
/// There is no such setting, it does not take the value, or the path leads elsewhere.
pub fn set(_: Isolated, name: &str, value: &str) -> io::Result<()> {
    // Other settings than those of networks are the whole machine's.
    if Path::new(name).components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a path below /proc/sys/net expected, not {name:?}"),
        ));
    }
    let path = Path::new("/proc/sys/net").join(name);
    std::fs::write(&path, value).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn run(command: &mut Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stderr, .. } = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&stderr);
    Err(io::Error::other(format!("{name} failed: {}", text.lines().next().unwrap_or_default())))
}

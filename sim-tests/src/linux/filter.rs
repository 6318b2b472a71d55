//! A packet filter that loses the packets of an address. It exists only in a namespace of its own.

use super::Isolated;
use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};

/// Loses the packets that arrive at an address, or come from it.
///
/// It works where packets arrive, so a sender cannot know that its packets are lost.
#[derive(Debug)]
pub struct PacketFilter(());

/// The table. `dark` loses every packet of an address, in both directions.
const TABLE: &str = "
table ip echo {
    set dark { type ipv4_addr; }
    chain arrival {
        type filter hook input priority 0;
        ip saddr @dark drop
        ip daddr @dark drop
    }
}
";

impl PacketFilter {
    /// Sets loopback up, and the empty filter.
    ///
    /// # Errors
    /// `ip` (iproute2) or `nft` (nftables) is missing, or fails: with the line that it printed.
    pub fn new(_: Isolated) -> io::Result<Self> {
        run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        run(Command::new("nft").arg(TABLE))?;
        Ok(Self(()))
    }

    /// Loses every packet to and from `address` from now on.
    ///
    /// # Errors
    /// As [`PacketFilter::new`].
    pub fn cut(&self, address: Ipv4Addr) -> io::Result<()> {
        run(Command::new("nft").arg(format!("add element ip echo dark {{ {address} }}")))
    }

    /// Ends what [`PacketFilter::cut`] began.
    ///
    /// # Errors
    /// As [`PacketFilter::new`].
    pub fn heal(&self, address: Ipv4Addr) -> io::Result<()> {
        run(Command::new("nft").arg(format!("delete element ip echo dark {{ {address} }}")))
    }
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

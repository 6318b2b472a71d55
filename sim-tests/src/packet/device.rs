//! The network card of a host: takes one packet, sends any number.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use std::mem;

/// Largest IP packet on an Ethernet, in bytes.
const MTU: usize = 1500;

/// The card. It keeps what its host sends until the link takes it.
#[derive(Debug, Default)]
pub(super) struct Card {
    arrived: Option<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl Card {
    /// Stores the packet that the host takes next.
    pub(super) fn put(&mut self, packet: Vec<u8>) {
        self.arrived = Some(packet);
    }

    /// Returns what the host has sent since the last call.
    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        mem::take(&mut self.sent)
    }
}

impl Device for Card {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Sending<'_>)> {
        Some((Arrived(self.arrived.take()?), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// A packet that has arrived.
pub(super) struct Arrived(Vec<u8>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

/// Space for a packet to send.
pub(super) struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut packet = vec![0; length];
        let result = fill(&mut packet);
        self.0.push(packet);
        result
    }
}

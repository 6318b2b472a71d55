//! Forged segments to the sockets of the packet network.

use super::input::Input;
use crate::packet::{Build, FaultInjector, Net, PacketDecision, PacketStream};
use crate::tcp::{PacketFate, Segment, TcpState, parse};
use echo_core::Role;
use smoltcp::wire::{IpAddress, Ipv4Packet, TcpPacket};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::time::timeout;

const PORT: u16 = 2012;
/// In seconds of virtual time. Longer than any socket may take to end (924 s, then TIME-WAIT).
const PATIENCE: u64 = 2000;

/// Segments that were sent, as templates for forged ones.
type Seen = Arc<Mutex<Vec<Segment>>>;

/// How a conversation ends. This is drawn first, because later choices may find no bytes left.
#[derive(Clone, Copy)]
struct Ending {
    /// Whether the client drops its stream, with unread input or without.
    drops: bool,
    /// How long both half-closed sides wait before they read the rest.
    late: Duration,
}

struct Spy(Seen);

impl FaultInjector for Spy {
    fn judge(&mut self, _: u64, segment: &Segment, _: TcpState) -> PacketDecision {
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.len() < 64 {
            seen.push(segment.clone());
        }
        PacketDecision { fate: PacketFate::Deliver, hold: None }
    }
}

/// Checks that with any packets no stack panics or spins, and every socket ends. Packets with a wrong checksum or
/// number change nothing: every byte arrives as it was written.
pub(super) fn check(data: &[u8]) {
    // The parser alone, with any packet.
    if let Some(segment) = parse(0, Role::Client, data.to_vec()) {
        assert!(segment.length <= data.len() && segment.payload().len() == segment.length);
    }
    let Ok(runtime) = Builder::new_current_thread().enable_time().start_paused(true).build() else { return };
    runtime.block_on(async {
        let net = Net::new(Build { latency: 1, batch: 0, pace: 25, window: 4096 });
        let ended = timeout(Duration::from_secs(PATIENCE), converse(&net, data)).await;
        assert!(ended.is_ok(), "a conversation without end: {:?}", net.log().last());
        let idle = timeout(Duration::from_secs(PATIENCE), net.idle()).await;
        assert!(idle.is_ok(), "a socket without end: {:?}", net.log().last());
        assert_eq!(net.stuck(), None);
    });
}

async fn converse(net: &Net, data: &[u8]) {
    let mut input = Input::new(data);
    let late = Duration::from_millis(u64::from(input.next::<u8>()) * 4);
    let ending = Ending { drops: input.below(4) == 3, late };
    let seen = Seen::default();
    let listener = net.listen(Role::Server, PORT).expect("the port is free");
    let (client, server) = tokio::join!(net.connect(Role::Client, PORT), listener.accept());
    let (mut client, mut server) = (client.expect("nothing is in the way"), server.expect("nothing is in the way"));
    net.begin(Box::new(Spy(Arc::clone(&seen))));
    let mut disturbed = false;
    let mut sent: [Vec<u8>; 2] = Default::default();
    let mut got: [Vec<u8>; 2] = Default::default();
    for step in 0..40_u8 {
        if input.is_empty() {
            break;
        }
        match input.below(8) {
            0 => write(&mut client, &mut sent[0], step).await,
            1 => write(&mut server, &mut sent[1], step).await,
            2 => read(&mut client, &mut got[1]).await,
            3 => read(&mut server, &mut got[0]).await,
            4 => tokio::time::sleep(Duration::from_millis(u64::from(input.next::<u8>()))).await,
            _ => disturbed |= inject(net, &seen, &mut input),
        }
    }
    end(client, server, [&mut sent, &mut got], ending, disturbed).await;
}

/// Delivers a forged packet to a host. Returns whether it may change something, which is so if its checksum is right,
/// even by chance. In ones' complement 0x0000 and 0xffff are equal (RFC 1071), so not every changed byte is detected.
fn inject(net: &Net, seen: &Seen, input: &mut Input<'_>) -> bool {
    let to = input.pick(&[Role::Server, Role::Client]);
    let genuine = {
        let seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match seen.get(input.below(64)) {
            Some(segment) => segment.bytes.clone(),
            None => input.take(60).to_vec(),
        }
    };
    let mut bytes = genuine.clone();
    for _ in 0..input.below(6) {
        let at = usize::from(input.next::<u8>()) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = input.next();
        }
    }
    let fixed = input.flag();
    if fixed {
        fix_checksums(&mut bytes);
    }
    let disturbs = fixed || (bytes != genuine && are_checksums_right(&bytes));
    net.inject(to, bytes);
    disturbs
}

fn are_checksums_right(bytes: &[u8]) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(bytes) else { return false };
    let (from, to) = (IpAddress::Ipv4(ip.src_addr()), IpAddress::Ipv4(ip.dst_addr()));
    ip.verify_checksum() && TcpPacket::new_checked(ip.payload()).is_ok_and(|tcp| tcp.verify_checksum(&from, &to))
}

/// Corrects the checksums of an IPv4 packet with TCP inside.
fn fix_checksums(bytes: &mut [u8]) {
    let Ok(mut ip) = Ipv4Packet::new_checked(bytes) else { return };
    ip.fill_checksum();
    let (from, to) = (IpAddress::Ipv4(ip.src_addr()), IpAddress::Ipv4(ip.dst_addr()));
    if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
        tcp.fill_checksum(&from, &to);
    }
}

async fn write(stream: &mut PacketStream, sent: &mut Vec<u8>, step: u8) {
    // A peer that does not read closes its window, so a write may wait.
    let bytes = [step; 100];
    if let Ok(Ok(count)) = timeout(Duration::from_millis(20), stream.write(&bytes)).await {
        sent.extend_from_slice(&bytes[..count]);
    }
}

async fn read(stream: &mut PacketStream, got: &mut Vec<u8>) {
    let mut bytes = [0; 200];
    if let Ok(Ok(count)) = timeout(Duration::from_millis(20), stream.read(&mut bytes)).await {
        got.extend_from_slice(&bytes[..count]);
    }
}

async fn end(
    mut client: PacketStream,
    mut server: PacketStream,
    [sent, got]: [&mut [Vec<u8>; 2]; 2],
    ending: Ending,
    disturbed: bool,
) {
    if ending.drops {
        drop(client);
        let mut rest = Vec::new();
        // RST, end of stream or timeout: unread data is lost in any case.
        let _ = timeout(Duration::from_secs(PATIENCE / 4), server.read_to_end(&mut rest)).await;
        return;
    }
    // Errors do not matter, because a forged RST may have arrived.
    let _ = (client.shutdown().await, server.shutdown().await);
    // Received data can be read at any later time: in TIME-WAIT, and after it.
    tokio::time::sleep(ending.late).await;
    if disturbed {
        // A forged segment may make a peer give up in silence. TCP has no deadline for a reader, so a timeout is
        // needed.
        let patience = Duration::from_secs(PATIENCE / 4);
        let _ = timeout(patience, client.read_to_end(&mut got[1])).await;
        let _ = timeout(patience, server.read_to_end(&mut got[0])).await;
        return;
    }
    let (one, other) = (client.read_to_end(&mut got[1]).await, server.read_to_end(&mut got[0]).await);
    assert!(one.is_ok() && other.is_ok(), "packets with wrong checksums ended a connection: {one:?}, {other:?}");
    assert_eq!(got, sent, "what arrived is not what was written");
}

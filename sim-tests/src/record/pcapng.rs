//! Writes the packets of a record to a capture file for tshark and Wireshark.

use crate::record::Record;
use crate::scenario::defaults;
use crate::tcp::{PacketFate, Segment, TcpEvent, corrupted};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, PcapError};
use std::io::{self, Write};
use std::time::Duration;

/// Exponent of the timestamp unit: 10^-9 s.
const RESOLUTION: u8 = 9;

/// Writes every segment that left a host, lost ones too, in pcapng with link type RAW (101). A comment gives each
/// segment's fate and both ends' TCP states when it left. A corrupt segment is written as it arrived, with its wrong
/// checksum.
///
/// # Errors
/// The errors of `out`.
pub fn write(record: &Record, out: impl Write) -> io::Result<()> {
    let mut writer = PcapNgWriter::new(out).map_err(as_io)?;
    let options = vec![InterfaceDescriptionOption::IfTsResol(RESOLUTION)];
    let interface = InterfaceDescriptionBlock { linktype: DataLink::RAW, snaplen: 0, options };
    writer.write_pcapng_block(interface).map_err(as_io)?;
    let epoch = Duration::from_nanos(defaults::EPOCH.0.unsigned_abs());
    for moment in &record.packets {
        if let TcpEvent::Sent { segment, fate, states: [client, server] } = &moment.event {
            let bytes = on_the_wire(segment, *fate);
            let comment = format!("#{} fate={fate} client={client} server={server}", segment.index);
            let packet = EnhancedPacketBlock {
                interface_id: 0,
                timestamp: epoch + Duration::from_millis(moment.at),
                original_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                data: bytes.into(),
                options: vec![EnhancedPacketOption::Comment(comment.into())],
            };
            writer.write_pcapng_block(packet).map_err(as_io)?;
        }
    }
    writer.get_mut().flush()
}

/// Returns the bytes as an observer of the link sees them.
fn on_the_wire(segment: &Segment, fate: PacketFate) -> Vec<u8> {
    match fate {
        PacketFate::Corrupt => corrupted(&segment.bytes),
        PacketFate::Deliver | PacketFate::Lose | PacketFate::Twice(_) | PacketFate::Late(_) | PacketFate::Behind => {
            segment.bytes.clone()
        }
    }
}

fn as_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

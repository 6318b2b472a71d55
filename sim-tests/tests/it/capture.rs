//! Captures of runs on packets, decoded by tshark: another program confirms the records.

use sim_tests::record::is_again;
use sim_tests::tcp::{PacketFate, Segment, TcpEvent, TcpState};
use sim_tests::{Backend, Record, Scenario, pcapng};
use std::collections::BTreeSet;
use std::process::Command;

/// Together they pass through every closing state.
const IDS: [&str; 20] = [
    "framed/client:close@idle/server:none/clear",
    "framed/client:none/server:close@idle/clear",
    "framed-server-fin/client:close@idle/server:none/clear",
    "framed-server-fin/client:none/server:close@answer-in-flight/clear",
    "plain/client:close@idle/server:none/clear",
    "plain/client:none/server:close@idle/clear",
    "plain/client:close@idle/server:close@idle/clear",
    "framed/client:half-close@idle/server:half-close@idle/clear",
    "framed/client:abort@answer-in-flight/server:none/clear",
    "framed/client:none/server:drop-unread@idle/clear",
    "framed/client:none/server:crash@request-in-flight/clear",
    "framed/client:close@idle/server:none/fin-lost",
    "framed/client:close@idle/server:none/last-ack-lost",
    "framed/client:none/server:close@idle/close-lost",
    "framed/client:close@idle/server:none/client-close-lost",
    "framed/client:none/server:close@answer-in-flight/data-behind-fin",
    "framed/client:close@idle/server:none/fins-cross",
    "framed/client:close@idle/server:none/zero-window",
    "framed/client:none/server:vanish@idle/rebooted",
    "framed/client:close@idle/server:none/latency-4+packet-9-corrupt",
];

const FIELDS: [&str; 11] = [
    "ip.src",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.len",
    "tcp.window_size_value",
    "tcp.checksum.status",
    "ip.checksum.status",
    "tcp.analysis.retransmission",
    "_ws.malformed",
    "frame.comment",
];

/// Whether tshark is installed. Without it the test fails in CI, and is skipped elsewhere.
fn has_tshark() -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "no tshark, and CI must not skip");
    if !found {
        eprintln!("SKIPPED: no tshark (Debian package tshark), so nobody reads our captures");
    }
    found
}

/// The output of tshark, one row for each packet.
fn read(record: &Record, directory: &tempfile::TempDir) -> Vec<Vec<String>> {
    let path = directory.path().join("capture.pcapng");
    let mut bytes = Vec::new();
    pcapng::write(record, &mut bytes).expect("memory takes everything");
    std::fs::write(&path, bytes).expect("a capture file");
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path).args(["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]);
    command.args(["-T", "fields", "-E", "separator=|"]).args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

fn sent(record: &Record) -> Vec<(&Segment, PacketFate, [TcpState; 2])> {
    let sent = record.packets.iter().filter_map(|moment| match &moment.event {
        TcpEvent::Sent { segment, fate, states } => Some((segment, *fate, *states)),
        TcpEvent::Arrived { .. } | TcpEvent::Changed { .. } => None,
    });
    sent.collect()
}

#[test]
fn tshark_sees_what_our_records_say() {
    if !has_tshark() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (mut states, mut corrupt, mut again) = (BTreeSet::new(), 0, 0);
    for id in IDS {
        let scenario: Scenario = id.parse().expect("an id");
        let record = Backend::Packet.run(&scenario).expect("expressible");
        let rows = read(&record, &directory);
        let segments = sent(&record);
        assert_eq!(rows.len(), segments.len(), "{id}");
        for (row, (segment, fate, [client, server])) in rows.iter().zip(segments) {
            let what = format!("{id} #{}: {row:?}", segment.index);
            let [source, flags, seq, ack, length, window, tcp, ip, retransmission, malformed, comment] = &row[..]
            else {
                panic!("{what}");
            };
            let host = if segment.from == echo_core::Role::Client { "10.0.0.1" } else { "10.0.0.2" };
            assert_eq!(source, host, "{what}");
            let bits = u8::from_str_radix(flags.trim_start_matches("0x"), 16).expect("flags");
            assert_eq!((bits, seq.parse(), ack.parse()), (segment.flags.0, Ok(segment.seq), Ok(segment.ack)), "{what}");
            assert_eq!((length.parse(), window.parse()), (Ok(segment.length), Ok(segment.window)), "{what}");
            // 1 is good, 0 is bad. tshark must see that a packet was changed.
            let good = if fate == PacketFate::Corrupt { "0" } else { "1" };
            assert_eq!((tcp.as_str(), ip.as_str(), malformed.as_str()), (good, "1", ""), "{what}");
            corrupt += u32::from(fate == PacketFate::Corrupt);
            // tshark does not analyse a segment with a wrong checksum, nor its retransmission.
            let ours = is_again(&record, segment);
            if !record.scenario.to_string().contains("corrupt") {
                assert_eq!(!retransmission.is_empty(), ours, "{what}");
                again += u32::from(ours);
            }
            assert_eq!(*comment, format!("#{} fate={fate} client={client} server={server}", segment.index));
        }
        states.extend(record.packets.iter().filter_map(|moment| match &moment.event {
            TcpEvent::Changed { to, .. } => Some(*to),
            TcpEvent::Sent { .. } | TcpEvent::Arrived { .. } => None,
        }));
    }
    assert_eq!(corrupt, 1, "one packet is the control");
    assert!(again >= 4, "{again} retransmissions");
    use TcpState::{CloseWait, Closing, FinWait1, FinWait2, LastAck, TimeWait};
    for state in [FinWait1, FinWait2, Closing, TimeWait, CloseWait, LastAck] {
        assert!(states.contains(&state), "{state} is in no capture");
    }
}

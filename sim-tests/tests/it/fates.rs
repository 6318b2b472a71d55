//! The text form of packet faults: it is parsed as it is written, a backend rejects what it cannot do, and the oracle
//! gets a stream-level equivalent.

use proptest::prelude::*;
use proptest::sample::select;
use sim_tests::file::Saved;
use sim_tests::tcp::PacketFate;
use sim_tests::{
    Backend, HeldContent, Network, NetworkFault, PacketContent, PacketSelector, Rst, Scenario, Sender, Span, catalogue,
};
use std::collections::HashSet;

fn network(id: &str) -> Network {
    id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

fn scenario(network: &str) -> Scenario {
    let id = format!("framed/client:close@idle/server:none/{network}");
    id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

fn fate() -> impl Strategy<Value = PacketFate> {
    prop_oneof![
        select(vec![PacketFate::Deliver, PacketFate::Lose, PacketFate::Behind, PacketFate::Corrupt]),
        (0..1000_u64).prop_map(PacketFate::Twice),
        (0..1000_u64).prop_map(PacketFate::Late),
    ]
}

fn which() -> impl Strategy<Value = PacketSelector> {
    let first = (select(Sender::ALL.to_vec()), select(PacketContent::ALL.to_vec()));
    prop_oneof![
        (0..=1_000_000_u32).prop_map(PacketSelector::Nth),
        first.prop_map(|(from, carries)| PacketSelector::First { from, carries })
    ]
}

fn fault() -> impl Strategy<Value = NetworkFault> {
    prop_oneof![
        (which(), fate()).prop_map(|(which, fate)| NetworkFault::Packet { which, fate }),
        (1..=90_u8, any::<u64>()).prop_map(|(percent, seed)| NetworkFault::Loss { percent, seed }),
    ]
}

fn any_network() -> impl Strategy<Value = Network> {
    let faults = prop::collection::vec(fault(), 0..4);
    (2..30_u64, 0..5000_usize, prop::option::of(0..500_u64), any::<bool>(), faults).prop_map(
        |(latency, window, reboot, earlier, faults)| {
            let clear = Network::clear(latency);
            Network { window, reboot, earlier, faults, ..clear }
        },
    )
}

proptest! {
    #[test]
    fn ids_and_files_say_all_there_is_to_say(network in any_network()) {
        let id = network.to_string();
        prop_assert_eq!(id.parse(), Ok(network.clone()), "{}", id);
        let scenario = Scenario { network, ..scenario("clear") };
        let id = scenario.to_string();
        prop_assert_eq!(id.parse(), Ok(scenario.clone()), "{}", id);
        let saved = Saved { scenario, backend: Some(Backend::Packet), seed: None };
        let text = saved.to_string();
        prop_assert_eq!(text.parse(), Ok(saved), "{}", text);
    }
}

/// Combines every kind of packet with every fate.
#[test]
fn every_fault_has_an_id() {
    let fates = [
        PacketFate::Deliver,
        PacketFate::Lose,
        PacketFate::Twice(60),
        PacketFate::Late(20),
        PacketFate::Behind,
        PacketFate::Corrupt,
    ];
    let firsts = Sender::ALL
        .into_iter()
        .flat_map(|from| PacketContent::ALL.map(|carries| PacketSelector::First { from, carries }));
    for which in firsts.chain([PacketSelector::Nth(0), PacketSelector::Nth(17)]) {
        for fate in fates {
            let fault = NetworkFault::Packet { which, fate };
            let whole = Network { faults: vec![fault], ..Network::clear(5) };
            assert_eq!(network(&format!("latency-5+{fault}")), whole);
        }
    }
}

#[test]
fn the_ids_are_as_they_were_published() {
    let first = |from, carries| PacketSelector::First { from, carries };
    let cases = [
        ("packet-17-lose", NetworkFault::Packet { which: PacketSelector::Nth(17), fate: PacketFate::Lose }),
        ("packet-17-twice-60", NetworkFault::Packet { which: PacketSelector::Nth(17), fate: PacketFate::Twice(60) }),
        (
            "packet-first-fin-lose",
            NetworkFault::Packet { which: first(Sender::First, PacketContent::Fin), fate: PacketFate::Lose },
        ),
        (
            "packet-client-close-late-20",
            NetworkFault::Packet { which: first(Sender::Client, PacketContent::Close), fate: PacketFate::Late(20) },
        ),
        ("loss-30-seed-17", NetworkFault::Loss { percent: 30, seed: 17 }),
    ];
    for (id, fault) in cases {
        assert_eq!(fault.to_string(), id);
        assert_eq!(network(id).faults, [fault]);
    }
    let whole = "latency-5+window-16+reboots-40+port-reused+loss-30-seed-17";
    let Network { window, reboot, earlier, .. } = network(whole);
    assert_eq!((window, reboot, earlier), (16, Some(40), true));
    assert_eq!(network(whole).to_string(), whole);
}

#[test]
fn every_named_network_is_called_by_its_name() {
    for (name, _) in Network::NAMED.into_iter().chain(Network::PACKETS) {
        assert_eq!(network(name).to_string(), name);
        let saved = Saved::from(scenario(name));
        assert!(saved.to_string().contains(&format!("network {name}\n")), "{saved}");
        assert_eq!(saved.to_string().parse(), Ok(saved));
    }
    assert!(Network::NAMED.iter().all(|(name, _)| !network(name).has_packets()));
    // FINs can cross on every network, but only packets show it.
    let without: Vec<_> = Network::PACKETS.iter().filter(|(name, _)| !network(name).has_packets()).collect();
    assert_eq!(without.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["fins-cross"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases = [
        ("framed", "loss-0-seed-1", "the percentage of packets lost must be from 1 to 90, not 0"),
        ("framed", "loss-91-seed-1", "the percentage of packets lost must be from 1 to 90, not 91"),
        ("framed", "loss-30", "no network \"loss-30\"; there are clear, slow,"),
        ("framed", "packet-17", "no network \"packet-17\"; there are clear, slow,"),
        ("framed", "packet-first-tea-lose", "no network \"packet-first-tea-lose\"; there are clear, slow,"),
        ("framed", "packet-17-eaten", "no network \"packet-17-eaten\"; there are clear, slow,"),
        ("plain", "packet-first-close-lose", "the plain wire has no close"),
        ("plain", "packet-client-goaway-late-5", "the plain wire has no goaway"),
    ];
    for (wire, network, expected) in cases {
        let refusal = format!("{wire}/client:none/server:none/{network}").parse::<Scenario>().expect_err(network);
        assert!(refusal.to_string().starts_with(expected), "{refusal}");
        assert_eq!(refusal.to_string().lines().count(), 1, "{refusal}");
    }
}

#[test]
fn a_backend_refuses_what_it_cannot_do() {
    for (name, _) in Network::PACKETS {
        let scenario = scenario(name);
        for backend in Backend::STREAMS {
            if !scenario.network.has_packets() {
                assert_eq!(backend.expresses(&scenario), Ok(()));
                continue;
            }
            let expected =
                format!("the network {name}: the backend {} has no packets; packet or linux expected", backend.id());
            assert_eq!(backend.expresses(&scenario).expect_err(name).to_string(), expected);
            assert_eq!(backend.run(&scenario).expect_err(name).to_string(), expected);
        }
        assert_eq!(Backend::Packet.expresses(&scenario), Ok(()));
    }
    let refused: Vec<_> = Network::NAMED.into_iter().map(|(name, _)| name).collect();
    let refused = refused.into_iter().filter(|name| Backend::Packet.expresses(&scenario(name)).is_err());
    let expected = ["rst-overtakes", "relay-rst-to-fin", "relay-closes-both", "relay-cuts-off"];
    assert_eq!(refused.collect::<Vec<_>>(), expected);
    assert_eq!(Backend::Packet.expresses(&scenario("latency-4+writes-3+batch-10")), Ok(()));
}

#[test]
fn a_network_of_packets_stands_for_networks_of_streams() {
    let hold = |from, mark, millis| NetworkFault::Hold { from, content: mark, span: Span::For(millis) };
    let fin = |millis| Network { faults: vec![hold(Sender::First, HeldContent::Fin, millis)], ..Network::clear(4) };
    let word = |millis| Network { faults: vec![hold(Sender::Client, HeldContent::Close, millis)], ..Network::clear(4) };
    let clear = || Network::clear(4);
    assert_eq!(network("fin-lost").stream_equivalents(), [clear(), fin(40), fin(500)]);
    assert_eq!(network("client-close-lost").stream_equivalents(), [clear(), word(40), word(500)]);
    for name in ["last-ack-lost", "data-behind-fin", "fin-twice", "old-duplicate", "port-reused"] {
        assert_eq!(network(name).stream_equivalents(), [clear()], "{name}");
    }
    for name in [
        "rst-lost",
        "rebooted",
        "zero-window",
        "packet-17-lose",
        "loss-30-seed-17",
        "packet-first-fin-lose+packet-3-lose",
    ] {
        assert_eq!(network(name).stream_equivalents(), [], "{name}");
    }
    assert_eq!(network("packet-first-fin-late-5+packet-client-close-behind").stream_equivalents().len(), 9);
    for (name, _) in Network::NAMED {
        assert_eq!(network(name).stream_equivalents(), [network(name)], "{name}");
    }
    let all = Network::PACKETS.into_iter().flat_map(|(name, _)| network(name).stream_equivalents());
    assert!(all.into_iter().all(|network| !network.has_packets() && network.rst == Rst::InOrder));
}

/// TCP itself handles a small window and reused ports, so these are peaceful. A lost packet is a fault.
#[test]
fn peace_is_what_tcp_promises() {
    for (name, peaceful) in [
        ("zero-window", true),
        ("port-reused", true),
        ("fin-lost", false),
        ("old-duplicate", false),
        ("loss-30-seed-17", false),
    ] {
        assert_eq!(scenario(name).is_peaceful(), peaceful, "{name}");
    }
}

/// A record is compared with the stream-level equivalents of its network: a vanished server is not one of a lost FIN.
#[test]
fn the_judge_asks_what_a_network_of_packets_stands_for() {
    let faults_of = |run: &str, told: &str| {
        let mut record = Backend::Pair.run(&scenario(run)).expect("a run");
        record.scenario = scenario(told);
        let faults = catalogue::check_run(&record);
        faults.into_iter().filter(|fault| matches!(fault, catalogue::Problem::Unexpected { .. })).count()
    };
    assert_eq!(faults_of("clear", "fin-lost"), 0);
    assert_eq!(faults_of("fin-late", "fin-lost"), 0);
    assert_eq!(faults_of("cut-closing", "fin-lost"), 1);
    assert_eq!(faults_of("cut-closing", "old-duplicate"), 1);
    assert_eq!(faults_of("cut-closing", "packet-17-lose"), 0);
}

#[test]
fn the_list_of_packets_is_sound() {
    let all = catalogue::packets();
    println!("{} sequences on networks of packets", all.len());
    let ids: HashSet<_> = all.iter().map(|sequence| &sequence.id).collect();
    assert_eq!(ids.len(), all.len());
    for (name, _) in Network::PACKETS {
        let of_this = all.iter().filter(|sequence| sequence.scenario.network == network(name)).count();
        println!("{of_this:6} {name}");
        assert!(of_this > 0, "{name}");
    }
    for sequence in all {
        assert_eq!(sequence.id.parse(), Ok(sequence.scenario.clone()));
        assert_eq!(Backend::Packet.expresses(&sequence.scenario), Ok(()), "{}", sequence.id);
    }
    let clear = catalogue::all().iter().filter(|sequence| sequence.scenario.network == network("clear"));
    let clear: Vec<_> = clear.collect();
    for rule in &catalogue::PACKET_EXCLUSIONS {
        let on =
            |name| clear.iter().map(move |sequence| Scenario { network: network(name), ..sequence.scenario.clone() });
        let taken_out = Network::PACKETS.iter().flat_map(|(name, _)| on(name)).filter(|one| rule.applies(one)).count();
        println!("{taken_out:6} taken out: {} ({})", rule.name, rule.reason);
        assert!(taken_out > 0, "{}", rule.name);
        assert!(all.iter().all(|sequence| !rule.applies(&sequence.scenario)), "{}", rule.name);
    }
}

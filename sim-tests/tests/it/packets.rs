//! The packet backend: every fate of one and of two packets, random losses, and what only packets show.

use echo_core::Role;
use sim_tests::edge_table::EdgeTable;
use sim_tests::record::is_again;
use sim_tests::tcp::{CLOSING, Edge, Flags, PacketFate, Segment, TcpEvent, TcpState, Trigger};
use sim_tests::{Backend, LogEvent, Record, Scenario, TcpRule, Unit, check, check_tcp, packet_sweep, tcp};

fn run(id: &str) -> Record {
    let scenario: Scenario = id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
    Backend::Packet.run(&scenario).unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

/// A run that keeps to the contract and to RFC 9293.
fn good(id: &str) -> Record {
    let record = run(id);
    assert_eq!(check(&record), [], "{id}");
    assert_eq!(check_tcp(&record), [], "{id}");
    record
}

fn sent(record: &Record) -> impl Iterator<Item = (&Segment, PacketFate, [TcpState; 2])> {
    record.packets.iter().filter_map(|moment| match &moment.event {
        TcpEvent::Sent { segment, fate, states } => Some((segment, *fate, *states)),
        TcpEvent::Arrived { .. } | TcpEvent::Changed { .. } => None,
    })
}

/// The states that the sockets of `side` pass through.
fn path(record: &Record, side: Role) -> Vec<TcpState> {
    let state = |event: &TcpEvent| match event {
        TcpEvent::Changed { side: whose, to, .. } if *whose == side => Some(*to),
        TcpEvent::Changed { .. } | TcpEvent::Sent { .. } | TcpEvent::Arrived { .. } => None,
    };
    record.packets.iter().filter_map(|moment| state(&moment.event)).collect()
}

#[test]
fn every_fate_of_one_and_of_two_packets_breaks_nothing() {
    let sweep = packet_sweep::sweep(&packet_sweep::core(), true, &|_| ());
    println!("{} runs\n{}", sweep.runs, sweep.table);
    assert!(sweep.broken.is_empty(), "{} broken, first: {:?}", sweep.broken.len(), sweep.broken[0]);
    assert!(sweep.runs >= 50_000, "{} runs", sweep.runs);
}

#[test]
fn what_only_packets_show_comes_out_as_the_oracle_says() {
    let sweep = packet_sweep::networks(&|_| ());
    println!("{} runs\n{}", sweep.runs, sweep.table);
    assert!(
        sweep.broken.is_empty(),
        "{} broken, first: {:#?}",
        sweep.broken.len(),
        &sweep.broken[..20.min(sweep.broken.len())]
    );
    assert!(sweep.runs >= 50_000, "{} runs", sweep.runs);
    assert_eq!(sweep.table.missing(), [], "edges below ESTABLISHED that were never taken");
}

#[test]
fn random_losses_end_in_time_and_truthfully() {
    let ids = [
        "framed/client:close@idle/server:none/clear",
        "framed/client:none/server:close@answer-in-flight/clear",
        "plain/client:close@idle/server:none/clear",
    ];
    let scenarios = ids.map(|id| id.parse().expect("an id"));
    for percent in [10, 30, 50] {
        let sweep = packet_sweep::losses(&scenarios, percent, 1000);
        assert_eq!(sweep.runs, 3000);
        assert!(sweep.broken.is_empty(), "{percent} %: {} broken, first: {:?}", sweep.broken.len(), sweep.broken[0]);
    }
}

#[test]
fn a_lost_fin_is_sent_again() {
    let record = good("framed/client:close@idle/server:none/fin-lost");
    let fins: Vec<_> = sent(&record).filter(|(it, ..)| it.from == Role::Client && it.flags.has(Flags::FIN)).collect();
    assert_eq!(fins.len(), 2);
    assert_eq!((fins[0].1, fins[1].1), (PacketFate::Lose, PacketFate::Deliver));
    assert!(!is_again(&record, fins[0].0) && is_again(&record, fins[1].0));
    // The client is in TIME-WAIT, and the server has finished with its last ACK.
    assert!(path(&record, Role::Client).ends_with(&[TcpState::FinWait2, TcpState::TimeWait, TcpState::Closed]));
    assert!(path(&record, Role::Server).ends_with(&[TcpState::CloseWait, TcpState::LastAck, TcpState::Closed]));
}

#[test]
fn a_lost_last_ack_is_asked_for_again_and_given_from_time_wait() {
    let record = good("framed/client:close@idle/server:none/last-ack-lost");
    let from_time_wait: Vec<_> = sent(&record).filter(|(_, _, states)| states[0] == TcpState::TimeWait).collect();
    let acks: Vec<_> = from_time_wait.iter().filter(|(it, ..)| it.from == Role::Client).collect();
    let fins: Vec<_> = from_time_wait.iter().filter(|(it, ..)| it.from == Role::Server).collect();
    assert_eq!(acks.iter().map(|(_, fate, _)| *fate).collect::<Vec<_>>(), [PacketFate::Lose, PacketFate::Deliver]);
    assert!(fins.len() == 1 && is_again(&record, fins[0].0), "the server sends its FIN again: {fins:?}");
}

#[test]
fn a_lost_rst_is_said_again_to_who_goes_on_speaking() {
    let record = good("framed/client:none/server:abort@idle/rst-lost");
    let rsts: Vec<_> = sent(&record).filter(|(it, ..)| it.flags.has(Flags::RST)).collect();
    assert_eq!(rsts.iter().map(|(_, fate, _)| *fate).collect::<Vec<_>>(), [PacketFate::Lose, PacketFate::Deliver]);
    // The second RST answers what the client sends to a socket that is closed.
    assert_eq!(rsts[1].2[1], TcpState::Closed);
    let spoke = sent(&record).filter(|(it, ..)| it.from == Role::Client && it.index > rsts[0].0.index);
    assert!(spoke.count() > 0);
    assert_eq!(record.ending(Role::Client).name(), "reset");
}

#[test]
fn a_close_that_was_lost_arrives_behind_the_fin() {
    let record = good("framed/client:close@idle/server:none/client-close-lost");
    let lost = sent(&record).find(|(_, fate, _)| *fate == PacketFate::Lose).expect("one is lost").0.index;
    let fin = sent(&record).find(|(it, ..)| it.flags.has(Flags::FIN)).expect("a FIN").0.index;
    let again =
        sent(&record).find(|(it, ..)| it.length > 0 && is_again(&record, it)).expect("it is sent again").0.index;
    assert!(lost < fin && fin < again, "{lost}, {fin}, {again}");
    assert_eq!(record.ending(Role::Server).name(), "clean");
}

#[test]
fn fins_that_cross_pass_closing() {
    let record = good("framed/client:close@idle/server:none/fins-cross");
    let paths = Role::BOTH.map(|side| path(&record, side));
    assert!(paths.iter().any(|path| path.contains(&TcpState::Closing)), "{paths:?}");
    assert!(paths.iter().all(|path| path.contains(&TcpState::FinWait1)), "{paths:?}");
    let both = good("plain/client:close@idle/server:close@idle/clear");
    let paths = Role::BOTH.map(|side| path(&both, side));
    assert!(paths.iter().all(|path| path.contains(&TcpState::Closing)), "{paths:?}");
}

#[test]
fn a_fin_that_comes_twice_is_answered_from_time_wait() {
    let record = good("framed-server-fin/client:none/server:close@idle/fin-twice");
    let twice = sent(&record).find(|(_, fate, _)| *fate == PacketFate::Twice(60)).expect("one comes twice").0.index;
    let arrivals = record
        .packets
        .iter()
        .filter(|moment| matches!(&moment.event, TcpEvent::Arrived { index, .. } if *index == twice));
    assert_eq!(arrivals.count(), 2);
}

#[test]
fn an_old_duplicate_changes_nothing_but_time_wait() {
    let record = good("framed/client:close@idle/server:none/old-duplicate");
    let clear = good("framed/client:close@idle/server:none/clear");
    // The duplicate meets a closed socket. The RST that answers it does not end TIME-WAIT (RFC 1337).
    let (last, before) = record.entries.split_last().expect("something happened");
    assert_eq!(before, clear.entries);
    assert_eq!((last.side, &last.what), (Role::Server, &LogEvent::Sent(Unit::Reset)));
    let mut table = EdgeTable::default();
    table.add(&record);
    assert_eq!(
        table.count(&Edge { from: TcpState::TimeWait, to: TcpState::Closed, trigger: Trigger::TimeWaitOver }),
        1
    );
}

#[test]
fn windows_are_closed_while_the_conversation_ends() {
    let record = good("framed/client:close@idle/server:none/zero-window");
    let closing = |states: [TcpState; 2]| states.iter().any(|state| *state > TcpState::Established);
    let shut = sent(&record).filter(|(it, _, states)| it.window == 0 && closing(*states)).count();
    let small = sent(&record).all(|(it, ..)| it.window <= 8 && it.length <= 8);
    assert!(small, "a segment or a window of more than 8 bytes");
    assert!(shut > 0, "no window was closed in a closing state");
}

#[test]
fn a_host_that_is_up_again_knows_nothing() {
    let record = good("framed/client:close@answer-in-flight/server:vanish@answer-in-flight/rebooted");
    let (rst, _, states) = sent(&record).find(|(it, ..)| it.flags.has(Flags::RST)).expect("a RST");
    assert_eq!((rst.from, states[1]), (Role::Server, TcpState::Closed));
    assert_eq!(record.ending(Role::Client).name(), "reset");
}

#[test]
fn a_port_is_used_again_against_time_wait() {
    let record = good("framed/client:close@idle/server:none/port-reused");
    let mut table = EdgeTable::default();
    table.add(&record);
    let again = CLOSING.iter().find(|edge| edge.trigger == Trigger::NewSyn).expect("an edge of the diagram");
    assert_eq!(table.count(again), 1);
    assert_eq!(record.ending(Role::Server).name(), "clean");
}

/// What is wrong in a record, and the rule that has to detect it.
#[test]
fn each_rule_of_tcp_notices_a_bent_record() {
    let id = "framed/client:close@idle/server:none/clear";
    let rules = |mutation: &dyn Fn(&mut Record)| {
        let mut record = run(id);
        mutation(&mut record);
        let mut rules: Vec<_> = check_tcp(&record).into_iter().map(|breach| breach.rule).collect();
        rules.dedup();
        rules
    };
    assert_eq!(rules(&|_| ()), []);
    let retain = |record: &mut Record, keep: &dyn Fn(&TcpEvent) -> bool| record.packets.retain(|it| keep(&it.event));
    let to = |state: TcpState| move |event: &TcpEvent| !matches!(event, TcpEvent::Changed { to, .. } if *to == state);
    assert!(rules(&|record| retain(record, &to(TcpState::CloseWait))).contains(&TcpRule::Path));
    assert!(rules(&|record| drop(record.packets.pop())).contains(&TcpRule::Closed));
    let each = |record: &mut Record, mutation: &dyn Fn(&mut TcpEvent)| {
        record.packets.iter_mut().for_each(|it| mutation(&mut it.event))
    };
    let swapped = |event: &mut TcpEvent| {
        if let TcpEvent::Changed { side, .. } = event {
            *side = if *side == Role::Client { Role::Server } else { Role::Client };
        }
    };
    assert!(rules(&|record| each(record, &swapped)).contains(&TcpRule::TimeWait));
    let timers = |event: &mut TcpEvent| {
        if let TcpEvent::Changed { to: TcpState::CloseWait, cause, .. } = event {
            *cause = tcp::Cause::Timer;
        }
    };
    assert!(rules(&|record| each(record, &timers)).contains(&TcpRule::Diagram));
    let early = |event: &mut TcpEvent| {
        if let TcpEvent::Sent { segment, .. } = event
            && segment.flags.has(Flags::ACK)
        {
            segment.ack = segment.ack.wrapping_add(1000);
        }
    };
    assert!(rules(&|record| each(record, &early)).contains(&TcpRule::Numbers));
    let corrupt = |event: &mut TcpEvent| {
        if let TcpEvent::Sent { segment, fate, .. } = event
            && segment.flags.has(Flags::FIN)
        {
            *fate = PacketFate::Corrupt;
        }
    };
    assert!(rules(&|record| each(record, &corrupt)).contains(&TcpRule::Checksum));
    let again = |record: &mut Record| {
        let data =
            record.packets.iter().find(|it| matches!(&it.event, TcpEvent::Sent { segment, .. } if segment.length > 0));
        let mut other = data.expect("data").clone();
        if let TcpEvent::Sent { segment, .. } = &mut other.event {
            segment.bytes = tcp::corrupted(&segment.bytes);
        }
        record.packets.push(other);
    };
    assert!(rules(&again).contains(&TcpRule::SameBytes));
}

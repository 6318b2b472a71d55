//! Scenario files: they are parsed as they are written, and an error names the line.

use sim_tests::file::Saved;
use sim_tests::{Backend, Scenario};

fn saved(id: &str) -> Saved {
    let scenario: Scenario = id.parse().unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
    Saved { scenario, backend: Some(Backend::Turmoil), seed: Some(17) }
}

/// A file with every field.
const WHOLE: &str = "\
echo-sim scenario 1
wire framed
client close@idle,abort@draining
server none
network latency-4+hold-first-fin-800+cut-idle-ever
talk 16 16 16
limit 100
deadline drain 50
deadline linger 7
backend turmoil
seed 17
end
";

#[test]
fn a_file_and_an_id_say_the_same() {
    let id = "framed/client:close@idle,abort@draining/server:none/latency-4+hold-first-fin-800+cut-idle-ever\
              /talk-16-16-16/limit-100/deadline-drain-50/deadline-linger-7";
    assert_eq!(saved(id).to_string(), WHOLE);
    assert_eq!(WHOLE.parse(), Ok(saved(id)));
    assert_eq!(saved(id).scenario.to_string(), id);
}

#[test]
fn comments_empty_lines_and_what_is_usual_may_be_left_out() {
    let text =
        "# why\n\necho-sim scenario 1 # this one\nserver none\nclient close@idle\nwire framed\nnetwork clear\nend";
    let scenario: Scenario = "framed/client:close@idle/server:none/clear".parse().expect("an id");
    assert_eq!(text.parse(), Ok(Saved::from(scenario)));
}

/// Each invalid file gets its error of one line.
#[test]
fn what_cannot_be_read_is_named() {
    let with = |line: &str| WHOLE.replace("limit 100\n", &format!("{line}\n"));
    let without = |field: &str| {
        let kept = WHOLE.lines().filter(|line| !line.starts_with(field));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    let cases = [
        (String::new(), "line 1: expected the first line \"echo-sim scenario 1\", got \"\""),
        (WHOLE.replace("scenario 1", "scenario 2"), "line 1: version 2 is unsupported: this program reads version 1"),
        (WHOLE.replace("scenario 1", "scenario 0"), "line 1: version 0 is unsupported: this program reads version 1"),
        (with("weather bad"), "line 7: no field \"weather\"; there are wire, client, server, network, talk, limit"),
        (with("limit many"), "line 7: expected a limit in bytes, got \"many\""),
        (with("limit 0"), "line 12: the limit must be from 1 byte to 1 MiB, not 0"),
        (with("deadline tea 5"), "line 7: no deadline \"tea\"; there are connect, detect"),
        (with("deadline tea"), "line 7: expected deadline NAME MS, got \"deadline tea\""),
        (with("deadline close soon"), "line 7: expected milliseconds, got \"soon\""),
        (with("deadline close 0"), "line 12: the deadline close must be from 1 to 100000 ms, not 0"),
        (with("deadline drain 5"), "line 8: the deadline drain is given twice"),
        (with("wire plain"), "line 7: the field wire is given twice"),
        (with("seed x"), "line 7: expected a number as the seed, got \"x\""),
        (WHOLE.replace("turmoil", "reality"), "line 10: no backend \"reality\"; there are pair, turmoil"),
        (WHOLE.replace("wire framed", "wire plain"), "line 12: the plain wire has no point draining"),
        (WHOLE.replace("close@idle", "close@tea-time"), "line 3: no point \"tea-time\"; there are connecting"),
        (WHOLE.replace("talk 16 16 16", "talk 16 x"), "line 6: expected the size of a request in bytes, got \"x\""),
        (
            WHOLE.replace("server none", "server violate@idle,close@inside-frame"),
            "line 12: violate in violate@idle,close@inside-frame would break bytes, not the order of messages",
        ),
        (without("network"), "line 11: the field network is missing"),
        (without("end"), "line 11: expected the line \"end\", got the end of the file: it may be cut short"),
        (format!("{WHOLE}seed 18\n"), "line 13: expected nothing after the line \"end\", got \"seed 18\""),
    ];
    for (text, expected) in cases {
        let refusal = text.parse::<Saved>().map(|saved| saved.to_string()).expect_err(&text).to_string();
        assert!(refusal.starts_with(expected), "{refusal}\nfor\n{text}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
}

/// A file that is cut at any byte is rejected, in the middle of a field and between two.
#[test]
fn a_truncated_file_is_never_taken_for_a_whole_one() {
    for length in 0..WHOLE.len() - 1 {
        let refusal = WHOLE[..length].parse::<Saved>().expect_err(&WHOLE[..length]).to_string();
        assert!(refusal.starts_with("line "), "{refusal}");
    }
}

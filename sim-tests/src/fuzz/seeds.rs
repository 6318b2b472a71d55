//! Seed inputs: complete conversations in the format of each target, and scenarios of the catalogue.

use crate::catalogue;
use crate::in_memory::{Pair, raw, raw_echo, raw_farewell};
use crate::scenario::file::Saved;
use echo_core::{CloseCode, CloseReason, Config, Role};

/// The approximate number of sequences that become seeds. They are evenly spaced, so that all kinds are included.
const SEQUENCES: usize = 150;

/// Returns seed inputs for each target that benefits from some, by its name.
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let conversations = conversations();
    vec![
        ("decoder", conversations.iter().flat_map(|talk| talk.iter().flat_map(|bytes| decoder(bytes))).collect()),
        ("connection", conversations.iter().flat_map(connection).collect()),
        ("scenario_text", scenarios()),
        ("plain", vec![plain(b"hello\n"), plain(b"no end"), plain(b"\x89ECHO\r\n\x01"), plain(b"GET / HTTP/1.1\r\n")]),
    ]
}

/// Returns what the client and the server send in some conversations, by [`Role`].
fn conversations() -> Vec<[Vec<u8>; 2]> {
    let talk = |first_fin, sizes: &[usize], close_reason: Option<CloseReason>| {
        let mut config = Config::default();
        config.first_fin = first_fin;
        let mut pair = Pair::with(config);
        for size in sizes {
            // This cannot fail: the conversation is open, and no payload exceeds the limit.
            pair.client.wish(|client, now| {
                let _ = client.send(now, &vec![b'x'; *size]);
            });
        }
        pair.exchange(usize::MAX);
        match close_reason {
            None => pair.client.wish(|client, now| client.leave(now, CloseReason::normal())),
            Some(close_reason) if close_reason.code.is_clean() => {
                pair.server.wish(|server, now| server.leave(now, close_reason))
            }
            Some(close_reason) => pair.server.wish(|server, now| server.fail(now, close_reason)),
        }
        pair.finish(usize::MAX);
        [pair.client.sent, pair.server.sent]
    };
    let error = |code| Some(CloseReason::new(code, "because"));
    vec![
        talk(Role::Client, &[], None),
        talk(Role::Client, &[5], None),
        talk(Role::Server, &[0, 1, 40], None),
        talk(Role::Client, &[5, 300], error(CloseCode::GOING_AWAY)),
        talk(Role::Client, &[5], error(CloseCode::INTERNAL)),
        talk(Role::Server, &[], error(CloseCode::TRY_LATER)),
        // Frames that no correct peer sends.
        [[raw(9, 0, b"skipped"), raw(0x80, 0, b"")].concat(), raw_farewell(4, 7, 1000, 3, b"a wrong count")],
        [raw_echo(2, b"out of order"), raw_farewell(3, 0, 999, 0, b"\xff")],
    ]
}

/// Returns inputs for the decoders: the frames under three limits (in one piece, byte by byte, in pieces of 6 and 12
/// bytes), and the preface.
fn decoder(bytes: &[u8]) -> Vec<Vec<u8>> {
    let frames = bytes.get(8..).filter(|_| bytes.first() == Some(&0x89)).unwrap_or(bytes);
    let as_frames = |limit, cuts: &[u8]| [&[0, limit][..], cuts, frames].concat();
    let preface = [&[if bytes.get(1) == Some(&b'E') { 2 } else { 3 }, 0, 0][..], bytes].concat();
    vec![as_frames(4, &[0]), as_frames(3, &[1, 0]), as_frames(2, &[2, 5, 11]), preface]
}

/// Returns inputs that feed each side's bytes after the preface to its peer, 48 at a time. `Op::Bytes` is the twelfth
/// of the operations.
fn connection(talk: &[Vec<u8>; 2]) -> Vec<Vec<u8>> {
    let [client, server] = talk;
    let fed = |role: u8, bytes: &[u8]| {
        let mut input = vec![role, 0, 0, 0, 0, 0];
        for piece in bytes.get(8..).unwrap_or(bytes).chunks(48) {
            // A chunk has at most 48 bytes.
            input.extend([11, u8::try_from(piece.len()).unwrap_or(48)]);
            input.extend_from_slice(piece);
        }
        input
    };
    vec![fed(0, client), fed(1, server)]
}

fn plain(bytes: &[u8]) -> Vec<u8> {
    // With the choice 1 of `input.below(4)`, this number of bytes is fed unchanged.
    let piece = &bytes[..bytes.len().min(47)];
    [&[0, 0, 1, u8::try_from(piece.len()).unwrap_or(47)][..], piece].concat()
}

fn scenarios() -> Vec<Vec<u8>> {
    let all = catalogue::all();
    let step = (all.len() / SEQUENCES).max(1);
    let chosen = all.iter().step_by(step).map(|sequence| sequence.scenario.clone());
    let mut seeds = Vec::new();
    for (index, scenario) in chosen.enumerate() {
        let id = scenario.to_string();
        seeds.push(if index % 3 == 0 { id.into_bytes() } else { Saved::from(scenario).to_string().into_bytes() });
    }
    seeds
}

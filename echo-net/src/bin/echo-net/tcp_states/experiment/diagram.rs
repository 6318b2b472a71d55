//! TCP's state diagram with the path that each end took.

use super::moment::Moment;
use super::plan::Side;
use tcp_states::TcpState;
use tcp_states::TcpState::{CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};

/// The closing half of RFC 9293 figure 5, with the timer of TIME-WAIT as Linux has it. `@@` becomes the letters of the ends
/// that took this part.
const PICTURE: [&str; 15] = [
    "                       ESTABLISHED @@",
    "   close: send FIN │                  │ FIN arrives: send ACK",
    "             ┌─────┘                  └─────┐",
    "             ▼                              ▼",
    "        FIN-WAIT-1 @@                  CLOSE-WAIT @@",
    "   ACK of FIN │   │ FIN arrives: send ACK   │ close: send FIN",
    "              ▼   ▼                         ▼",
    "  FIN-WAIT-2 @@  CLOSING @@             LAST-ACK @@",
    " FIN arrives: │   │ ACK of FIN              │ ACK of FIN",
    "     send ACK ▼   ▼                         │",
    "         TIME-WAIT @@                       │",
    "              │ 60 s                        │",
    "              └─────────▶ CLOSED @@ ◀───────┘",
    "                            ▲",
    "                            └── RST, sent or received, in any state @@",
];

/// For each character of the picture, the part of the diagram that it belongs to.
const PARTS: [&str; 15] = [
    ".......................EEEEEEEEEEEEEE",
    "...aaaaaaaaaaaaaaaaa..................bbbbbbbbbbbbbbbbbbbbbbb",
    ".............aaaaaaa..................bbbbbbb",
    ".............a..............................b",
    "........1111111111111..................WWWWWWWWWWWWW",
    "...cccccccccccc...ddddddddddddddddddddddd...eeeeeeeeeeeeeeeee",
    "..............c...d.........................e",
    "..2222222222222..GGGGGGGGGG.............LLLLLLLLLLL",
    ".ffffffffffffff...gggggggggggg..............hhhhhhhhhhhh",
    ".....ffffffffff...g.........................h",
    ".........TTTTTTTTTTTT.......................h",
    "..............iiiiii........................h",
    "..............iiiiiiiiiii.CCCCCCCCC.hhhhhhhhh",
    "............................r",
    "............................rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr",
];

/// The parts of the diagram that are states.
const STATES: [(char, TcpState); 8] = [
    ('E', Established),
    ('1', FinWait1),
    ('2', FinWait2),
    ('W', CloseWait),
    ('G', Closing),
    ('L', LastAck),
    ('T', TimeWait),
    ('C', Closed),
];

/// The parts of the diagram that are changes.
const CHANGES: [(char, TcpState, TcpState); 9] = [
    ('a', Established, FinWait1),
    ('b', Established, CloseWait),
    ('c', FinWait1, FinWait2),
    ('d', FinWait1, Closing),
    ('e', CloseWait, LastAck),
    ('f', FinWait2, TimeWait),
    ('g', Closing, TimeWait),
    ('h', LastAck, Closed),
    ('i', TimeWait, Closed),
];

/// Which ends took a part of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Neither,
    One(Side),
    Both,
}

/// A piece of a line, and who took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) taken: Taken,
}

/// A state on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    state: TcpState,
    is_seen: bool,
}

/// Returns the lines of the diagram, and below them the path of each end.
pub(crate) fn lines(moments: &[Moment]) -> Vec<Vec<Piece>> {
    let paths = Side::BOTH.map(|side| path(moments, side));
    let mut lines: Vec<Vec<Piece>> =
        PICTURE.iter().zip(PARTS).map(|(picture, parts)| pieces(picture, parts, &paths)).collect();
    lines.push(Vec::new());
    for side in Side::BOTH {
        let text = format!("{side}: {}", in_words(&paths[side as usize]));
        lines.push(vec![Piece { text, taken: Taken::One(side) }]);
    }
    if paths.iter().flatten().any(|place| !place.is_seen) {
        let text = "(in brackets: passed too fast to be seen)".to_owned();
        lines.push(vec![Piece { text, taken: Taken::Neither }]);
    }
    lines
}

/// Returns the states of an end in their order, those that passed too fast to be seen in brackets.
pub(crate) fn path_text(moments: &[Moment], side: Side) -> String {
    in_words(&path(moments, side))
}

fn in_words(path: &[Place]) -> String {
    let names = path.iter().map(|place| match place.is_seen {
        true => place.state.name().to_owned(),
        false => format!("({})", place.state),
    });
    names.collect::<Vec<_>>().join(" → ")
}

/// Returns the diagram as text. Without colour the letters c and s show where the client and the server were.
pub(crate) fn text(moments: &[Moment], color: bool) -> String {
    let mut text = String::new();
    for line in lines(moments) {
        for piece in line {
            match color {
                true => text.push_str(&format!("{}{}\x1b[0m", ansi(piece.taken), piece.text)),
                false => text.push_str(&piece.text),
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

fn ansi(taken: Taken) -> &'static str {
    match taken {
        Taken::Neither => "\x1b[0m",
        Taken::One(Side::Client) => "\x1b[1;36m",
        Taken::One(Side::Server) => "\x1b[1;33m",
        Taken::Both => "\x1b[1;32m",
    }
}

/// Returns the states of an end in their order.
fn path(moments: &[Moment], side: Side) -> Vec<Place> {
    let mut path: Vec<Place> = Vec::new();
    for moment in moments {
        let end = moment.of(side);
        let passed = end.passed.iter().map(|state| Place { state: *state, is_seen: false });
        for place in passed.chain([Place { state: end.state, is_seen: true }]) {
            if path.last().is_none_or(|last| last.state != place.state) {
                path.push(place);
            }
        }
    }
    path
}

/// Splits a line of the picture where another part begins.
fn pieces(picture: &str, parts: &str, paths: &[Vec<Place>; 2]) -> Vec<Piece> {
    let mut pieces: Vec<(char, String)> = Vec::new();
    for (character, part) in picture.chars().zip(parts.chars()) {
        match pieces.last_mut() {
            Some((last, text)) if *last == part => text.push(character),
            _ => pieces.push((part, character.to_string())),
        }
    }
    let named = |(part, text): (char, String)| {
        let taken = taken(part, paths);
        let letters = match taken {
            Taken::Neither => "  ",
            Taken::One(Side::Client) => "c ",
            Taken::One(Side::Server) => "s ",
            Taken::Both => "cs",
        };
        Piece { text: text.replace("@@", letters), taken }
    };
    pieces.into_iter().map(named).collect()
}

fn taken(part: char, paths: &[Vec<Place>; 2]) -> Taken {
    if part == '.' {
        return Taken::Neither;
    }
    let [client, server] = paths.each_ref().map(|path| {
        let state = STATES.iter().find(|(name, _)| *name == part).map(|(_, state)| *state);
        let mut changes = path.windows(2).map(|pair| (pair[0].state, pair[1].state));
        let is = |(from, to): (TcpState, TcpState)| {
            CHANGES.iter().find(|(_, before, after)| (*before, *after) == (from, to)).map_or('r', |(name, _, _)| *name)
        };
        match state {
            Some(state) => path.iter().any(|place| place.state == state),
            None => changes.any(|change| is(change) == part),
        }
    });
    match (client, server) {
        (false, false) => Taken::Neither,
        (true, false) => Taken::One(Side::Client),
        (false, true) => Taken::One(Side::Server),
        (true, true) => Taken::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::{CHANGES, PARTS, PICTURE, STATES};

    #[test]
    fn each_character_of_the_picture_has_a_part_and_each_part_is_drawn() {
        for (picture, parts) in PICTURE.iter().zip(PARTS) {
            assert_eq!(picture.chars().count(), parts.chars().count(), "{picture}");
        }
        let names = STATES.iter().map(|(name, _)| *name).chain(CHANGES.iter().map(|(name, _, _)| *name));
        for name in names.chain(['r']) {
            assert!(PARTS.iter().any(|parts| parts.contains(name)), "{name}");
        }
        for (name, state) in STATES {
            let drawn = PICTURE
                .iter()
                .zip(PARTS)
                .any(|(picture, parts)| parts.contains(name) && picture.contains(state.name()));
            assert!(drawn, "{state}");
        }
    }
}

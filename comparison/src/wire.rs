//! The wires of the servers, as the load generator uses them: what to send, and how many bytes come back.

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The bytes of the message alone.
    Raw,
    /// A length of four bytes before each message.
    LengthDelimited,
    /// RFC 6455: requests with a mask, answers without.
    WebSocket,
    /// echo/1: ECHO and REPLY.
    Echo,
    /// Lines, each answered with the time before it.
    Plain,
}

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
/// `[Thu Nov 26 12:00:00 2026] `
const TIME: usize = 27;
const PREFACE: &[u8] = b"\x89ECHO\r\n\x01";
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// The answer to it, with the key's hash as in RFC 6455 section 1.3.
pub(crate) const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Bytes to send, and how many to read before the next step.
pub(crate) struct Step {
    pub(crate) send: Vec<u8>,
    pub(crate) read: usize,
}

impl Wire {
    /// Returns what a client does before its first request.
    pub(crate) fn greeting(self) -> Option<Step> {
        match self {
            Self::Raw | Self::LengthDelimited | Self::Plain => None,
            Self::Echo => Some(Step { send: PREFACE.to_vec(), read: PREFACE.len() }),
            Self::WebSocket => Some(Step { send: UPGRADE.to_vec(), read: UPGRADED.len() }),
        }
    }

    /// Returns what a client does after its only request, before it closes.
    pub(crate) fn farewell(self) -> Vec<Step> {
        match self {
            Self::Raw | Self::LengthDelimited | Self::Plain => Vec::new(),
            // GOAWAY 1; the server's CLOSE 1; CLOSE 1.
            Self::Echo => {
                let goaway = Step { send: echo_ending(3), read: echo_ending(4).len() };
                vec![goaway, Step { send: echo_ending(4), read: 0 }]
            }
            // Close 1000, and the server's.
            Self::WebSocket => {
                let code = [0x03 ^ MASK[0], 0xE8 ^ MASK[1]];
                let close = [&[0x88, 0x82][..], &MASK, &code].concat();
                vec![Step { send: close, read: 4 }]
            }
        }
    }

    /// Appends request `seq`, with `size` bytes of message.
    pub(crate) fn request(self, out: &mut Vec<u8>, seq: u64, size: usize) {
        match self {
            Self::Raw => (),
            Self::LengthDelimited => out.extend_from_slice(&(size as u32).to_be_bytes()),
            Self::WebSocket => {
                web_socket_head(out, size, 0x80);
                out.extend_from_slice(&MASK);
            }
            Self::Echo => {
                out.extend_from_slice(&(size as u32 + 8).to_be_bytes()[1..]);
                out.push(1);
                out.extend_from_slice(&seq.to_be_bytes());
                out.extend_from_slice(&[0; 8]);
            }
            Self::Plain => {
                out.resize(out.len() + size - 1, b'x');
                return out.push(b'\n');
            }
        }
        let begin = out.len();
        out.resize(begin + size, b'x');
        if self == Self::WebSocket {
            for (at, byte) in out[begin..].iter_mut().enumerate() {
                *byte ^= MASK[at % 4];
            }
        }
    }

    /// Returns the bytes of a request with `size` bytes of message.
    pub(crate) fn request_size(self, size: usize) -> usize {
        let mut out = Vec::new();
        self.request(&mut out, 1, size);
        out.len()
    }

    /// Where the number of a request is, if requests have numbers.
    pub(crate) fn number_at(self) -> Option<usize> {
        (self == Self::Echo).then_some(4)
    }

    /// Returns the bytes of an answer with `size` bytes of message.
    pub(crate) fn answer_size(self, size: usize) -> usize {
        match self {
            Self::Raw => size,
            Self::LengthDelimited => 4 + size,
            Self::WebSocket => {
                let mut head = Vec::new();
                web_socket_head(&mut head, size, 0);
                head.len() + size
            }
            Self::Echo => 36 + size,
            Self::Plain => TIME + size,
        }
    }

    /// Checks an answer's message. Its last byte is enough to find an answer of another length.
    pub(crate) fn is_right(self, answer: &[u8], size: usize) -> bool {
        let message = &answer[answer.len() - size..];
        let (last, first) = message.split_last().unwrap_or((&0, &[]));
        first.iter().all(|byte| *byte == b'x') && *last == if self == Self::Plain { b'\n' } else { b'x' }
    }
}

fn web_socket_head(out: &mut Vec<u8>, size: usize, mask: u8) {
    out.push(0x82);
    match size {
        0..126 => out.push(mask | size as u8),
        126..65536 => {
            out.push(mask | 126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
}

/// A GOAWAY (3) or CLOSE (4) with the count 1, code 1000 and no reason.
fn echo_ending(kind: u8) -> Vec<u8> {
    [&[0, 0, 3, kind][..], &1u64.to_be_bytes(), &1000u16.to_be_bytes(), &[0]].concat()
}

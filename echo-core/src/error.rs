//! What can go wrong, whose fault it is, and the one map from it to a close code (PROTOCOL.md, section 6).

use std::borrow::Cow;
use std::fmt;

/// Why a side leaves, on the wire of GOAWAY and CLOSE: the codes of RFC 6455 section 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the conversation has served its purpose.
    pub const NORMAL: Self = Self(1000);
    /// 1001: this side is going away (shutdown, idle).
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1008: a rule of this side was broken, a deadline above all.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message was longer than this side accepts.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: this side failed in itself.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: this side restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: overloaded, try again later.
    pub const TRY_LATER: Self = Self(1013);

    /// Whether the code belongs to the usual order of closing (1000, 1001, 1012): only then can an end be clean.
    pub fn is_clean(self) -> bool {
        self == Self::NORMAL || self == Self::GOING_AWAY || self == Self::RESTART
    }

    /// The code's name in RFC 6455 section 7.4.1 and its registry, or "unregistered".
    pub fn name(self) -> &'static str {
        match self.0 {
            1000 => "normal",
            1001 => "going away",
            1002 => "protocol error",
            1008 => "policy",
            1009 => "too big",
            1011 => "internal error",
            1012 => "restart",
            1013 => "try again later",
            _ => "unregistered",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

/// What the peer did against the protocol: what was expected and what came, in words for a log line.
///
/// Bytes of the peer never stand in it raw: [`escape`] is applied where it quotes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Violation {
    /// The kind, which alone decides the close code.
    pub kind: ViolationKind,
    /// What the protocol allowed here.
    pub expected: Cow<'static, str>,
    /// What came instead.
    pub got: Cow<'static, str>,
    /// What the peer speaks instead of echo/1, where the bytes tell that came together with the first wrong one.
    pub peer: Option<PeerProtocol>,
}

/// What a peer speaks that meant somebody else, or that somebody else was meant for (clauses 1.5 and 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerProtocol {
    /// It sends back what it gets.
    Mirror,
    /// Plain lines, each answered with the time.
    PlainEcho,
    /// HTTP/1.
    Http,
    /// TLS.
    Tls,
    /// A balancer's header of the PROXY protocol.
    Proxy,
}

impl Violation {
    /// A breach of the protocol (code 1002).
    pub fn protocol(expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: ViolationKind::Protocol, expected: expected.into(), got: got.into(), peer: None }
    }

    /// A message over the limit (code 1009).
    pub fn too_big(expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: ViolationKind::TooBig, expected: expected.into(), got: got.into(), peer: None }
    }

    /// The same, of a peer that speaks this.
    pub(crate) fn by(self, peer: impl Into<Option<PeerProtocol>>) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// The code that tells the peer: the one total map from errors to close codes (clause 6.2).
    pub fn code(&self) -> CloseCode {
        match self.kind {
            ViolationKind::Protocol => CloseCode::PROTOCOL_ERROR,
            ViolationKind::TooBig => CloseCode::TOO_BIG,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

impl std::error::Error for Violation {}

/// The kinds of [`Violation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViolationKind {
    /// Something that has no place here.
    Protocol,
    /// Something longer than the limit.
    TooBig,
}

/// A call that makes no sense in the state the connection is in. Nothing was changed and no byte was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiMisuse {
    /// The conversation is ending: no new request can be sent. It counts as refused.
    Ending,
    /// The payload is longer than the limit: its length and the limit, in bytes.
    TooBig {
        /// Length of the payload.
        len: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// Only a client sends requests.
    NotAClient,
}

impl fmt::Display for ApiMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ending => write!(f, "the conversation is ending, the request was not sent"),
            Self::TooBig { len, limit } => write!(f, "a payload of {len} bytes is over the limit of {limit}"),
            Self::NotAClient => write!(f, "only a client sends requests"),
        }
    }
}

impl std::error::Error for ApiMisuse {}

/// Bytes from the network as text that is safe in a log and on a terminal: printable ASCII stays, everything else
/// becomes `\n`, `\t`, `\\` or `\xNN`; after `most` bytes `…` follows.
pub fn escape(bytes: &[u8], most: usize) -> String {
    let shown = &bytes[..bytes.len().min(most)];
    let mut text = shown.escape_ascii().to_string();
    if shown.len() < bytes.len() {
        text.push('…');
    }
    text
}

//! Errors, the side at fault, and the one map from errors to close codes (PROTOCOL.md, section 6).

use crate::frame::MAX_REASON;
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

/// The code of a GOAWAY or CLOSE: why a side ends the conversation. Codes are those of RFC 6455 section 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the conversation is complete.
    pub const NORMAL: Self = Self(1000);
    /// 1001: this side is going away (shutdown, idle).
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1008: the peer broke a rule of this side, usually a deadline.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message was longer than this side accepts.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: this side has an internal error.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: this side restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: this side is overloaded, try again later.
    pub const TRY_LATER: Self = Self(1013);

    /// Returns whether the code belongs to the usual close order: 1000, 1001 or 1012 (clause 6.1). Only then can an end
    /// be clean.
    pub fn is_clean(self) -> bool {
        self == Self::NORMAL || self == Self::GOING_AWAY || self == Self::RESTART
    }

    /// Returns the name from RFC 6455 section 7.4.1 and its registry, "of the application" from 4000 to 4999, or
    /// "unregistered".
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
            4000..=4999 => "of the application",
            _ => "unregistered",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

/// Why a server has no answer to one request. The conversation goes on.
///
/// The code is one of [`CloseCode`]: 1011 for an internal error, 1008 or 1009 if the request was refused for what it was,
/// 1013 if it may work later, or one of the application's own, 4000 to 4999 (RFC 6455 section 7.4.2). Its `Display` escapes
/// what the peer's text could do to a terminal or a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Failure {
    /// The code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes on the wire; escape it before showing it alone.
    pub text: String,
}

impl Failure {
    /// Creates a failure from a code and a text.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, text: reason.into() }
    }

    /// Cuts the text to what the wire carries.
    pub(crate) fn cut(mut self) -> Self {
        self.text.truncate(self.text.floor_char_boundary(MAX_REASON));
        self
    }
}

/// For a service that never fails.
impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.as_str() {
            "" => write!(f, "{}", self.code),
            text => write!(f, "{}: {}", self.code, escape(text.as_bytes(), MAX_REASON)),
        }
    }
}

impl std::error::Error for Failure {}

/// A violation of the protocol by the peer: what was expected and what was received, as text for a log line.
///
/// The text holds bytes of the peer only after [`escape`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Violation {
    /// The kind. It alone decides the close code.
    pub kind: ViolationKind,
    /// What the protocol allowed here.
    pub expected: Cow<'static, str>,
    /// What was received instead.
    pub got: Cow<'static, str>,
    /// The protocol that the peer uses instead of echo/1, if the bytes received with the first wrong byte show it.
    pub peer: Option<PeerProtocol>,
}

/// The protocol of a client that wanted another server, or of a server that is not echo/1 (clauses 1.5 and 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PeerProtocol {
    /// The peer sends back what it receives.
    Mirror,
    /// The peer answers plain lines with the time and the line.
    PlainEcho,
    /// HTTP/1.
    Http,
    /// TLS.
    Tls,
    /// The peer is a load balancer that sends a PROXY protocol header.
    Proxy,
}

impl Violation {
    /// Creates a protocol violation (code 1002).
    pub fn protocol(expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: ViolationKind::Protocol, expected: expected.into(), got: got.into(), peer: None }
    }

    /// Creates a violation for a message over the limit (code 1009).
    pub fn too_big(expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: ViolationKind::TooBig, expected: expected.into(), got: got.into(), peer: None }
    }

    /// Sets the protocol that the peer uses.
    pub(crate) fn by(self, peer: impl Into<Option<PeerProtocol>>) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// Returns the close code for the peer: the one total map from errors to close codes (clause 6.2).
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ViolationKind {
    /// A frame or bytes that the protocol does not allow here.
    Protocol,
    /// A message over the limit.
    TooBig,
}

/// A call that is invalid in the current state. It changed nothing and sent no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The conversation is ending: the request was not sent and counts as refused, or the answer can no longer be sent.
    Ending,
    /// The payload is over the limit.
    TooBig {
        /// Length of the payload, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Only a client sends requests.
    NotAClient,
    /// Only a server answers requests.
    NotAServer,
    /// No answer to this request is owed: it was not accepted, or is answered, or the server echoes.
    NotOwed {
        /// The request's number.
        seq: u64,
    },
}

impl fmt::Display for ApiMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ending => write!(f, "the conversation is ending; the request was not sent"),
            Self::TooBig { len, limit } => write!(f, "a payload of {len} bytes is over the limit of {limit}"),
            Self::NotAClient => write!(f, "only a client sends requests"),
            Self::NotAServer => write!(f, "only a server answers requests"),
            Self::NotOwed { seq } => write!(f, "no answer to request {seq} is owed"),
        }
    }
}

impl std::error::Error for ApiMisuse {}

/// Makes bytes from the network safe for a log and a terminal. Printable ASCII stays, but a quote or a backslash gets a
/// backslash. Other bytes become `\n`, `\r`, `\t` or `\xNN`. At most `most` bytes are shown; `…` marks a cut.
pub fn escape(bytes: &[u8], most: usize) -> String {
    let shown = &bytes[..bytes.len().min(most)];
    let mut text = shown.escape_ascii().to_string();
    if shown.len() < bytes.len() {
        text.push('…');
    }
    text
}

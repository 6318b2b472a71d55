//! The prefaces of echo/1: role and version of the peer (PROTOCOL.md, section 1).

use crate::close::Role;
use crate::error::{PeerProtocol, Violation, escape};

/// The version this crate speaks.
pub const VERSION: u8 = 1;
/// Length of a preface: seven fixed bytes and the version.
pub const LENGTH: usize = 8;
/// The first byte of both prefaces; no text begins with it.
pub const FIRST_BYTE: u8 = 0x89;

/// Returns the preface in which `role` offers (client) or chooses (server) `version`.
pub fn preface(role: Role, version: u8) -> [u8; LENGTH] {
    match role {
        Role::Client => [FIRST_BYTE, b'E', b'C', b'H', b'O', b'\r', b'\n', version],
        Role::Server => [FIRST_BYTE, b'e', b'c', b'h', b'o', b'\r', b'\n', version],
    }
}

/// Decodes the peer's preface from a stream of bytes that arrives in pieces of any size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrefaceDecoder {
    from: Role,
    seen: Vec<u8>,
}

impl PrefaceDecoder {
    /// Creates a decoder for the preface of `from`.
    pub fn new(from: Role) -> Self {
        Self { from, seen: Vec::new() }
    }

    /// Takes bytes from the front of `input`. Returns the version to use once the preface is complete.
    ///
    /// # Errors
    /// Returns a [`Violation`] at the first wrong byte. It names known peers: a mirror, a plain-only server and others.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<u8>, Violation> {
        while self.seen.len() < LENGTH {
            let [byte, rest @ ..] = *input else { return Ok(None) };
            if !self.fits(*byte) {
                return Err(self.mismatch(input));
            }
            self.seen.push(*byte);
            *input = rest;
        }
        Ok(self.seen.last().map(|version| (*version).min(VERSION)))
    }

    /// Returns the bytes of memory it owns.
    pub fn owned(&self) -> usize {
        self.seen.capacity()
    }

    /// Returns whether `byte` is right here. A server must not choose more than the offered version, nor version 0.
    fn fits(&self, byte: u8) -> bool {
        let at = self.seen.len();
        match (at + 1 == LENGTH, self.from) {
            (false, role) => preface(role, VERSION)[at] == byte,
            (true, Role::Client) => byte != 0,
            (true, Role::Server) => (1..=VERSION).contains(&byte),
        }
    }

    fn mismatch(&self, rest: &[u8]) -> Violation {
        let mut seen = self.seen.clone();
        seen.extend_from_slice(&rest[..rest.len().min(40)]);
        match self.from {
            Role::Client => {
                let got = format!("{} bytes of it, then {}", self.seen.len(), escape(rest, 40));
                Violation::protocol("a client's preface \\x89ECHO\\r\\n and a version from 1", got)
            }
            Role::Server => {
                let (got, peer) = who_speaks(&seen);
                Violation::protocol("a server's preface \\x89echo\\r\\n\\x01", got).by(peer)
            }
        }
    }
}

/// Identifies a peer that is no framed echo server by the first bytes it sent.
fn who_speaks(seen: &[u8]) -> (String, Option<PeerProtocol>) {
    let shown = escape(seen, 40);
    match seen {
        [FIRST_BYTE, b'E', ..] => {
            ("our own preface back: this is a mirror, not an echo/1 server".into(), Some(PeerProtocol::Mirror))
        }
        [b'[', ..] => (format!("{shown}: this server speaks the plain wire only"), Some(PeerProtocol::PlainEcho)),
        [b'H', b'T', b'T', b'P', b'/', ..] => (format!("{shown}: this is an HTTP server"), Some(PeerProtocol::Http)),
        [0x15, 0x03, ..] => ("a TLS alert: this is a TLS server".into(), Some(PeerProtocol::Tls)),
        [_, ..] | [] => (shown, None),
    }
}

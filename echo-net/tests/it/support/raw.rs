//! A client of raw bytes and frames, valid or not.

use super::PATIENCE;
use echo_net::echo_core::frame::{self, Decoder, Frame, MAX_PAYLOAD};
use echo_net::echo_core::preface::preface;
use echo_net::echo_core::{CloseCode, CloseReason, Role, Stamp};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// What the peer has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Echo { seq: u64, payload: Vec<u8> },
    Reply { seq: u64, payload: Vec<u8> },
    GoAway { last: u64, code: u16 },
    Close { last: u64, code: u16, reason: String, fin_first: bool },
    Fin,
    Reset,
}

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
    decoder: Decoder,
}

impl Raw {
    /// Connects, and sends nothing.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).expect("the server accepts"))
    }

    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("an option can be set");
        Self { stream, input: Vec::new(), decoder: Decoder::new(MAX_PAYLOAD) }
    }

    /// Connects, and exchanges the prefaces.
    #[track_caller]
    pub(crate) fn greeted(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address);
        raw.send(&hello());
        raw.hears_preface();
        raw
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes bytes");
    }

    #[track_caller]
    pub(crate) fn hears_preface(&mut self) {
        let mut got = [0; 8];
        self.stream.read_exact(&mut got).expect("the server's preface");
        assert_eq!(got, preface(Role::Server, 1), "clause 1.2");
    }

    /// Acts as a server: receives the client's preface, and sends its own.
    #[track_caller]
    pub(crate) fn greets(&mut self) {
        assert_eq!(self.bytes(8), hello(), "clause 1.2");
        self.send(&preface(Role::Server, 1));
    }

    /// Sends FIN.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection stands");
    }

    /// Waits for `count` bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut got = vec![0; count];
        self.stream.read_exact(&mut got).expect("the server says so much");
        got
    }

    /// Waits for a byte, and returns what one read gives.
    #[track_caller]
    pub(crate) fn some(&mut self) -> Vec<u8> {
        let mut got = vec![0; 64 * 1024];
        loop {
            match self.stream.read(&mut got) {
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                count => {
                    got.truncate(count.expect("the server says something"));
                    return got;
                }
            }
        }
    }

    /// Reads everything up to the server's FIN.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        self.stream.read_to_end(&mut got).expect("the server's FIN, not a reset");
        got
    }

    /// Waits for the next frame or the end.
    #[track_caller]
    pub(crate) fn hears(&mut self) -> Said {
        loop {
            let mut input = self.input.as_slice();
            let said = self.decoder.decode(&mut input).expect("it sends valid frames").map(said);
            self.input = input.to_vec();
            if let Some(said) = said {
                return said;
            }
            let mut chunk = vec![0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Said::Fin,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return Said::Reset;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// Sends request `seq`, and checks the answer.
    #[track_caller]
    pub(crate) fn asks(&mut self, seq: u64, payload: &[u8]) {
        self.send(&echo(seq, payload));
        assert_eq!(self.hears(), Said::Reply { seq, payload: payload.to_vec() });
    }

    /// Speaks first, hears why it is refused, and finishes.
    #[track_caller]
    pub(crate) fn hears_refusal(mut self, reason: &str) {
        self.send(&hello());
        self.hears_preface();
        assert_eq!(self.hears(), Said::Close { last: 0, code: 1013, reason: reason.to_owned(), fin_first: false });
        self.finish();
        assert_eq!(self.hears(), Said::Fin);
    }

    /// Ends in the usual order, after `asked` requests that were all answered.
    #[track_caller]
    pub(crate) fn ends_clean(self, asked: u64) {
        self.ends_clean_as(asked, 1000);
    }

    /// The same with the code of the server's CLOSE.
    #[track_caller]
    pub(crate) fn ends_clean_as(mut self, asked: u64, code: u16) {
        self.send(&goaway(asked));
        match self.hears() {
            Said::Close { last, code: came, fin_first: false, .. } => assert_eq!((last, came), (asked, code)),
            said => panic!("expected CLOSE {asked}, got {said:?}"),
        }
        self.send(&close(asked));
        self.finish();
        assert_eq!(self.hears(), Said::Fin);
    }
}

fn said(frame: Frame<'_>) -> Said {
    match frame {
        Frame::Reply { seq, payload, .. } => Said::Reply { seq, payload: payload.to_vec() },
        Frame::GoAway { last, reason: close_reason } => Said::GoAway { last, code: close_reason.code.0 },
        Frame::Close { last, reason: close_reason, first_fin } => Said::Close {
            last,
            code: close_reason.code.0,
            reason: close_reason.text,
            fin_first: first_fin == Role::Server,
        },
        Frame::Echo { seq, payload, .. } => Said::Echo { seq, payload: payload.to_vec() },
        Frame::Failed { .. } | Frame::Unknown { .. } => panic!("nobody sends {frame:?}"),
    }
}

/// The client's preface.
pub(crate) fn hello() -> [u8; 8] {
    preface(Role::Client, 1)
}

pub(crate) fn echo(seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::echo_header(&mut out, seq, Stamp(0), payload.len());
    out.extend_from_slice(payload);
    out
}

pub(crate) fn reply(seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::reply_header(&mut out, seq, [Stamp(0); 3], payload.len());
    out.extend_from_slice(payload);
    out
}

pub(crate) fn goaway(last: u64) -> Vec<u8> {
    let mut out = Vec::new();
    frame::goaway(&mut out, last, &CloseReason::normal());
    out
}

pub(crate) fn close(last: u64) -> Vec<u8> {
    close_with(last, 1000, "")
}

pub(crate) fn close_with(last: u64, code: u16, reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    frame::close(&mut out, last, &CloseReason::new(CloseCode(code), reason), false);
    out
}

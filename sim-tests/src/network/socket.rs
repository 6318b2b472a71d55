//! A stream socket that closes as on Linux, and the packets that two of them exchange.
//!
//! - `close()` with unread input sends RST, otherwise FIN.
//! - A socket that was closed with FIN answers data with RST.
//! - What arrived before a RST can still be read.
//! - The first call after a RST fails with its error.
//!
//! Tests compare each line with real sockets.

use super::link::Arrival;
use super::packet_kind::PacketKind;
use std::collections::VecDeque;
use std::io::ErrorKind;

/// What a socket sends to its peer: data, FIN or RST. The items of data are bytes, or whatever the model exchanges.
#[derive(Clone, Debug)]
pub(crate) enum StreamPacket<T> {
    Data(Vec<T>),
    Fin,
    Reset,
}

impl<T> StreamPacket<T> {
    pub(crate) fn kind(&self) -> PacketKind {
        match self {
            Self::Data(_) => PacketKind::Data,
            Self::Fin => PacketKind::Fin,
            Self::Reset => PacketKind::Reset,
        }
    }
}

impl<T> From<PacketKind> for StreamPacket<T> {
    /// Makes the packet without content that a relay sends.
    fn from(kind: PacketKind) -> Self {
        match kind {
            PacketKind::Data => Self::Data(Vec::new()),
            PacketKind::Fin => Self::Fin,
            PacketKind::Reset => Self::Reset,
        }
    }
}

impl<T> From<Arrival<Self>> for StreamPacket<T> {
    fn from(arrival: Arrival<Self>) -> Self {
        match arrival {
            Arrival::Packet(packet) => packet,
            Arrival::Made(kind) => kind.into(),
        }
    }
}

/// The socket of one end. It sends nothing by itself: each method returns what the kernel has to send.
#[derive(Debug)]
pub(crate) struct StreamSocket<T> {
    state: SocketState,
    /// Unread input.
    inbox: VecDeque<T>,
    /// Unread items of each packet.
    packets: VecDeque<usize>,
    fin_came: bool,
    /// The error that the next call returns.
    error: Option<ErrorKind>,
    fin_sent: FinSent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocketState {
    /// Held by a program, and not ended by RST.
    Open,
    /// Closed with FIN. The kernel still has the connection, and answers data with RST.
    Orphan,
    /// Ended by RST, sent or received. Answers every packet but RST with RST. What arrived before can still be read.
    Reset,
    /// The host has no power.
    Dark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FinSent {
    No,
    /// Before the peer's FIN arrived.
    First,
    /// After the peer's FIN arrived.
    Second,
}

/// The effect of a packet that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The packet can be read, or changes nothing.
    Taken,
    /// The kernel answers with RST.
    Refused,
    /// The packet was a RST that ended the connection: the kernel deletes what it still has to send.
    ConnectionLost,
}

impl<T> StreamSocket<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: SocketState::Open,
            inbox: VecDeque::new(),
            packets: VecDeque::new(),
            fin_came: false,
            error: None,
            fin_sent: FinSent::No,
        }
    }

    /// Whether a RST, sent or received, has ended the connection.
    #[cfg(feature = "trial")]
    pub(crate) fn is_reset(&self) -> bool {
        self.state == SocketState::Reset
    }

    /// Returns the state of its connection in RFC 9293, if every acknowledgment came at once. FIN-WAIT is either of the two.
    #[cfg(feature = "trial")]
    pub(crate) fn tcp_state(&self) -> &'static str {
        match (self.state, self.fin_sent, self.fin_came) {
            (SocketState::Dark, _, _) => "no power",
            (SocketState::Reset, _, _) | (_, FinSent::Second, _) => "CLOSED",
            (_, FinSent::First, false) => "FIN-WAIT",
            (_, FinSent::First, true) => "TIME-WAIT",
            (_, FinSent::No, true) => "CLOSE-WAIT",
            (_, FinSent::No, false) => "ESTABLISHED",
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == SocketState::Open
    }

    pub(crate) fn can_write(&self) -> bool {
        self.is_open() && self.fin_sent == FinSent::No
    }

    /// Unread input.
    pub(crate) fn inbox(&self) -> &VecDeque<T> {
        &self.inbox
    }

    /// Unread items of the first packet.
    pub(crate) fn first_packet(&self) -> usize {
        self.packets.front().copied().unwrap_or(0)
    }

    /// Whether the peer's FIN has arrived.
    pub(crate) fn has_fin(&self) -> bool {
        self.fin_came
    }

    /// Takes the error of a received RST. The call that takes it fails with it.
    pub(crate) fn take_error(&mut self) -> Option<ErrorKind> {
        self.error.take()
    }

    /// Whether this side sent FIN before the peer's FIN arrived. Such a side goes to TIME_WAIT, unless a RST ends the
    /// connection.
    #[cfg(feature = "trial")]
    pub(crate) fn sent_fin_first(&self) -> bool {
        self.fin_sent == FinSent::First
    }

    /// Reads `count` items.
    pub(crate) fn read(&mut self, count: usize) -> Vec<T> {
        let mut left = count;
        while let Some(packet) = self.packets.front_mut() {
            let part = left.min(*packet);
            *packet -= part;
            left -= part;
            if *packet > 0 {
                break;
            }
            self.packets.pop_front();
        }
        self.inbox.drain(..count).collect()
    }

    /// Does `shutdown(SHUT_WR)`.
    #[must_use]
    pub(crate) fn shut_down(&mut self) -> Option<PacketKind> {
        if !self.can_write() {
            return None;
        }
        self.fin_sent = if self.fin_came { FinSent::Second } else { FinSent::First };
        Some(PacketKind::Fin)
    }

    /// Does `close()`: RST if there is `unread` input, otherwise FIN if none was sent.
    #[must_use]
    pub(crate) fn close(&mut self, unread: bool) -> Option<PacketKind> {
        match self.state {
            SocketState::Open if unread => self.abort(),
            SocketState::Open => {
                let fin = self.shut_down();
                self.state = SocketState::Orphan;
                fin
            }
            SocketState::Orphan | SocketState::Reset | SocketState::Dark => None,
        }
    }

    /// Does `close()` with linger time zero: RST.
    #[must_use]
    pub(crate) fn abort(&mut self) -> Option<PacketKind> {
        if !self.is_open() {
            return None;
        }
        self.state = SocketState::Reset;
        Some(PacketKind::Reset)
    }

    /// Cuts the power of the host: the socket sends and receives nothing more.
    pub(crate) fn go_dark(&mut self) {
        self.state = SocketState::Dark;
    }

    /// Handles a packet that arrives.
    pub(crate) fn receive(&mut self, packet: StreamPacket<T>) -> Received {
        use StreamPacket::{Data, Fin, Reset};
        match (self.state, packet) {
            (SocketState::Open, Data(items)) => {
                self.packets.push_back(items.len());
                self.inbox.extend(items);
                Received::Taken
            }
            (SocketState::Open | SocketState::Orphan, Fin) => {
                self.fin_came = true;
                Received::Taken
            }
            (SocketState::Open | SocketState::Orphan, Reset) => {
                // In CLOSE_WAIT (the peer's FIN has arrived, no FIN was sent) Linux reports a RST as EPIPE.
                let close_wait = self.fin_came && self.fin_sent == FinSent::No;
                self.error = Some(if close_wait { ErrorKind::BrokenPipe } else { ErrorKind::ConnectionReset });
                self.state = SocketState::Reset;
                Received::ConnectionLost
            }
            (SocketState::Orphan, Data(_)) | (SocketState::Reset, Data(_) | Fin) => {
                self.state = SocketState::Reset;
                Received::Refused
            }
            (SocketState::Reset, Reset) | (SocketState::Dark, _) => Received::Taken,
        }
    }
}

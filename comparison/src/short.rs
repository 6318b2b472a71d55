//! Short conversations: connect, one message, the whole end that the wire has.

use crate::load::{Sample, Window};
use crate::wire::{Step, Wire};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

/// Conversations at the same time.
const AT_ONCE: usize = 32;
const SIZE: usize = 64;

/// Counts conversations that are over, for `time`.
pub(crate) fn run(
    port: u16,
    wire: Wire,
    warm_up: Duration,
    time: Duration,
    begin: impl FnOnce(),
) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    let mut opened = 0;
    let mut open = |poll: &Poll, token: usize| -> io::Result<Conversation> {
        opened += 1;
        let mut new = Conversation::new(port, wire, opened)?;
        poll.registry().register(&mut new.stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(new)
    };
    let mut running = (0..AT_ONCE).map(|token| open(&poll, token)).collect::<io::Result<Vec<_>>>()?;
    let mut events = Events::with_capacity(AT_ONCE);
    let mut sample = Sample::default();
    let mut window = Window::new(warm_up, time, begin);
    while !window.is_over() {
        poll.poll(&mut events, Some(Duration::from_secs(5)))?;
        if events.is_empty() {
            return Err(io::Error::other("no conversation ends for 5 s"));
        }
        for event in &events {
            let token = event.token().0;
            if running[token].advance()? {
                sample.messages += 1;
                running[token] = open(&poll, token)?;
            }
        }
        window.tick(&mut sample);
    }
    Ok(sample)
}

struct Conversation {
    stream: TcpStream,
    /// What is left to do, the next step last.
    steps: Vec<Step>,
    sent: usize,
    read: usize,
    is_shut: bool,
}

impl Conversation {
    fn new(port: u16, wire: Wire, number: u32) -> io::Result<Self> {
        // Closed connections keep their ports for a minute: with many addresses they never run out.
        let host = 1 + number % 250;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x7F00_0000 | host)), port);
        let mut request = Step { send: Vec::new(), read: wire.answer_size(SIZE) };
        wire.request(&mut request.send, 1, SIZE);
        let mut farewell = wire.farewell().into_iter();
        // It is the only request, so the client says so at once. On WebSockets an echo by `forward` would be lost then.
        if wire == Wire::Echo
            && let Some(step) = farewell.next()
        {
            request.send.extend(step.send);
            request.read += step.read;
        }
        let mut steps: Vec<_> = wire.greeting().into_iter().chain([request]).chain(farewell).collect();
        steps.reverse();
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, steps, sent: 0, read: 0, is_shut: false })
    }

    /// Does what is possible. Returns whether the conversation is over: both sides have sent FIN.
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            let result = match self.steps.last() {
                Some(step) if self.sent < step.send.len() => {
                    self.stream.write(&step.send[self.sent..]).map(|count| self.sent += count)
                }
                Some(step) if self.read < step.read => {
                    let mut buffer = [0; 1024];
                    let want = (step.read - self.read).min(buffer.len());
                    match self.stream.read(&mut buffer[..want]) {
                        Ok(0) => return Err(io::Error::other("the server has closed early")),
                        other => other.map(|count| self.read += count),
                    }
                }
                Some(_) => {
                    self.steps.pop();
                    (self.sent, self.read) = (0, 0);
                    Ok(())
                }
                None if !self.is_shut => {
                    self.is_shut = true;
                    self.stream.shutdown(Shutdown::Write)
                }
                None => match self.stream.read(&mut [0; 64]) {
                    Ok(0) => return Ok(true),
                    Ok(_) => Err(io::Error::other("the server says more than expected")),
                    Err(error) => Err(error),
                },
            };
            match result {
                Ok(()) => (),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

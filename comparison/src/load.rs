//! A neutral load generator: one thread, epoll, any wire, a fixed number of unanswered requests on each connection.

use crate::wire::{Step, Wire};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// What to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Unanswered requests on each connection.
    pub(crate) outstanding: usize,
    /// Bytes of each message.
    pub(crate) size: usize,
}

/// What was measured in one round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) messages: u64,
    pub(crate) time: Duration,
    /// The median time from a request to its answer, if only one is unanswered at a time.
    pub(crate) median: Option<Duration>,
}

/// The time of one measurement: a warm-up, and the time that counts.
pub(crate) struct Window<F> {
    /// Called when the warm-up is over.
    begin: Option<F>,
    from: Instant,
    length: Duration,
    now: Instant,
}

impl<F: FnOnce()> Window<F> {
    pub(crate) fn new(warm_up: Duration, length: Duration, begin: F) -> Self {
        let now = Instant::now();
        Self { begin: Some(begin), from: now + warm_up, length, now }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.now >= self.from + self.length
    }

    /// Looks at the clock. What came in the warm-up does not count.
    pub(crate) fn tick(&mut self, sample: &mut Sample) {
        self.now = Instant::now();
        if self.now >= self.from
            && let Some(begin) = self.begin.take()
        {
            sample.messages = 0;
            self.from = self.now;
            begin();
        }
        sample.time = self.now.saturating_duration_since(self.from);
    }

    pub(crate) fn counts(&self) -> bool {
        self.begin.is_none()
    }
}

const READ: usize = 256 * 1024;

pub(crate) struct Client {
    stream: TcpStream,
    wire: Wire,
    size: usize,
    /// Requests that are not written yet.
    out: Vec<u8>,
    written: usize,
    /// Bytes of an incomplete answer that were read.
    partial: usize,
    next: u64,
    asked: Instant,
}

/// Opens the connections, and checks an exchange on each.
pub(crate) fn connect(port: u16, wire: Wire, load: Load) -> io::Result<Vec<Client>> {
    (0..load.connections).map(|_| Client::new(port, wire, load.size)).collect()
}

/// Keeps `load` on the connections. Counts answers for `time` after `warm_up`.
pub(crate) fn run(
    clients: &mut [Client],
    load: Load,
    warm_up: Duration,
    time: Duration,
    begin: impl FnOnce(),
) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    for (number, client) in clients.iter_mut().enumerate() {
        poll.registry().register(&mut client.stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        client.ask(load.outstanding)?;
    }
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; READ];
    let mut delays = Vec::new();
    let single = load.outstanding == 1;
    let mut sample = Sample::default();
    let mut window = Window::new(warm_up, time, begin);
    while !window.is_over() {
        poll.poll(&mut events, Some(Duration::from_secs(5)))?;
        if events.is_empty() {
            return Err(io::Error::other("no answer for 5 s"));
        }
        for event in &events {
            let client = &mut clients[event.token().0];
            let answered = client.serve(&mut buffer)?;
            sample.messages += answered as u64;
            if single && answered > 0 && window.counts() {
                delays.push(client.asked.elapsed());
            }
            client.ask(answered)?;
        }
        window.tick(&mut sample);
    }
    delays.sort_unstable();
    sample.median = delays.get(delays.len() / 2).copied();
    Ok(sample)
}

impl Client {
    fn new(port: u16, wire: Wire, size: usize) -> io::Result<Self> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // Dropped by RST at the end: ten thousand sockets in TIME-WAIT would be in the way of the next server.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut answer = Vec::new();
        let mut exchange = |step: Step| -> io::Result<Vec<u8>> {
            stream.write_all(&step.send)?;
            answer.resize(step.read, 0);
            stream.read_exact(&mut answer)?;
            Ok(answer.clone())
        };
        if let Some(greeting) = wire.greeting() {
            exchange(greeting)?;
        }
        let mut send = Vec::new();
        wire.request(&mut send, 1, size);
        let answer = exchange(Step { send, read: wire.answer_size(size) })?;
        if !wire.is_right(&answer, size) {
            return Err(io::Error::other(format!("the answer does not have the request's message: {answer:02x?}")));
        }
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Self { stream, wire, size, out: Vec::new(), written: 0, partial: 0, next: 2, asked: Instant::now() })
    }

    /// Writes what waits and reads what came. Returns the number of answers.
    fn serve(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.write()?;
        let answer = self.wire.answer_size(self.size);
        let mut answered = 0;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server has closed")),
                Ok(count) => {
                    answered += (self.partial + count) / answer;
                    self.partial = (self.partial + count) % answer;
                    if count < buffer.len() {
                        return Ok(answered);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(answered),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends `count` more requests.
    fn ask(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.asked = Instant::now();
        let request = self.wire.request_size(self.size);
        let first = if self.written == self.out.len() {
            self.written = 0;
            // Requests of the last time are used again: only their numbers change.
            self.out.truncate(count * request);
            0
        } else {
            self.out.len() / request
        };
        while self.out.len() < (first + count) * request {
            self.wire.request(&mut self.out, 0, self.size);
        }
        if let Some(at) = self.wire.number_at() {
            for place in self.out[first * request..].chunks_exact_mut(request) {
                place[at..at + 8].copy_from_slice(&self.next.to_be_bytes());
                self.next += 1;
            }
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

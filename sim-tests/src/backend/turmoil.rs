//! The real client and server of `echo-net` on turmoil, with this crate's links as the network.
//!
//! turmoil holds every packet, and the links say when each is delivered, so a packet takes the same way here and on
//! the pair. Two things turmoil cannot do are done here: a RST on demand is the FIN of the socket that was dropped,
//! turned into a RST on the way; and a socket that was closed and gets a FIN answers with RST in turmoil, though
//! Linux would acknowledge it - the peer has ended by then, so nobody sees the difference.

use super::Backend;
use super::tap::{Handle, SharedBoard, Tap, lock};
use crate::board::{Board, Unit, What};
use crate::director::{Director, Order};
use crate::ear::{Ear, Segment};
use crate::link::Links;
use crate::record::{Ending, Record, ending, is_at_rest};
use crate::scenario::{Action, Refusal, Scenario, Wire};
use crate::setting;
use echo_core::Role;
use echo_net::{Client, ClientConfig, Clock, Listener, Report, ServerConfig, Transport, converse_plainly, serve};
use std::future::{pending, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc};
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Protocol, Sim};

const TICK: Duration = Duration::from_millis(1);
const PORT: u16 = 4007;
/// More segments than any run has: a FIN behind a full queue is never seen in turmoil 0.7.2.
const CAPACITY: usize = 1 << 16;

pub(super) fn run(scenario: &Scenario) -> Result<Record, Refusal> {
    let mut stage = Stage::new(scenario);
    let over = stage.run(setting::budget(scenario))?;
    let mut board = lock(&stage.board);
    let over_at = over.then_some(board.now());
    let entries = std::mem::take(&mut *board).into_entries();
    Ok(Record {
        scenario: scenario.clone(),
        backend: Backend::Turmoil,
        over_at,
        unreached: stage.director.left(),
        entries,
    })
}

// ---- the stage: both hosts, the network between them, and the director ----

struct Stage {
    sim: Sim<'static>,
    board: SharedBoard,
    director: Director,
    links: Links<Parcel>,
    /// What turmoil holds, in its order.
    held: Vec<Held>,
    client: Host,
    server: Host,
    client_address: IpAddr,
    wire: Wire,
}

/// What the harness has of a host.
struct Host {
    commands: mpsc::UnboundedSender<Command>,
    handle: Slot,
    /// It has lost its power.
    dark: bool,
}

type Slot = Arc<Mutex<Option<Handle<Stream>>>>;

#[derive(Clone, Copy, Debug)]
enum Command {
    Act(Action),
    Ask(u64),
}

/// What the links have of a packet.
#[derive(Clone, Copy, Debug)]
enum Parcel {
    /// The first of its direction that turmoil holds.
    Deliver,
    /// A FIN that means RST.
    Reset,
}

/// What became of a packet that turmoil holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Waits(Role),
    /// It is delivered at once.
    Leaves,
    /// It stays with turmoil for ever.
    Dead,
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let mut builder = turmoil::Builder::new();
        builder.rng_seed(1).tick_duration(TICK).tcp_capacity(CAPACITY).simulation_duration(Duration::from_secs(3600));
        builder.epoch(UNIX_EPOCH + Duration::from_nanos(setting::EPOCH.0.unsigned_abs()));
        builder.min_message_latency(Duration::ZERO).max_message_latency(Duration::ZERO);
        let mut sim = builder.build();
        let board = SharedBoard::default();
        let client = host(&mut sim, Role::Client, scenario, &board);
        let server = host(&mut sim, Role::Server, scenario, &board);
        sim.hold("client", "server");
        Self {
            client_address: sim.lookup("client"),
            sim,
            board,
            director: Director::new(scenario),
            links: Links::new(scenario),
            held: Vec::new(),
            wire: scenario.wire,
            client,
            server,
        }
    }

    /// Runs until both ends have ended and nothing is under way; `false` if the budget does not suffice.
    fn run(&mut self, budget: u64) -> Result<bool, Refusal> {
        /// A command, or a packet that was just delivered, takes a step to show.
        const QUIET: u32 = 3;
        let (mut seen, mut quiet) = (0, 0);
        for now in 1..=budget {
            lock(&self.board).advance(now);
            self.sim.step().map_err(|error| Refusal(format!("turmoil: {error}")))?;
            self.carry();
            self.direct();
            let board = lock(&self.board);
            if board.entries().len() != seen || self.links.next_due().is_some() {
                (seen, quiet) = (board.entries().len(), 0);
                continue;
            }
            quiet += 1;
            let entries = board.entries();
            let client_is_over = ending(entries, Role::Client) != Ending::Open || is_at_rest(entries, self.wire);
            if quiet >= QUIET && client_is_over && ending(entries, Role::Server) != Ending::Open {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the new packets onto the links, and delivers those that are due in the next step.
    fn carry(&mut self) {
        let mut board = lock(&self.board);
        let Self { sim, links, held, client, server, client_address, .. } = self;
        sim.links(|all| {
            for (index, message) in all.flatten().enumerate() {
                if index < held.len() {
                    continue;
                }
                let from = if message.pair().0.ip() == *client_address { Role::Client } else { Role::Server };
                let host = if from == Role::Client { &*client } else { &*server };
                let state = host.take(from, message.protocol(), links, &mut board);
                if state == Held::Leaves {
                    message.deliver();
                }
                held.push(state);
            }
        });
        let next = board.now() + 1;
        let mut due = [0, 0];
        for side in [Role::Client, Role::Server] {
            while let Some(parcel) = links.pop(side, next) {
                let to = if side == Role::Client { &*server } else { &*client };
                match (parcel, lock(&to.handle).as_ref()) {
                    (Parcel::Deliver, _) => due[side as usize] += 1,
                    (Parcel::Reset, Some(handle)) => handle.reset(),
                    (Parcel::Reset, None) => (),
                }
            }
        }
        let mut kept = Vec::new();
        sim.links(|all| {
            for (message, state) in all.flatten().zip(held.iter()) {
                match state {
                    Held::Waits(from) if due[*from as usize] > 0 => {
                        due[*from as usize] -= 1;
                        message.deliver();
                    }
                    Held::Leaves => (),
                    Held::Waits(_) | Held::Dead => kept.push(*state),
                }
            }
        });
        *held = kept;
    }

    fn direct(&mut self) {
        loop {
            let order = self.director.next(&lock(&self.board));
            match order {
                None => return,
                Some(Order::Ask(seq)) => self.client.command(Command::Ask(seq)),
                Some(Order::Act(side, action)) => self.act(side, action),
                Some(Order::Cut(span)) => {
                    let mut board = lock(&self.board);
                    self.links.cut(board.now(), span);
                    board.note(Role::Client, What::Cut);
                }
            }
        }
    }

    fn act(&mut self, side: Role, action: Action) {
        if ending(lock(&self.board).entries(), side) != Ending::Open {
            return;
        }
        lock(&self.board).note(side, What::Did(action));
        let (host, address) = match side {
            Role::Client => (&mut self.client, "client"),
            Role::Server => (&mut self.server, "server"),
        };
        match action {
            Action::Close | Action::HalfClose | Action::Drop | Action::DropUnread | Action::Abort => {
                host.command(Command::Act(action));
            }
            Action::Crash => self.sim.crash(address),
            Action::Vanish => {
                host.dark = true;
                self.links.lose(side);
                self.sim.crash(address);
            }
        }
    }
}

impl Host {
    fn command(&self, command: Command) {
        // A host that has crashed takes no commands.
        let _ = self.commands.send(command);
    }

    /// Takes a packet that this host has just sent onto the links.
    fn take(&self, from: Role, message: &Protocol, links: &mut Links<Parcel>, board: &mut Board) -> Held {
        let (aborted, reset) = match &*lock(&self.handle) {
            Some(handle) => (handle.is_aborted(), handle.is_reset()),
            None => (false, false),
        };
        let Protocol::Tcp(segment) = message else { return Held::Dead };
        let (segment, parcel) = match segment {
            // Connecting takes no time: a conversation begins when it is done.
            turmoil::Segment::Syn(_) => return Held::Leaves,
            turmoil::Segment::Data(_, bytes) => (Segment::Data(bytes.as_ref()), Parcel::Deliver),
            turmoil::Segment::Fin(_) if reset || self.dark => return Held::Dead,
            turmoil::Segment::Fin(_) if aborted => (Segment::Reset, Parcel::Reset),
            turmoil::Segment::Fin(_) => (Segment::Fin, Parcel::Deliver),
            turmoil::Segment::Rst if self.dark => return Held::Dead,
            turmoil::Segment::Rst => (Segment::Reset, Parcel::Deliver),
        };
        for unit in links.push(board, from, segment, parcel) {
            // What a program sends is noted by its tap; what its kernel sends on its own shows only here.
            let by_kernel = matches!(unit, Unit::Fin | Unit::Reset);
            if by_kernel && !board.has_sent(from, |sent| *sent == unit) {
                board.note(from, What::Sent(unit));
            }
        }
        match parcel {
            Parcel::Deliver => Held::Waits(from),
            Parcel::Reset => Held::Dead,
        }
    }
}

// ---- the hosts ----

fn host(sim: &mut Sim<'static>, role: Role, scenario: &Scenario, board: &SharedBoard) -> Host {
    let (commands, inbox) = mpsc::unbounded_channel();
    let handle = Slot::default();
    let cast = Cast { scenario: scenario.clone(), board: Arc::clone(board), handle: Arc::clone(&handle), role };
    // turmoil wants to be able to start a host again; these are started once.
    let inbox = Mutex::new(Some(inbox));
    let software = move || {
        let (cast, inbox) = (cast.clone(), lock(&inbox).take());
        async move {
            if let Some(inbox) = inbox {
                match (cast.role, cast.scenario.wire) {
                    (Role::Server, _) => cast.serve(inbox).await?,
                    (Role::Client, Wire::Framed | Wire::FramedServerFin) => cast.ask(inbox).await?,
                    (Role::Client, Wire::Plain) => cast.ask_plainly(inbox).await?,
                }
            }
            // A host whose software has returned answers nothing any more, not even for its kernel.
            pending().await
        }
    };
    match role {
        Role::Client => sim.host("client", software),
        Role::Server => sim.host("server", software),
    }
    Host { commands, handle, dark: false }
}

type Inbox = mpsc::UnboundedReceiver<Command>;

/// What the software of a host is given.
#[derive(Clone)]
struct Cast {
    scenario: Scenario,
    board: SharedBoard,
    handle: Slot,
    role: Role,
}

impl Cast {
    fn note(&self, what: What) {
        lock(&self.board).note(self.role, what);
    }

    fn clock() -> Clock {
        Clock { wall: || setting::EPOCH, utc_offset: |_| 0 }
    }

    fn tap(&self, stream: TcpStream) -> (Tap<Stream>, Handle<Stream>) {
        let (tap, handle) = Tap::new(Stream(stream), self.role, &self.scenario, Arc::clone(&self.board));
        *lock(&self.handle) = Some(handle.clone());
        (tap, handle)
    }

    fn poll_unread(&self, cx: &mut Context<'_>) -> Poll<()> {
        lock(&self.handle).as_ref().map_or(Poll::Pending, |handle| handle.poll_unread(cx))
    }

    async fn connect(&self) -> io::Result<(Tap<Stream>, Handle<Stream>)> {
        Ok(self.tap(TcpStream::connect(("server", PORT)).await?))
    }

    fn client_config(&self) -> ClientConfig {
        ClientConfig { connection: setting::config(&self.scenario), clock: Self::clock() }
    }

    /// The framed client.
    async fn ask(&self, mut inbox: Inbox) -> io::Result<()> {
        let (tap, handle) = self.connect().await?;
        let client = Client::start(tap, self.client_config());
        let mut ended = pin!(client.ended());
        loop {
            tokio::select! { biased;
                command = inbox.recv() => match command {
                    Some(Command::Ask(seq)) => self.request(client.clone(), seq),
                    Some(Command::Act(Action::Close)) => {
                        let client = client.clone();
                        tokio::task::spawn_local(async move { client.close().await });
                    }
                    Some(Command::Act(action)) => take_action(&handle, action).await,
                    None => return Ok(()),
                },
                () = poll_fn(|cx| handle.poll_unread(cx)) => pending().await,
                outcome = &mut ended => {
                    self.note(What::Ended(outcome));
                    pending().await

                }
            }
        }
    }

    fn request(&self, client: Client, seq: u64) {
        let Some(payload) = setting::payload_of(&self.scenario, seq) else { return };
        let cast = self.clone();
        tokio::task::spawn_local(async move {
            // What is refused, or never answered, shows in the account.
            if let Ok(answer) = client.request(payload).await {
                cast.note(What::Handed(answer.seq));
            }
        });
    }

    /// The plain client.
    async fn ask_plainly(&self, mut inbox: Inbox) -> io::Result<()> {
        let (tap, handle) = self.connect().await?;
        let (sender, outgoing) = mpsc::channel(CAPACITY);
        let mut sender = Some(sender);
        let mut ear = Ear::new(Role::Server, &self.scenario);
        let mut ended = pin!(converse_plainly(tap, self.client_config(), outgoing, |text| {
            for unit in ear.hear(Segment::Data(text)) {
                if let Unit::Answer(seq) = unit {
                    self.note(What::Handed(seq));
                }
            }
        }));
        loop {
            tokio::select! { biased;
                command = inbox.recv() => match command {
                    Some(Command::Ask(seq)) => {
                        if let (Some(sender), Some(line)) = (&sender, setting::payload_of(&self.scenario, seq)) {
                            // A conversation that is over takes no more lines.
                            let _ = sender.send(line).await;
                        }
                    }
                    Some(Command::Act(Action::Close)) => sender = None,
                    Some(Command::Act(action)) => take_action(&handle, action).await,
                    None => return Ok(()),
                },
                () = poll_fn(|cx| handle.poll_unread(cx)) => pending().await,
                outcome = &mut ended => {
                    self.note(What::Ended(outcome));
                    pending().await

                }
            }
        }
    }

    /// The server.
    async fn serve(&self, mut inbox: Inbox) -> io::Result<()> {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        let (stop, accepted) = (Notify::new(), Notify::new());
        let config = ServerConfig {
            connection: setting::config(&self.scenario),
            clock: Self::clock(),
            farewell: setting::servers_farewell(),
            ..ServerConfig::default()
        };
        let accepted = Arc::new(accepted);
        let listener = Door { listener, cast: self.clone(), accepted: Arc::clone(&accepted) };
        let mut serving = pin!(serve(listener, config, stop.notified()));
        // Its one conversation is all this server serves: then its report is due.
        let mut over = pin!(async {
            accepted.notified().await;
            let handle = lock(&self.handle).clone();
            poll_fn(|cx| handle.as_ref().map_or(Poll::Pending, |handle| handle.poll_gone(cx))).await;
            stop.notify_one();
            pending::<()>().await;
        });
        loop {
            tokio::select! { biased;
                command = inbox.recv() => match command {
                    Some(Command::Act(Action::Close)) => stop.notify_one(),
                    Some(Command::Act(action)) => {
                        let handle = lock(&self.handle).clone();
                        if let Some(handle) = handle {
                            take_action(&handle, action).await;
                        }
                    }
                    Some(Command::Ask(_)) => (),
                    None => return Ok(()),
                },
                () = poll_fn(|cx| self.poll_unread(cx)) => pending().await,
                report = &mut serving => {
                    self.note(What::EndedAs(only_outcome(&report)));
                    pending().await

                }
                () = &mut over => (),
            }
        }
    }
}

/// Carries out an action below the protocol; never returns if it takes the program away.
async fn take_action(handle: &Handle<Stream>, action: Action) {
    handle.act(action);
    match action {
        Action::Close | Action::HalfClose | Action::DropUnread => (),
        Action::Drop | Action::Abort | Action::Crash | Action::Vanish => pending().await,
    }
}

fn only_outcome(report: &Report) -> &'static str {
    report.outcomes.keys().next().copied().unwrap_or("no outcome")
}

/// Accepts, and puts a tap on what it accepts.
struct Door {
    listener: TcpListener,
    cast: Cast,
    accepted: Arc<Notify>,
}

impl Listener for Door {
    type Stream = Tap<Stream>;

    async fn accept(&mut self) -> io::Result<(Self::Stream, String)> {
        let (stream, _) = self.listener.accept().await?;
        let (tap, _) = self.cast.tap(stream);
        self.accepted.notify_one();
        Ok((tap, "client".to_owned()))
    }
}

/// turmoil's stream as a transport. Its `abort` is the tap's business.
#[derive(Debug)]
struct Stream(TcpStream);

impl Transport for Stream {}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

//! The real client and server of `echo-net` on turmoil, with this crate's links as the network.
//!
//! turmoil holds every packet, and the links say when each is delivered, so a packet takes the same way here and on
//! the pair. Two things turmoil cannot do are done here: a RST on demand is the FIN of the socket that was dropped,
//! turned into a RST on the way; and a socket that was closed and gets a FIN answers with RST in turmoil, though
//! Linux would acknowledge it - the peer has ended by then, so nobody sees the difference.

mod cast;
mod tap;

use self::cast::{Cast, Command, Slot};
use self::tap::{Handle, SharedBoard, lock};
use super::Backend;
use crate::board::{Board, Unit, What, other};
use crate::director::{Director, Order};
use crate::ear::Segment;
use crate::link::{Arrival, Kind};
use crate::plan::{Action, Millis, Point, Refusal, Step};
use crate::post::Post;
use crate::record::{Ending, Record, ending};
use crate::scenario::Scenario;
use crate::setting;
use echo_core::Role;
use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::mpsc;
use turmoil::{Protocol, Sim};

const TICK: Duration = Duration::from_millis(1);
/// More segments than any run has: a FIN behind a full queue is never seen in turmoil 0.7.2.
const CAPACITY: usize = 1 << 16;

pub(super) fn run(scenario: &Scenario, budget: Millis) -> Result<Record, Refusal> {
    let mut stage = Stage::new(scenario);
    let over = stage.run(budget)?;
    let mut board = lock(&stage.board);
    let over_at = over.then_some(board.now());
    let entries = std::mem::take(&mut *board).into_entries();
    Ok(Record {
        scenario: scenario.clone(),
        backend: Backend::Turmoil,
        over_at,
        budget,
        unreached: [stage.director.left(), stage.post.left()].concat(),
        entries,
    })
}

/// Both hosts, the network between them, and the director.
struct Stage {
    sim: Sim<'static>,
    board: SharedBoard,
    director: Director,
    post: Post<Parcel>,
    /// What turmoil holds, in its order.
    held: Vec<Held>,
    client: Host,
    server: Host,
    client_address: IpAddr,
    /// Whom the plan holds up no more at which point, once they know what they are to do.
    releases: Vec<(Role, Point)>,
}

/// What the harness has of a host.
struct Host {
    commands: mpsc::UnboundedSender<Command>,
    handle: Slot,
    /// It has lost its power.
    dark: bool,
    /// Its process has died: its kernel answers data with RST, which turmoil's does not.
    crashed: bool,
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
            post: Post::new(scenario),
            held: Vec::new(),
            client,
            server,
            releases: Vec::new(),
        }
    }

    /// Runs until both ends have ended and nothing is under way; `false` if the budget does not suffice.
    fn run(&mut self, budget: Millis) -> Result<bool, Refusal> {
        /// A command, or a packet that was just delivered, takes a step to show.
        const QUIET: u32 = 3;
        self.connect()?;
        let (mut seen, mut quiet, mut ahead) = (0, 0, 0);
        for now in 1..=budget {
            lock(&self.board).advance(now);
            // The hosts' clocks ran ahead where an order took a step of its own; they wait when nothing is under way.
            if ahead > 0 && !self.held.contains(&Held::Leaves) {
                ahead -= 1;
            } else {
                self.step()?;
            }
            self.collect();
            while self.direct() {
                self.step()?;
                self.collect();
                ahead += 1;
            }
            self.deliver();
            let board = lock(&self.board);
            if board.entries().len() != seen || self.post.next_due().is_some() {
                (seen, quiet) = (board.entries().len(), 0);
                continue;
            }
            quiet += 1;
            let is_over = |side| ending(board.entries(), side) != Ending::Open;
            if quiet >= QUIET && is_over(Role::Client) && is_over(Role::Server) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Brings the connection about, in no time, and tells the hosts to begin.
    fn connect(&mut self) -> Result<(), Refusal> {
        /// SYN, its answer, and the accepting of what has come take a step each.
        const STEPS: u32 = 10;
        for _ in 0..STEPS {
            self.step()?;
            self.collect();
            if [&self.client, &self.server].iter().all(|host| lock(&host.handle).is_some()) {
                self.client.command(Command::Begin);
                self.server.command(Command::Begin);
                self.direct();
                return Ok(());
            }
        }
        Err(Refusal("turmoil: the connection did not come about".into()))
    }

    fn step(&mut self) -> Result<(), Refusal> {
        self.sim.step().map(drop).map_err(|error| Refusal(format!("turmoil: {error}")))
    }

    /// Takes the new packets onto the links.
    fn collect(&mut self) {
        let mut board = lock(&self.board);
        let Self { sim, post, held, client, server, client_address, .. } = self;
        held.retain(|state| *state != Held::Leaves);
        sim.links(|all| {
            for message in all.flatten().skip(held.len()).collect::<Vec<_>>() {
                let from = if message.pair().0.ip() == *client_address { Role::Client } else { Role::Server };
                let host = if from == Role::Client { &*client } else { &*server };
                let state = host.take(from, message.protocol(), post, &mut board);
                if state == Held::Leaves {
                    message.deliver();
                }
                held.push(state);
            }
        });
        for (from, host) in [(Role::Client, client), (Role::Server, server)] {
            let owes = lock(&host.handle).as_ref().is_some_and(Handle::owes_reset);
            if owes && !host.dark {
                post.push(&mut board, from, Segment::Reset, Parcel::Reset);
                board.note(from, What::Sent(Unit::Reset));
            }
        }
    }

    /// Delivers what is due in the next step.
    fn deliver(&mut self) {
        let mut board = lock(&self.board);
        let Self { sim, post, held, client, server, .. } = self;
        let next = board.now() + 1;
        let (mut due, mut refused) = ([0, 0], [false, false]);
        for side in [Role::Client, Role::Server] {
            while let Some(arrival) = post.pop(&mut board, side, next) {
                let to = if side == Role::Client { &*server } else { &*client };
                match (arrival, lock(&to.handle).as_ref()) {
                    (Arrival::Packet(Parcel::Deliver), _) => due[side as usize] += 1,
                    (Arrival::Packet(Parcel::Reset) | Arrival::Made(Kind::Reset), Some(handle)) => handle.reset(),
                    (Arrival::Made(Kind::Fin), Some(handle)) => handle.fin(),
                    (Arrival::Packet(Parcel::Reset) | Arrival::Made(_), _) => (),
                }
            }
        }
        sim.links(|all| {
            for (message, state) in all.flatten().zip(held.iter_mut()) {
                if let Held::Waits(from) = *state
                    && due[from as usize] > 0
                {
                    due[from as usize] -= 1;
                    let to = if from == Role::Client { &*server } else { &*client };
                    refused[from as usize] |= to.crashed && is_data(message.protocol());
                    message.deliver();
                    *state = Held::Leaves;
                }
            }
        });
        for from in [Role::Client, Role::Server] {
            if refused[from as usize] && !board.has_sent(other(from), |sent| *sent == Unit::Reset) {
                post.push(&mut board, other(from), Segment::Reset, Parcel::Reset);
                board.note(other(from), What::Sent(Unit::Reset));
            }
        }
    }

    /// Tells the hosts what is due; whether anything was.
    fn direct(&mut self) -> bool {
        let mut any = !self.releases.is_empty();
        for (side, point) in std::mem::take(&mut self.releases) {
            if let Some(handle) = lock(&self.host(side).handle).as_ref() {
                handle.release(point);
            }
        }
        loop {
            let order = self.director.next(&lock(&self.board));
            match order {
                None => return any,
                Some(Order::Ask { from, to }) => (from..=to).for_each(|seq| self.client.command(Command::Ask(seq))),
                Some(Order::Act(side, step)) => self.act(side, step),
                Some(Order::Deafen(side)) => {
                    if let Some(handle) = lock(&self.host(side).handle).as_ref() {
                        handle.deafen();
                    }
                }
                Some(Order::Cut(span)) => {
                    let mut board = lock(&self.board);
                    self.post.cut(board.now(), span);
                    board.note(Role::Client, What::Cut);
                }
            }
            any = true;
        }
    }

    fn host(&mut self, side: Role) -> &mut Host {
        match side {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn act(&mut self, side: Role, step: Step) {
        if ending(lock(&self.board).entries(), side) != Ending::Open {
            return self.director.miss(side, step);
        }
        lock(&self.board).note(side, What::Did(step.action));
        self.releases.push((side, step.point));
        let host = self.host(side);
        match step.action {
            Action::Close | Action::HalfClose | Action::Drop | Action::DropUnread | Action::Abort | Action::Violate => {
                host.command(Command::Act(step));
            }
            Action::Crash => {
                host.crashed = true;
                self.sim.crash(address(side));
            }
            Action::Vanish => {
                host.dark = true;
                self.post.lose(side);
                self.sim.crash(address(side));
            }
        }
    }
}

fn is_data(message: &Protocol) -> bool {
    matches!(message, Protocol::Tcp(turmoil::Segment::Data(..)))
}

/// The name of an end's host.
fn address(side: Role) -> &'static str {
    match side {
        Role::Client => "client",
        Role::Server => "server",
    }
}

impl Host {
    fn command(&self, command: Command) {
        // A host that has crashed takes no commands.
        let _ = self.commands.send(command);
    }

    /// Takes a packet that this host has just sent onto the links.
    fn take(&self, from: Role, message: &Protocol, post: &mut Post<Parcel>, board: &mut Board) -> Held {
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
        for unit in post.push(board, from, segment, parcel) {
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

/// Starts the host of `role`.
fn host(sim: &mut Sim<'static>, role: Role, scenario: &Scenario, board: &SharedBoard) -> Host {
    let (commands, inbox) = mpsc::unbounded_channel();
    let handle = Slot::default();
    let cast = Cast::new(role, scenario, Arc::clone(board), Arc::clone(&handle));
    // turmoil wants to be able to start a host again; these are started once.
    let inbox = Mutex::new(Some(inbox));
    let software = move || {
        let (cast, inbox) = (cast.clone(), lock(&inbox).take());
        async move {
            if let Some(inbox) = inbox {
                cast.play(inbox).await?;
            }
            // A host whose software has returned answers nothing any more, not even for its kernel.
            pending().await
        }
    };
    match role {
        Role::Client => sim.host("client", software),
        Role::Server => sim.host("server", software),
    }
    Host { commands, handle, dark: false, crashed: false }
}

//! What runs on a host: a program of `echo-net` with an instrumented stream, which takes commands of the step
//! scheduler.

use super::Net;
use super::call::CallEnd;
use super::instrumented_stream::{InstrumentedStream, SharedLog, StreamControl, lock};
use crate::record::event_log::{LogEvent, Unit};
use crate::record::wire_decoder::{StreamChunk, WireDecoder};
use crate::scenario::defaults;
use crate::scenario::plan::{Action, Step};
use crate::scenario::{Scenario, Wire};
use crate::support::Millis;
use echo_core::{Config, Deadline, Role};
use echo_net::{
    Client, ClientConfig, Clock, Echo, Listener, OnEnd, Request, Response, ServerConfig, Service, Transport,
};
use echo_net::{converse_plainly, serve, service_fn};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Capacity of the queue of a plain client, in lines: more than any scenario sends.
const LINES: usize = 1 << 16;

/// A command of the step scheduler for a program.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) enum ProgramCommand {
    /// Starts the program: both sides are connected.
    Begin,
    Act(Step),
    Ask(u64),
}

/// The instrumented stream of a host's connection, once there is one.
pub(in crate::backend) type Slot<S> = Arc<Mutex<Option<StreamControl<S>>>>;

type Sender = mpsc::Sender<Vec<u8>>;

pub(in crate::backend) type Inbox = mpsc::UnboundedReceiver<ProgramCommand>;

/// The program of a host, and what it needs to run.
pub(in crate::backend) struct HostProgram<N: Net> {
    scenario: Scenario,
    /// How many milliseconds of the program's clock are one of the scenario.
    scale: u32,
    log: SharedLog,
    handle: Slot<N::Stream>,
    role: Role,
    net: N,
}

impl<N: Net> Clone for HostProgram<N> {
    fn clone(&self) -> Self {
        let Self { scenario, scale, log, handle, role, net } = self;
        Self::new(*role, scenario, *scale, Arc::clone(log), Arc::clone(handle), net.clone())
    }
}

impl<N: Net> HostProgram<N> {
    pub(in crate::backend) fn new(
        role: Role,
        scenario: &Scenario,
        scale: u32,
        log: SharedLog,
        handle: Slot<N::Stream>,
        net: N,
    ) -> Self {
        Self { scenario: scenario.clone(), scale, log, handle, role, net }
    }

    /// Runs the program until its host ends.
    pub(in crate::backend) async fn play(&self, inbox: Inbox) -> io::Result<()> {
        match (self.role, self.scenario.wire) {
            (Role::Server, _) => self.serve(inbox).await,
            (Role::Client, Wire::Framed | Wire::FramedServerFin) => self.ask(inbox).await,
            (Role::Client, Wire::Plain) => self.ask_plainly(inbox).await,
        }
    }

    fn note(&self, what: LogEvent) {
        lock(&self.log).note(self.role, what);
    }

    fn stream(&self, stream: N::Stream) -> (InstrumentedStream<N::Stream>, StreamControl<N::Stream>) {
        let (stream, handle) = InstrumentedStream::new(stream, self.role, &self.scenario, Arc::clone(&self.log));
        *lock(&self.handle) = Some(handle.clone());
        (stream, handle)
    }

    fn poll_drop_unread(&self, cx: &mut Context<'_>) -> Poll<()> {
        lock(&self.handle).as_ref().map_or(Poll::Pending, |handle| handle.poll_drop_unread(cx))
    }

    async fn connect(&self) -> io::Result<(InstrumentedStream<N::Stream>, StreamControl<N::Stream>)> {
        Ok(self.stream(self.net.connect().await?))
    }

    fn config(&self) -> Config {
        let mut config = defaults::config(&self.scenario, self.role);
        for deadline in Deadline::ALL {
            config.deadlines.set(deadline, self.scale * config.deadlines.length(deadline));
        }
        config.quiet *= self.scale;
        config
    }

    fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        config.connection = self.config();
        config.clock = Clock::simulated(|| defaults::EPOCH);
        config
    }

    /// Runs the framed client.
    async fn ask(&self, mut inbox: Inbox) -> io::Result<()> {
        let (stream, handle) = self.connect().await?;
        // The first command is `Begin`.
        inbox.recv().await;
        let client = Client::start(stream, self.client_config());
        let mut ended = pin!(client.ended());
        loop {
            tokio::select! { biased;
                command = inbox.recv() => match command {
                    Some(command) => self.wish(&client, &handle, command).await,
                    None => return Ok(()),
                },
                () = poll_fn(|cx| handle.poll_drop_unread(cx)) => pending().await,
                outcome = &mut ended => {
                    self.note(LogEvent::Ended(outcome));
                    pending().await
                }
            }
        }
    }

    /// Carries out a command with the framed client.
    async fn wish(&self, client: &Client, handle: &StreamControl<N::Stream>, command: ProgramCommand) {
        match command {
            ProgramCommand::Begin => (),
            ProgramCommand::Ask(seq) => self.request(client.clone(), seq),
            ProgramCommand::Act(step) if step.action == Action::Close => {
                let client = client.clone();
                tokio::task::spawn_local(async move { client.close().await });
            }
            ProgramCommand::Act(step) => take_step(handle, step).await,
        }
    }

    fn request(&self, client: Client, seq: u64) {
        let Some(payload) = self.scenario.payload(seq) else { return };
        let cast = self.clone();
        tokio::task::spawn_local(async move {
            // A request that is refused or never answered is in the account of the outcome.
            if let Ok(answer) = client.request(payload).await {
                cast.note(LogEvent::Handed(answer.seq));
            }
        });
    }

    /// Runs the plain client.
    async fn ask_plainly(&self, mut inbox: Inbox) -> io::Result<()> {
        let (stream, handle) = self.connect().await?;
        // The first command is `Begin`.
        inbox.recv().await;
        let (sender, outgoing) = mpsc::channel(LINES);
        let mut sender = Some(sender);
        let mut decoder = WireDecoder::new(Role::Server, &self.scenario);
        let hand_over = |text: &[u8]| {
            for unit in decoder.decode(StreamChunk::Data(text)) {
                if let Unit::Answer(seq) = unit {
                    self.note(LogEvent::Handed(seq));
                }
            }
        };
        let room = |_: &mut Context<'_>| Poll::Ready(());
        let mut ended = pin!(converse_plainly(stream, self.client_config(), outgoing, hand_over, room));
        loop {
            tokio::select! { biased;
                command = inbox.recv() => match command {
                    Some(command) => self.wish_plainly(&mut sender, &handle, command).await,
                    None => return Ok(()),
                },
                () = poll_fn(|cx| handle.poll_drop_unread(cx)) => pending().await,
                outcome = &mut ended => {
                    self.note(LogEvent::Ended(outcome));
                    pending().await
                }
            }
        }
    }

    /// Carries out a command with the plain client.
    async fn wish_plainly(
        &self,
        sender: &mut Option<Sender>,
        handle: &StreamControl<N::Stream>,
        command: ProgramCommand,
    ) {
        match command {
            ProgramCommand::Begin => (),
            ProgramCommand::Ask(seq) => {
                if let (Some(sender), Some(line)) = (&sender, self.scenario.payload(seq)) {
                    // A conversation that has ended takes no more lines.
                    let _ = sender.send(line).await;
                }
            }
            ProgramCommand::Act(step) if step.action == Action::Close => *sender = None,
            ProgramCommand::Act(step) => take_step(handle, step).await,
        }
    }

    /// Runs the server until its host ends. Only the end of its one conversation is logged.
    async fn serve(&self, mut inbox: Inbox) -> io::Result<()> {
        let listener = self.net.bind().await?;
        let stop = Notify::new();
        let witness = self.clone();
        let mut config = ServerConfig::default();
        config.connection = self.config();
        config.clock = Clock::simulated(|| defaults::EPOCH);
        config.close_reason = defaults::server_close_reason();
        // A scenario's handler takes as long as it says.
        (config.call_deadline, config.ending_call_deadline) = (Duration::MAX, Duration::MAX);
        config.on_end = OnEnd::call(move |ended| witness.note(LogEvent::Ended(ended.outcome.clone())));
        let begin = Arc::new(Notify::new());
        let door = InstrumentedListener { listener, cast: self.clone(), begin: Arc::clone(&begin) };
        let mut serving = pin!(async {
            match self.scenario.overrides.handler {
                None => serve(door, Echo, config, stop.notified()).await,
                Some(millis) => serve(door, self.service(millis), config, stop.notified()).await,
            }
        });
        loop {
            tokio::select! { biased;
                // The server is polled first, so that it accepts a pending connection before it gets the next command.
                _ = &mut serving => pending().await,
                command = inbox.recv() => match command {
                    Some(ProgramCommand::Begin) => begin.notify_one(),
                    Some(ProgramCommand::Act(step)) => self.act_as_server(step, &stop).await,
                    Some(ProgramCommand::Ask(_)) => (),
                    None => return Ok(()),
                },
                () = poll_fn(|cx| self.poll_drop_unread(cx)) => pending().await,
            }
        }
    }

    /// Returns a service that answers each request after this time.
    fn service(&self, millis: Millis) -> impl Service + use<N> {
        let (handle, takes) = (Arc::clone(&self.handle), self.scale * Duration::from_millis(millis));
        service_fn(move |request: Request| {
            let end = CallEnd::new(Arc::clone(&handle), Instant::now() + takes);
            async move {
                end.wait().await;
                Ok::<_, Infallible>(Response::new(request.payload))
            }
        })
    }

    async fn act_as_server(&self, step: Step, stop: &Notify) {
        let handle = lock(&self.handle).clone();
        let Some(handle) = handle else { return };
        if step.action == Action::Close {
            stop.notify_one();
        } else {
            take_step(&handle, step).await;
        }
    }
}

/// Carries out a step on the stream. Never returns if the step ends the program.
async fn take_step<S: Transport>(handle: &StreamControl<S>, step: Step) {
    handle.act(step);
    match step.action {
        Action::Close | Action::HalfClose | Action::DropUnread | Action::Violate => (),
        Action::Drop | Action::Abort | Action::Crash | Action::Vanish => pending().await,
    }
}

/// Accepts streams, and wraps each in an instrumented stream.
struct InstrumentedListener<N: Net> {
    listener: N::Listener,
    cast: HostProgram<N>,
    begin: Arc<Notify>,
}

impl<N: Net> Listener for InstrumentedListener<N> {
    type Stream = InstrumentedStream<N::Stream>;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(Self::Stream, &'static str)> {
        let stream = N::accept(&mut self.listener).await?;
        let (stream, _) = self.cast.stream(stream);
        self.begin.notified().await;
        Ok((stream, "client"))
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("server")
    }
}

//! The trial: two programs, the check of their runs, and the settings.

use super::TICK;
use super::net::TrialNet;
use super::network::TrialNetwork;
use super::packets::{PacketRule, TrialPacket, TrialPacketFate};
use super::run::TrialRun;
use super::scenario::InjectedFault;
use super::simulation::{Details, Limits, Programs};
use super::stream::TrialStream;
use crate::support::Millis;
use echo_core::Role;
use std::fmt::{self, Debug};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(super) type Check<C, S> = Rc<dyn Fn(&TrialRun<C, S>) -> Result<(), String>>;

/// Two programs, the check of their runs, and the settings.
pub struct Trial<C, S> {
    pub(super) programs: Rc<Programs<C, S>>,
    pub(super) check: Check<C, S>,
    /// What is allowed and surprising.
    pub(super) surprises: Check<C, S>,
    pub(super) networks: Vec<TrialNetwork>,
    pub(super) buffers: Vec<usize>,
    /// For the packets of all runs.
    pub(super) rule: Option<PacketRule>,
    pub(super) faults: Vec<InjectedFault>,
    pub(super) time_wait: TimeWait,
    pub(super) limits: Limits,
    pub(super) details: Details,
    /// What has to be noted in at least one run.
    pub(super) must_happen: Vec<String>,
    /// How many points of a side have faults; `None` is all.
    pub(super) sample: Option<usize>,
    pub(super) may_hang: bool,
    pub(super) strict: bool,
}

/// The side that has to hold TIME_WAIT when no fault is injected: the one that sends FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeWait {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Either side: nothing is checked.
    Any,
}

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Creates a trial of `client` and `server` on all networks with all faults. Each run has at most 30 s of virtual
    /// time; each direction has room for 64 KiB where the network says nothing else.
    ///
    /// `check` is called with every run, including the undisturbed ones. Its error is one line; errors that differ only
    /// in numbers count as the same.
    pub fn new<CF, SF>(
        client: impl Fn(TrialStream) -> CF + 'static,
        server: impl Fn(TrialStream) -> SF + 'static,
        check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static,
    ) -> Self
    where
        CF: Future<Output = C> + 'static,
        SF: Future<Output = S> + 'static,
    {
        let (client, server) = (move |stream| boxed(client(stream)), move |stream| boxed(server(stream)));
        Self::of(Programs::Stream(Rc::new(client), Rc::new(server)), check)
    }

    /// Creates a trial of programs that connect themselves, once or more often: each is given a [`TrialNet`]. The client is
    /// the side whose end is waited for. The server may serve for ever; it only has to close its connections.
    ///
    /// The I/O events of a side are those of all its connections, and those of connecting and accepting. The faults are
    /// [`InjectedFault::OF_NETWORK`]. All else is as with [`Trial::new`].
    ///
    /// ```
    /// use sim_tests::trial::{Trial, TrialNet, TrialRun};
    /// use std::io;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// async fn client(net: TrialNet) -> io::Result<u8> {
    ///     let mut stream = net.connect(80).await?;
    ///     stream.write_u8(1).await?;
    ///     stream.read_u8().await
    /// }
    ///
    /// async fn server(net: TrialNet) -> io::Result<()> {
    ///     let listener = net.listen(80)?;
    ///     loop {
    ///         // A server that ended when an accept fails would not be there for the next client.
    ///         let Ok((mut stream, _)) = listener.accept().await else { continue };
    ///         tokio::spawn(async move {
    ///             let number = stream.read_u8().await?;
    ///             stream.write_u8(number + 1).await
    ///         });
    ///     }
    /// }
    ///
    /// fn check(run: &TrialRun<io::Result<u8>, io::Result<()>>) -> Result<(), String> {
    ///     match run.client.returned() {
    ///         Some(Ok(number)) if *number != 2 => Err(format!("1 and 1 is {number}")),
    ///         _ => Ok(()),
    ///     }
    /// }
    ///
    /// // Neither has deadlines, so both may wait for ever when the other vanishes.
    /// let report = Trial::of_network(client, server, check).may_hang().run();
    /// assert!(report.is_clean(), "{report}");
    /// ```
    pub fn of_network<CF, SF>(
        client: impl Fn(TrialNet) -> CF + 'static,
        server: impl Fn(TrialNet) -> SF + 'static,
        check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static,
    ) -> Self
    where
        CF: Future<Output = C> + 'static,
        SF: Future<Output = S> + 'static,
    {
        let (client, server) = (move |net| boxed(client(net)), move |net| boxed(server(net)));
        Self::of(Programs::Network(Rc::new(client), Rc::new(server)), check)
    }

    fn of(programs: Programs<C, S>, check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static) -> Self {
        let form = programs.form();
        Self {
            programs: Rc::new(programs),
            check: Rc::new(check),
            surprises: Rc::new(|_| Ok(())),
            networks: TrialNetwork::ALL.to_vec(),
            buffers: Vec::new(),
            rule: None,
            faults: form.faults().to_vec(),
            time_wait: TimeWait::Any,
            limits: Limits {
                form,
                budget: 30_000,
                buffer: 64 << 10,
                events: 10_000,
                exits: false,
                restarts: None,
                details: None,
            },
            details: Details::default(),
            must_happen: Vec::new(),
            sample: None,
            may_hang: false,
            strict: false,
        }
    }

    /// Runs only on these networks.
    #[must_use]
    pub fn networks(mut self, networks: &[TrialNetwork]) -> Self {
        self.networks = networks.to_vec();
        self
    }

    /// Injects only these faults.
    #[must_use]
    pub fn faults(mut self, faults: &[InjectedFault]) -> Self {
        self.faults = faults.to_vec();
        self
    }

    /// Decides what becomes of each packet, on every network: a network of your own.
    ///
    /// ```
    /// use sim_tests::trial::{Role, Trial, TrialPacketFate, TrialPacketKind, TrialStream};
    ///
    /// # async fn program(_: TrialStream) {}
    /// // The server's FIN is lost the first time.
    /// let trial = Trial::new(program, program, |_| Ok(())).packets(|packet| match (packet.from, packet.kind) {
    ///     (Role::Server, TrialPacketKind::Fin) => TrialPacketFate::Lose,
    ///     _ => TrialPacketFate::Pass,
    /// });
    /// assert!(trial.run().is_clean());
    /// ```
    #[must_use]
    pub fn packets(mut self, rule: impl Fn(&TrialPacket<'_>) -> TrialPacketFate + Send + Sync + 'static) -> Self {
        self.rule = Some(PacketRule(Arc::new(rule)));
        self
    }

    /// Sets the side that has to hold TIME_WAIT in runs without a fault and without a relay.
    #[must_use]
    pub fn time_wait(mut self, side: TimeWait) -> Self {
        self.time_wait = side;
        self
    }

    /// Sets the limit of virtual time for one run; at least one step of 5 ms.
    #[must_use]
    pub fn budget(mut self, time: Duration) -> Self {
        self.limits.budget = Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX / 2).clamp(TICK, Millis::MAX / 2);
        self
    }

    /// Sets how many bytes a side may write that its peer has not read; at least one.
    #[must_use]
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.limits.buffer = bytes.max(1);
        self
    }

    /// Runs on each network with each of these buffers ([`TrialNetwork::buffer`]), in bytes. A network that names its own is
    /// run once.
    #[must_use]
    pub fn buffers(mut self, bytes: &[usize]) -> Self {
        self.buffers = bytes.to_vec();
        self
    }

    /// Sets how many I/O events a side may have. Default 10,000. A side with more is stopped, and has never ended.
    #[must_use]
    pub fn most_events(mut self, events: usize) -> Self {
        self.limits.events = events;
        self
    }

    /// Ends a program when its future returns, with all tasks that it has spawned, as a process does at the end of
    /// `main`. Without it, tasks go on, and one that never ends is a failure. On Linux, where a finding is confirmed, tasks
    /// go on in any case.
    #[must_use]
    pub fn exit_on_return(mut self) -> Self {
        self.limits.exits = true;
        self
    }

    /// Starts a program again so long after a crash has ended it.
    #[must_use]
    pub fn restarts(mut self, after: Duration) -> Self {
        self.limits.restarts = Some(Millis::try_from(after.as_millis()).unwrap_or(Millis::MAX / 2));
        self
    }

    /// Sets what ladders call the bytes that a side has read or written, such as the name of a frame. Without it, they show
    /// the first 16 bytes. A read or a write may have any part of a message.
    #[must_use]
    pub fn label(mut self, label: fn(Role, &[u8]) -> String) -> Self {
        self.details.label = Some(label);
        self
    }

    /// Shows in ladders what the programs send to `tracing`, up to this level.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing(mut self, level: tracing::level_filters::LevelFilter) -> Self {
        self.details.tracing = Some(level);
        self
    }

    /// Adds a second check, for what is allowed and surprising. Its errors are [`TrialReport::surprises`](super::TrialReport::surprises), and no failures.
    #[must_use]
    pub fn surprises(mut self, check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static) -> Self {
        self.surprises = Rc::new(check);
        self
    }

    /// Takes the check for one of what is allowed and surprising ([`Trial::surprises`]), so that its errors are no failures.
    #[must_use]
    pub fn only_surprises(mut self) -> Self {
        self.surprises = std::mem::replace(&mut self.check, Rc::new(|_| Ok(())));
        self
    }

    /// Requires that a program notes this ([`note`](super::note)) in at least one run: a trial that never comes to the place
    /// that it is about proves nothing. If it does not, that is a failure ([`FindingKind::NeverHappened`]).
    ///
    /// [`FindingKind::NeverHappened`]: super::FindingKind::NeverHappened
    #[must_use]
    pub fn must_happen(mut self, note: impl Into<String>) -> Self {
        self.must_happen.push(note.into());
        self
    }

    /// Injects faults only at `points` of each side, evenly spread from before the first I/O event to after the last; at
    /// least at these two. For protocols with very many I/O events: the number of runs is then in the number of networks,
    /// not of events.
    #[must_use]
    pub fn sample(mut self, points: usize) -> Self {
        self.sample = Some(points.max(2));
        self
    }

    /// Accepts sides that never return. The check can still reject them.
    #[must_use]
    pub fn may_hang(mut self) -> Self {
        self.may_hang = true;
        self
    }

    /// Runs every scenario twice. A difference is a failure that shows the first line that differs.
    ///
    /// Runs that are equal in one process can differ in another: compare [`TrialReport::hashes`](super::TrialReport::hashes) of two processes.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }
}

fn boxed<T>(future: impl Future<Output = T> + 'static) -> Pin<Box<dyn Future<Output = T>>> {
    Box::pin(future)
}

/// Clones share the closures.
impl<C, S> Clone for Trial<C, S> {
    fn clone(&self) -> Self {
        let (programs, check) = (Rc::clone(&self.programs), Rc::clone(&self.check));
        let surprises = Rc::clone(&self.surprises);
        let (networks, buffers, faults) = (self.networks.clone(), self.buffers.clone(), self.faults.clone());
        let (must_happen, rule) = (self.must_happen.clone(), self.rule.clone());
        Self { programs, check, surprises, networks, buffers, rule, faults, must_happen, ..*self }
    }
}

impl<C, S> Debug for Trial<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            networks,
            rule,
            buffers,
            faults,
            time_wait,
            limits,
            details,
            must_happen,
            sample,
            may_hang,
            strict,
            ..
        } = self;
        f.debug_struct("Trial")
            .field("networks", networks)
            .field("buffers", buffers)
            .field("packets", rule)
            .field("faults", faults)
            .field("time_wait", time_wait)
            .field("limits", limits)
            .field("details", details)
            .field("must_happen", must_happen)
            .field("sample", sample)
            .field("may_hang", may_hang)
            .field("strict", strict)
            .finish_non_exhaustive()
    }
}

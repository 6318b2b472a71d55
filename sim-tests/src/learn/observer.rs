//! The other end of a conversation: sends what an input says, and tells in words what comes back.

use crate::in_memory::{CLOSE, ECHO, FAILED, GOAWAY, HELLO, REPLY, WELCOME};
use crate::trial::{TrialNetwork, TrialRun, TrialStream};
use echo_core::{Config, Deadline, Role};
use std::fmt::Debug;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// The port of the program that is learned, or of the other end.
pub(super) const PORT: u16 = 2012;
/// The port at which a program is told what its user wants.
pub(super) const CONTROL: u16 = 2013;

/// How long the other end looks for what an input brings about. Longer than the network takes there and back, and
/// than [`QUIET`].
const SETTLED: Duration = Duration::from_millis(30);
/// How long it waits for a deadline to pass. Longer than each deadline.
const WAIT: Duration = Duration::from_secs(4);
/// Silence after which an incomplete plain message is taken as complete.
const QUIET: Duration = Duration::from_millis(10);

/// What nothing is called.
const NOTHING: &str = "-";

/// The configuration of both programs. Its deadlines are so long that no sum of [`SETTLED`] matters, and so short that
/// waiting costs little.
pub(super) fn config() -> Config {
    let mut config = Config::default();
    for deadline in Deadline::ALL {
        let length = match deadline {
            Deadline::Connect => 2700,
            Deadline::Detect => 900,
            Deadline::Answer => 2500,
            Deadline::Idle => 3000,
            Deadline::Write => 3500,
            Deadline::Drain => 400,
            Deadline::Close | Deadline::Fin | Deadline::Linger => 300,
            Deadline::Shutdown => 1700,
        };
        config.deadlines.set(deadline, Duration::from_millis(length));
    }
    config.quiet = QUIET;
    config
}

/// The only run of a trial of one word: what `returned` finds in it.
pub(super) fn outputs<C: Debug + 'static, S: Debug + 'static, T: Clone>(
    trial: crate::trial::Trial<C, S>,
    returned: impl Fn(&TrialRun<C, S>) -> Option<T>,
) -> Result<T, String> {
    let trial = trial.networks(&[TrialNetwork::CLEAR]).exit_on_return().budget(Duration::from_secs(600));
    let run = trial.replay("undisturbed/clear").map_err(|error| error.to_string())?;
    returned(&run).ok_or_else(|| format!("the conversation did not end:\n{}", run.ladder()))
}

/// The other end of a conversation, for one side.
pub(super) struct Observer {
    stream: Option<TrialStream>,
    /// The side that is observed.
    side: Role,
    /// What has come and is no whole frame yet.
    bytes: Vec<u8>,
    /// Whether the preface has come, or a first byte that is none.
    wire: Option<Wire>,
    /// Whether a preface was sent that the observed side has taken for one.
    pub(super) has_greeted: bool,
    has_sent_fin: bool,
    has_received_fin: bool,
    /// ECHO frames, of either side.
    pub(super) requests: u64,
    /// REPLY frames, of either side.
    pub(super) answers: u64,
    /// Requests that a client's user wants.
    pub(super) wanted: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Framed,
    Plain,
}

impl Observer {
    pub(super) fn new(stream: TrialStream, side: Role) -> Self {
        Self {
            stream: Some(stream),
            side,
            bytes: Vec::new(),
            wire: None,
            has_greeted: false,
            has_sent_fin: false,
            has_received_fin: false,
            requests: 0,
            answers: 0,
            wanted: 0,
        }
    }

    /// Sends bytes, unless a FIN has been sent.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> String {
        if let (Some(stream), false) = (&mut self.stream, self.has_sent_fin)
            && stream.write_all(bytes).await.is_err()
        {
            return self.reset();
        }
        self.settle().await
    }

    pub(super) async fn send_fin(&mut self) -> String {
        if let (Some(stream), false) = (&mut self.stream, self.has_sent_fin)
            && stream.shutdown().await.is_err()
        {
            return self.reset();
        }
        self.has_sent_fin = true;
        self.settle().await
    }

    pub(super) async fn send_rst(&mut self) -> String {
        if let Some(stream) = self.stream.take() {
            stream.abort();
        }
        self.settle().await
    }

    /// Waits until something comes, and for what comes with it.
    pub(super) async fn wait(&mut self) -> String {
        self.observe(WAIT).await
    }

    /// Tells what has come so far.
    pub(super) async fn settle(&mut self) -> String {
        self.observe(SETTLED).await
    }

    async fn observe(&mut self, first: Duration) -> String {
        let mut seen = Vec::new();
        let mut patience = first;
        while let Some(stream) = &mut self.stream {
            if self.has_received_fin {
                // A read would return at once, and a reset is seen by it later.
                sleep(patience).await;
            }
            let mut buffer = [0; 1024];
            match timeout(patience, stream.read(&mut buffer)).await {
                Err(_) => break,
                Ok(Ok(0)) if self.has_received_fin => break,
                Ok(Ok(0)) => {
                    self.has_received_fin = true;
                    seen.push("FIN".to_owned());
                }
                Ok(Ok(count)) => {
                    self.bytes.extend_from_slice(&buffer[..count]);
                    self.take_what_is_whole(&mut seen);
                }
                Ok(Err(_)) => seen.push(self.reset()),
            }
            patience = SETTLED;
        }
        if seen.is_empty() { NOTHING.to_owned() } else { seen.join(" ") }
    }

    fn reset(&mut self) -> String {
        self.stream = None;
        "RST".to_owned()
    }

    /// Takes prefaces, frames and text from what has come.
    fn take_what_is_whole(&mut self, seen: &mut Vec<String>) {
        let preface = if self.side == Role::Server { WELCOME } else { HELLO };
        if self.wire.is_none() {
            let is_framed = self.bytes[0] == preface[0];
            self.wire = Some(if is_framed { Wire::Framed } else { Wire::Plain });
            if is_framed && self.bytes.starts_with(&preface) {
                self.bytes.drain(..preface.len());
                self.has_greeted |= self.side == Role::Server;
                seen.push("preface".to_owned());
            }
        }
        if self.wire == Some(Wire::Plain) {
            self.bytes.clear();
            // Pieces of a text are one text.
            if seen.last().is_none_or(|last| last != "text") {
                seen.push("text".to_owned());
            }
            return;
        }
        while let Some((kind, seq, body)) = take_frame(&mut self.bytes) {
            seen.push(self.name(kind, seq, &body));
        }
    }

    /// The name of a frame, with its code. A question mark says that its number is not the one that is due.
    fn name(&mut self, kind: u8, seq: u64, body: &[u8]) -> String {
        let (name, due) = match (kind, self.side) {
            (ECHO, _) => {
                self.requests += 1;
                ("ECHO", self.requests)
            }
            (REPLY, _) => {
                self.answers += 1;
                ("REPLY", self.answers)
            }
            (GOAWAY, Role::Client) => ("GOAWAY", self.requests),
            (GOAWAY, Role::Server) => ("GOAWAY", 0),
            (CLOSE, _) => ("CLOSE", self.answers),
            (FAILED, _) => ("FAILED", self.answers + 1),
            _ => ("frame", seq),
        };
        let mark = if seq == due { "" } else { "?" };
        match body {
            [high, low, flags, ..] if matches!(kind, GOAWAY | CLOSE | FAILED) => {
                let flag = if *flags == 0 { "" } else { " with a flag" };
                format!("{name}{mark} {}{flag}", u16::from_be_bytes([*high, *low]))
            }
            _ => format!("{name}{mark}"),
        }
    }
}

fn take_frame(bytes: &mut Vec<u8>) -> Option<(u8, u64, Vec<u8>)> {
    let frame = crate::in_memory::frames(bytes).into_iter().next()?;
    bytes.drain(..12 + frame.2.len());
    Some(frame)
}

//! Fault injection for any protocol: two closures over a stream, and every fault at every I/O event.
//!
//! A [`Trial`] takes a client and a server, each a plain function from a [`TrialStream`] to a future, and a check of
//! what both returned. It first runs them without a fault, and counts the I/O events of each side. I/O events are: a
//! read that returns data, the end or an error; a write that accepts data or fails; a shutdown; the drop of the stream;
//! the end of the future. Then it runs them again with each [`InjectedFault`] of each side right after each of these
//! events, on each [`TrialNetwork`].
//!
//! ```
//! use sim_tests::trial::{TrialRun, TrialStream, TimeWait, Trial};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! /// The answer, if it is complete: its length comes first, in one byte.
//! async fn client(mut stream: TrialStream) -> std::io::Result<Vec<u8>> {
//!     stream.write_all(b"?").await?;
//!     stream.shutdown().await?;
//!     let mut answer = vec![0; stream.read_u8().await?.into()];
//!     stream.read_exact(&mut answer).await?;
//!     Ok(answer)
//! }
//!
//! async fn server(mut stream: TrialStream) -> std::io::Result<()> {
//!     stream.read_to_end(&mut Vec::new()).await?;
//!     stream.write_all(b"\x05hello").await
//! }
//!
//! fn nobody_takes_a_part_for_the_whole(run: &TrialRun<std::io::Result<Vec<u8>>, std::io::Result<()>>) -> Result<(), String>
//!     { match run.client.returned() {
//!         Some(Ok(answer)) if answer != b"hello" => Err(format!("{answer:?} passes for the answer")),
//!         _ => Ok(()),
//!     }
//! }
//!
//! // In a #[test]:
//! let trial = Trial::new(client, server, nobody_takes_a_part_for_the_whole);
//! // Neither has deadlines, so both may wait for ever when the other vanishes.
//! let report = trial.time_wait(TimeWait::Client).may_hang().run();
//! assert!(report.is_clean(), "{report}");
//! ```
//!
//! A failing [`TrialReport`] shows, for each kind of failure, the shortest run as a ladder, and the call of
//! [`Trial::replay`] that runs only this run again. A ladder shows the bytes ([`Trial::label`]), the states of the sockets,
//! what the programs noted ([`note`]), and with the feature `tracing` what they traced. A run is the same each time if the user's code keeps to three
//! rules: `select!` is `biased`, time is tokio's, and nothing depends on the order of a hash map. [`Trial::strict`]
//! reports runs that differ.
//!
//! Programs that connect themselves, several times or again after a failure, are given a [`TrialNet`]
//! ([`Trial::of_network`]). Then there are faults of connecting and accepting, too.
//!
//! With the feature `linux`, `Trial::confirm_on_linux` runs one scenario of each finding on the Linux kernel, too: the
//! same closures on real sockets in a network namespace of its own, with the fault done for real.
//!
//! The client and the server run on two simulated computers, each with a runtime and a virtual clock of its own. A task
//! that panics is a failure, as is one that does not end within a second after everything else; the panics of a run are in
//! its report, and not printed.

mod backlog;
mod calls;
mod cancellable;
mod combinations;
mod connection;
mod endings;
mod errors;
mod faults;
mod host;
#[cfg(feature = "hyper")]
mod hyper;
mod judge;
mod kernel;
mod ladder;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod linux;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod linux_sides;
mod net;
mod network;
mod note;
mod opening;
mod packets;
#[cfg(feature = "report")]
mod page;
mod panics;
mod points;
mod report;
mod run;
mod scenario;
mod settings;
mod side;
mod simulation;
mod socket;
mod stream;
mod sweep;
#[cfg(feature = "tracing")]
mod traced;

pub use cancellable::cancellable;
pub use echo_core::Role;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub use linux::ConfirmedTrial;
pub use net::{TrialListener, TrialNet};
pub use network::TrialNetwork;
pub use note::{TrialNotes, note};
pub use packets::{TrialPacket, TrialPacketFate, TrialPacketKind};
#[cfg(feature = "report")]
pub use page::{Grade, TrialCell, TrialPage, TrialRow};
pub use report::{Failure, Finding, FindingKind, OnLinux, TrialReport};
pub use run::{TrialEnding, TrialEntry, TrialEvent, TrialRun, first_difference};
pub use scenario::{InjectedFault, Injection, TrialScenario};
pub use settings::{TimeWait, Trial};
pub use stream::{TrialReadHalf, TrialStream, TrialWriteHalf};

/// Length of a simulation step, in milliseconds.
const TICK: crate::support::Millis = 5;

//! For somebody else's protocol: two closures over a stream, every fault at every I/O event.
//!
//! A [`Trial`] takes a client and a server, each a plain function from a [`TrialStream`] to a future, and a check of what
//! both returned. It runs them undisturbed and counts the I/O events of each side: a read that gave something, the
//! end or an error, a write that took something, a shutdown, the drop of the stream, the end of the future. Then it
//! runs them again, with each [`InjectedFault`] of each side right after each of these events, on each [`TrialNetwork`].
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
//! A failing [`TrialReport`] shows, for each kind of failure, the shortest run as a ladder, and the line that runs just
//! that one again: [`Trial::replay`]. What the user's code has to keep to, for a run to be the same each time:
//! `select!` is `biased`, time is tokio's, no hash map's order shows. [`Trial::strict`] says so if it does not.
//!
//! Beneath are two hosts of turmoil, each with a runtime and a virtual clock of its own. The sockets are this
//! module's: turmoil's differ from Linux's just where a conversation ends.

mod calls;
mod kernel;
mod ladder;
mod report;
mod run;
mod scenario;
mod simulation;
mod socket;
mod stream;
mod sweep;

pub use echo_core::Role;
pub use report::{Failure, Finding, FindingKind, TrialReport};
pub use run::{TrialEnding, TrialEntry, TrialEvent, TrialRun, first_difference};
pub use scenario::{InjectedFault, Injection, TrialNetwork, TrialScenario};
pub use stream::TrialStream;
pub use sweep::{TimeWait, Trial};

/// The step of time, in milliseconds.
const TICK: crate::support::Millis = 5;

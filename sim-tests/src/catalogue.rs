//! The catalogue: close sequences picked by hand, each with the outcomes that the contract allows.
//!
//! An outcome is demanded as a *set*, for TCP itself allows more than one in places; why each member can happen stands
//! beside it. What the sets were compared with is the contract (PROTOCOL.md), not what a simulator did.

use crate::invariants::{Breach, check};
use crate::plan::Refusal;
use crate::record::Backend;
use crate::record::{Record, fnv};
use crate::scenario::Scenario;
use echo_core::Role;

/// Close sequences that the contract allows the same outcomes, and why.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Why each of the outcomes can happen.
    pub why: &'static str,
    /// What the client may report, by [`Ending::name`](crate::Ending::name).
    pub client: &'static [&'static str],
    /// What the server may report.
    pub server: &'static [&'static str],
    /// The sequences.
    pub ids: &'static [&'static str],
}

/// All groups.
pub const GROUPS: &[Group] = &[
    Group {
        why: "Polite ends in peace: whoever begins, whatever is in flight, however slow or chopped, both ends \
              hold the proof.",
        client: &["clean"],
        server: &["clean"],
        ids: &[
            "framed/client:close@idle/server:none/clear",
            "framed/client:none/server:close@idle/clear",
            "framed/client:close@request-in-flight/server:none/clear",
            "framed/client:none/server:close@request-in-flight/clear",
            "framed/client:close@answer-in-flight/server:none/clear",
            "framed/client:none/server:close@answer-in-flight/clear",
            "framed/client:close@idle/server:close@idle/clear",
            "framed/client:close@request-in-flight/server:close@request-in-flight/clear",
            "framed/client:close@answer-in-flight/server:close@answer-in-flight/clear",
            "framed/client:close@request-in-flight/server:close@idle/clear",
            "framed/client:none/server:none/clear",
            "framed/client:close@idle/server:none/slow",
            "framed/client:none/server:close@request-in-flight/slow",
            "framed/client:close@answer-in-flight/server:none/one-byte-reads",
            "framed/client:close@idle/server:close@idle/one-byte-reads",
            "framed-server-fin/client:close@idle/server:none/clear",
            "framed-server-fin/client:none/server:close@idle/clear",
            "framed-server-fin/client:close@request-in-flight/server:close@request-in-flight/clear",
        ],
    },
    Group {
        why: "A last word or a FIN that comes late, but within its deadline, changes nothing.",
        client: &["clean"],
        server: &["clean"],
        ids: &[
            "framed/client:close@idle/server:none/last-word-late",
            "framed/client:close@idle/server:none/fin-late",
            "framed/client:close@idle/server:none/cut-healed",
            "framed/client:none/server:close@request-in-flight/cut-healed",
        ],
    },
    Group {
        why: "A FIN that is lost cannot take back what was proven: after both last words the linger or fin \
              deadline only ends the wait.",
        client: &["clean"],
        server: &["clean"],
        ids: &[
            "framed-server-fin/client:close@idle/server:none/fin-held",
            "framed/client:close@idle/server:none/fin-held",
            "framed/client:none/server:close@answer-in-flight/fin-held",
        ],
    },
    Group {
        why: "The very last word is lost: the client is clean and the server is not. No protocol can do better \
              (two generals).",
        client: &["clean"],
        server: &["timed out"],
        ids: &["framed/client:close@idle/server:none/ack-held", "framed/client:none/server:close@idle/ack-held"],
    },
    Group {
        why: "The server's last word is lost: the client waits for it until the drain deadline, the server for \
              the answer to it until the close deadline.",
        client: &["timed out"],
        server: &["timed out"],
        ids: &[
            "framed/client:close@idle/server:none/last-word-held",
            "framed/client:none/server:close@answer-in-flight/last-word-held",
        ],
    },
    Group {
        why: "The cable is cut: each side ends by the deadline of what it waits for, and an idle one by its \
              idle deadline and then those of the ending, for nobody answers its GOAWAY.",
        client: &["timed out"],
        server: &["timed out"],
        ids: &[
            "framed/client:close@idle/server:none/cut-closing",
            "framed/client:none/server:close@idle/cut-closing",
            "framed/client:none/server:none/cut-idle",
            "framed/client:close@answer-in-flight/server:none/cut-closing",
            "framed/client:close@idle/server:close@idle/cut-closing",
            "framed/client:close@idle/server:none/cut-idle",
            "framed/client:close@request-in-flight/server:none/latency-10+cut-request-in-flight-ever",
        ],
    },
    Group {
        why: "The client half-closes before its last word. The server answers what it has, says CLOSE 1002 and \
              FIN (truncated), which the client gets (failed) - or finds its own direction shut when it has to \
              say something first (reset).",
        client: &["failed", "reset"],
        server: &["truncated"],
        ids: &[
            "framed/client:half-close@idle/server:none/clear",
            "framed/client:half-close@request-in-flight/server:none/clear",
            "framed/client:half-close@answer-in-flight/server:none/clear",
            "framed/client:half-close@idle/server:close@idle/clear",
        ],
    },
    Group {
        why: "The server half-closes before its last word: the client says CLOSE 1002 (truncated). The server \
              gets it (failed), or finds its direction shut when it has an answer to send (reset).",
        client: &["truncated"],
        server: &["failed", "reset"],
        ids: &[
            "framed/client:none/server:half-close@idle/clear",
            "framed/client:none/server:half-close@request-in-flight/clear",
        ],
    },
    Group {
        why: "The server is taken away when its last word is said and on its way: the client's proof is \
              complete. Nothing that comes after can change it.",
        client: &["clean"],
        server: &["gone"],
        ids: &[
            "framed/client:close@idle/server:drop@last-word-in-flight/clear",
            "framed/client:close@idle/server:abort@finishing/clear",
        ],
    },
    Group {
        why: "Power loss: nothing comes any more, and the side that is left ends by the deadline of what it \
              waits for.",
        client: &["gone"],
        server: &["timed out"],
        ids: &[
            "framed/client:vanish@idle/server:none/clear",
            "framed/client:vanish@answer-in-flight/server:close@answer-in-flight/clear",
        ],
    },
    Group {
        why: "Power loss at the server: the client ends by its answer or drain deadline.",
        client: &["timed out"],
        server: &["gone"],
        ids: &[
            "framed/client:none/server:vanish@request-in-flight/clear",
            "framed/client:close@idle/server:vanish@draining/clear",
        ],
    },
    Group {
        why: "The client closes its socket with unread input, or aborts: RST. With linger time zero nothing \
              else can come of it.",
        client: &["gone"],
        server: &["reset"],
        ids: &[
            "framed/client:drop-unread@answer-in-flight/server:none/clear",
            "framed/client:abort@idle/server:none/clear",
            "framed/client:abort@answer-in-flight/server:none/clear",
        ],
    },
    Group {
        why: "The server closes its socket with unread input, or aborts: RST, which the client reads behind \
              the answers that had come.",
        client: &["reset"],
        server: &["gone"],
        ids: &[
            "framed/client:none/server:drop-unread@request-in-flight/clear",
            "framed/client:none/server:abort@request-in-flight/clear",
            "framed/client:none/server:abort@answer-in-flight/clear",
        ],
    },
    Group {
        why: "The client closes its socket, or its kernel does: FIN without a last word (truncated); RST, if \
              the server's answer meets the closed socket before the FIN is read (reset).",
        client: &["gone"],
        server: &["truncated", "reset"],
        ids: &[
            "framed/client:drop@idle/server:none/clear",
            "framed/client:drop@request-in-flight/server:none/clear",
            "framed/client:drop@answer-in-flight/server:none/clear",
            "framed/client:drop@draining/server:close@idle/clear",
            "framed/client:drop@last-word-in-flight/server:close@idle/clear",
            "framed/client:crash@answer-in-flight/server:none/clear",
        ],
    },
    Group {
        why: "The server closes its socket, or its kernel does: FIN without a last word (truncated); RST, if a \
              request meets the closed socket before the FIN is read (reset).",
        client: &["truncated", "reset"],
        server: &["gone"],
        ids: &[
            "framed/client:close@idle/server:drop@draining/clear",
            "framed/client:none/server:drop@idle/clear",
            "framed/client:none/server:drop@answer-in-flight/clear",
            "framed/client:none/server:crash@request-in-flight/clear",
            "framed/client:none/server:crash@answer-in-flight/clear",
            "framed/client:close@idle/server:crash@draining/clear",
        ],
    },
    Group {
        why: "The plain wire has no last word. Both FINs are seen, and prove nothing.",
        client: &["unproven"],
        server: &["unproven"],
        ids: &[
            "plain/client:close@idle/server:none/clear",
            "plain/client:none/server:close@idle/clear",
            "plain/client:close@request-in-flight/server:none/clear",
            "plain/client:none/server:close@request-in-flight/clear",
            "plain/client:close@answer-in-flight/server:none/clear",
            "plain/client:none/server:close@answer-in-flight/clear",
            "plain/client:close@idle/server:close@idle/clear",
            "plain/client:close@answer-in-flight/server:close@answer-in-flight/clear",
            "plain/client:close@answer-in-flight/server:none/one-byte-reads",
            "plain/client:close@request-in-flight/server:none/slow",
            "plain/client:half-close@request-in-flight/server:none/clear",
            "plain/client:none/server:half-close@answer-in-flight/clear",
            "plain/client:close@idle/server:none/fin-late",
        ],
    },
    Group {
        why: "Nobody closes: the server's idle deadline does, and that is its outcome, for the wire has no word \
              for it. The client, which is more patient, sees a FIN.",
        client: &["unproven"],
        server: &["timed out"],
        ids: &["plain/client:none/server:none/clear"],
    },
    Group {
        why: "FIN is all that a crashed or closed client leaves behind: it looks like a finished one, which is \
              why the wire is called unproven. RST, if an answer meets the closed socket first (reset).",
        client: &["gone"],
        server: &["unproven", "reset"],
        ids: &["plain/client:drop@idle/server:none/clear", "plain/client:drop@answer-in-flight/server:none/clear"],
    },
    Group {
        why: "The same at the server: its crash looks like an end.",
        client: &["unproven", "reset"],
        server: &["gone"],
        ids: &[
            "plain/client:none/server:drop@answer-in-flight/clear",
            "plain/client:none/server:crash@answer-in-flight/clear",
        ],
    },
    Group {
        why: "RST is seen on the plain wire too.",
        client: &["gone"],
        server: &["reset"],
        ids: &[
            "plain/client:drop-unread@answer-in-flight/server:none/clear",
            "plain/client:abort@answer-in-flight/server:none/clear",
        ],
    },
    Group {
        why: "RST from the server.",
        client: &["reset"],
        server: &["gone"],
        ids: &[
            "plain/client:none/server:drop-unread@request-in-flight/clear",
            "plain/client:none/server:abort@request-in-flight/clear",
        ],
    },
    Group {
        why: "Power loss at the client: the server's idle deadline, then its linger deadline.",
        client: &["gone"],
        server: &["timed out"],
        ids: &["plain/client:vanish@idle/server:none/clear"],
    },
    Group {
        why: "Power loss at the server: the client's answer deadline.",
        client: &["timed out"],
        server: &["gone"],
        ids: &["plain/client:none/server:vanish@request-in-flight/clear"],
    },
    Group {
        why: "The client's FIN is held: it lingers in vain. The server gets it late, from a client that is \
              gone.",
        client: &["timed out"],
        server: &["unproven", "reset"],
        ids: &["plain/client:close@idle/server:none/fin-held"],
    },
    Group {
        why: "The server's FIN is held: the client gets it late, from a server that has given up.",
        client: &["unproven", "reset"],
        server: &["timed out"],
        ids: &["plain/client:none/server:close@idle/fin-held"],
    },
    Group {
        why: "Cut for good: who has sent FIN lingers in vain, and who has not ends by its idle deadline.",
        client: &["timed out"],
        server: &["timed out"],
        ids: &[
            "plain/client:close@answer-in-flight/server:none/latency-10+cut-finishing-ever",
            "plain/client:none/server:none/cut-idle",
        ],
    },
];

/// The ids of all sequences, in the catalogue's order.
pub fn ids() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|group| group.ids.iter().copied())
}

/// The group that the sequence called `id` belongs to.
pub fn group_of(id: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.ids.contains(&id))
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A promise of the contract is broken.
    Breach(Breach),
    /// An end's outcome is none of those the catalogue allows.
    Unexpected {
        /// Which end.
        side: Role,
        /// Its outcome.
        got: &'static str,
        /// What is allowed.
        allowed: &'static [&'static str],
    },
    /// A part of the scenario did not happen.
    Unreached(String),
}

/// Judges `record`: the contract always, the outcomes if its scenario is in the catalogue.
pub fn judge(record: &Record) -> Vec<Fault> {
    let mut faults: Vec<Fault> = check(record).into_iter().map(Fault::Breach).collect();
    if let Some(group) = group_of(&record.scenario.to_string()) {
        for (side, allowed) in [(Role::Client, group.client), (Role::Server, group.server)] {
            let got = record.ending(side).name();
            if !allowed.contains(&got) {
                faults.push(Fault::Unexpected { side, got, allowed });
            }
        }
        faults.extend(record.unreached.iter().cloned().map(Fault::Unreached));
    }
    faults
}

/// The hash of all traces of the catalogue on `backend`: the same in every process and every build.
///
/// # Errors
/// The first [`Refusal`], if a sequence cannot be run.
pub fn hash(backend: Backend) -> Result<u64, Refusal> {
    let mut text = String::new();
    for id in ids() {
        let scenario: Scenario = id.parse()?;
        text.push_str(&backend.run(&scenario)?.trace());
    }
    Ok(fnv(text.as_bytes()))
}

/// The ids that look most like `id`, the nearest first.
pub fn nearest(id: &str, most: usize) -> Vec<&'static str> {
    let mut all: Vec<_> = ids().map(|known| (distance(id, known), known)).collect();
    all.sort();
    all.into_iter().take(most).map(|(_, known)| known).collect()
}

/// How many single characters have to be changed, put in or left out to make `a` of `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

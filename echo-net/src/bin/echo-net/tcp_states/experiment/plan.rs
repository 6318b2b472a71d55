//! What an experiment does: who ends the conversation, how, and what the other side does then.

use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt;

/// The options of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args, Serialize)]
pub(crate) struct Plan {
    /// The side that ends first
    #[arg(long, value_enum, default_value_t = First::Client)]
    pub(crate) first: First,

    /// How it ends
    #[arg(long, value_enum, default_value_t = How::Close)]
    pub(crate) how: How,

    /// What the other side does then
    #[arg(long, value_enum, default_value_t = Peer::Closes)]
    pub(crate) peer: Peer,

    /// Use IPv6 (::1) instead of IPv4 (127.0.0.1)
    #[arg(long)]
    pub(crate) ipv6: bool,
}

/// The side that ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum First {
    Client,
    Server,
    /// Both, one right after the other
    Both,
}

/// How a side ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// shutdown (FIN), then it reads to the end and closes
    Close,
    /// close at once, as when a program drops its socket or ends
    Drop,
    /// close with linger time zero (RST)
    Abort,
    /// shutdown (FIN), then it goes on reading, and the peer sends an answer
    Half,
}

/// What the other side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// reads the end of the stream and closes
    Closes,
    /// notices nothing: it does not read the end, and does not close
    Ignores,
    /// closes, but more data than fits in the buffers is in the way of FIN, and is read late
    Slow,
}

impl Plan {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// One line about options that exclude each other.
    pub(crate) fn check(self) -> Result<(), String> {
        if self.first == First::Both && self.how == How::Half {
            let line =
                "--how half needs a side that goes on sending, so it does not go with --first both: use --how close";
            return Err(line.to_owned());
        }
        Ok(())
    }

    /// Returns the command line of this plan, without what is the default.
    pub(crate) fn command(self) -> String {
        let mut command = "echo-net tcp-states".to_owned();
        for (option, value, default) in [
            ("--first", name(self.first), name(First::Client)),
            ("--how", name(self.how), name(How::Close)),
            ("--peer", name(self.peer), name(Peer::Closes)),
        ] {
            if value != default {
                command.push_str(&format!(" {option} {value}"));
            }
        }
        if self.ipv6 {
            command.push_str(" --ipv6");
        }
        command
    }
}

fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{First, How, Peer, Plan};

    #[test]
    fn a_command_names_what_is_not_the_default() {
        let plan = Plan { first: First::Client, how: How::Close, peer: Peer::Closes, ipv6: false };
        assert_eq!(plan.command(), "echo-net tcp-states");
        let other = Plan { first: First::Both, how: How::Abort, peer: Peer::Slow, ipv6: true };
        assert_eq!(other.command(), "echo-net tcp-states --first both --how abort --peer slow --ipv6");
    }

    #[test]
    fn half_needs_one_side_that_goes_on() {
        let plan = |first| Plan { first, how: How::Half, peer: Peer::Closes, ipv6: false };
        assert!(plan(First::Both).check().is_err_and(|line| line.contains("--first both")));
        assert_eq!(plan(First::Server).check(), Ok(()));
    }
}

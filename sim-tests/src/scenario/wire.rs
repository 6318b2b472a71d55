//! The wires, and which side sends FIN first on the framed one.

use echo_core::Role;

/// The wire format, and the side that is configured to send FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Wire {
    /// echo/1 with the default setting: the client sends FIN first.
    Framed,
    /// echo/1 with a server that sends FIN first, and so holds TIME_WAIT.
    FramedServerFin,
    /// Plain lines.
    Plain,
}

impl Wire {
    /// All wires.
    pub const ALL: [Self; 3] = [Self::Framed, Self::FramedServerFin, Self::Plain];

    /// Returns its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Framed => "framed",
            Self::FramedServerFin => "framed-server-fin",
            Self::Plain => "plain",
        }
    }

    /// Returns the side that the server's setting lets send FIN first. `None` on the plain wire: the side that leaves
    /// does.
    pub fn first_fin(self) -> Option<Role> {
        match self {
            Self::Framed => Some(Role::Client),
            Self::FramedServerFin => Some(Role::Server),
            Self::Plain => None,
        }
    }
}

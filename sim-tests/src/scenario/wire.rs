//! The two wires, and who sends FIN first on the framed one.

use echo_core::Role;

/// Which wire, and who is set to send FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wire {
    /// echo/1 as it is by default: the client sends FIN first.
    Framed,
    /// echo/1 with a server that takes TIME_WAIT upon itself: it sends FIN first.
    FramedServerFin,
    /// Lines.
    Plain,
}

impl Wire {
    /// All wires.
    pub const ALL: [Self; 3] = [Self::Framed, Self::FramedServerFin, Self::Plain];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Framed => "framed",
            Self::FramedServerFin => "framed-server-fin",
            Self::Plain => "plain",
        }
    }

    /// Who the server's setting says sends FIN first; nobody on the plain wire, where whoever leaves does.
    pub fn first_fin(self) -> Option<Role> {
        match self {
            Self::Framed => Some(Role::Client),
            Self::FramedServerFin => Some(Role::Server),
            Self::Plain => None,
        }
    }
}

//! What several looks at made-up sockets show, and what is said about them.

mod diagnosis;
mod history;
mod sockets;

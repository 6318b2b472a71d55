//! TLS as a transport.

mod bad_clients;
mod bad_files;
mod bad_servers;
mod closes;
mod deadlines;
mod program;

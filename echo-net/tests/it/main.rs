//! The protocol on real sockets: the library in this process, and the program `echo-net` as people run it.

mod bad_input;
mod ctime;
mod descriptors;
mod interrupt;
mod killed_client;
mod limits;
mod memory;
mod plain_wire;
mod prompt;
mod slow_input;
mod support;

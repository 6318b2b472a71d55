//! The protocol on real sockets: the library in this process, and the program `echo-net` as people run it.

mod accept_queue;
mod attackers;
mod bad_input;
mod command_line;
mod connect_errors;
mod ctime;
mod descriptors;
mod fairness;
mod interrupt;
mod killed_client;
mod library_client;
mod limits;
mod memory;
mod on_end;
mod piped;
mod plain_wire;
mod polite_close;
mod prompt;
mod readers;
mod second_signal;
mod slow_input;
mod support;
mod transports;
mod wrong_servers;

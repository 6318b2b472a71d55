//! The protocol on real sockets: the library in this process, and the program `echo-net` as users run it.

mod accept_queue;
#[cfg(target_os = "linux")]
mod activation;
mod addresses;
mod attackers;
mod bad_input;
mod bench;
mod command_line;
mod connect_errors;
mod cores;
mod ctime;
mod descriptors;
mod drains;
mod editor;
mod fairness;
mod few_files;
mod generate;
mod hand_over;
mod interrupt;
mod killed_client;
#[cfg(target_os = "linux")]
mod leaks;
mod library_client;
mod limits;
mod log;
mod memory;
mod metrics;
mod on_end;
mod ping;
mod piped;
mod plain_wire;
mod polite_close;
mod prompt;
mod proxy;
mod readers;
mod retry;
mod second_signal;
mod service;
mod signals;
mod slow_input;
mod slow_link;
mod slow_readers;
mod standard_streams;
mod stop;
mod support;
#[cfg(target_os = "linux")]
mod tcp_states;
#[cfg(target_os = "linux")]
mod tcp_states_screen;
mod tls;
mod transports;
mod typed_text;
mod unread_input;
mod wall_clock;
#[cfg(target_os = "linux")]
mod watch_errors;
mod wrong_servers;

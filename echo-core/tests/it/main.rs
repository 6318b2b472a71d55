//! The tests of echo-core, one binary. Each test names the clauses of PROTOCOL.md that it covers; `clauses` checks that
//! no clause is left out.

mod account;
mod clauses;
mod disorder;
mod frame;
mod in_order;
mod input;
mod machines;
mod plain;
mod preface;
mod random;
mod rules;
mod serialization;
mod service;
mod sources;
mod stamp;
mod table;
mod timers;
mod transport_end;

/// The default settings, with the changes of `change`.
fn config_with(change: impl FnOnce(&mut echo_core::Config)) -> echo_core::Config {
    let mut config = echo_core::Config::default();
    change(&mut config);
    config
}

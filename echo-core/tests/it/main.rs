//! The tests of echo-core, one binary. Each names the clauses of PROTOCOL.md it holds; `clauses` checks that none is
//! left out.

mod account;
mod clauses;
mod disorder;
mod frame;
mod input;
mod machines;
mod plain;
mod preface;
mod random;
mod rules;
mod sources;
mod stamp;
mod table;
mod timers;

/// The default settings, but for what `change` does.
fn config_with(change: impl FnOnce(&mut echo_core::Config)) -> echo_core::Config {
    let mut config = echo_core::Config::default();
    change(&mut config);
    config
}

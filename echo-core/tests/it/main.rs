//! The tests of echo-core, one binary. Each names the clauses of PROTOCOL.md it holds; `clauses` checks that none is
//! left out.

mod account;
mod frame;
mod machines;
mod pair;
mod plain;
mod preface;
mod rules;
mod stamp;
mod table;
mod timers;

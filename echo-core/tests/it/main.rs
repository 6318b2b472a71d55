//! The tests of echo-core, one binary. Each names the clauses of PROTOCOL.md it holds; `clauses` checks that none is
//! left out.

mod machines;
mod table;

//! What must hold for a record: the close contract, RFC 9293, and the oracle's allowed endings.

pub(crate) mod contract;
pub(crate) mod contract_rule;
pub mod oracle;
pub(crate) mod tcp_rules;

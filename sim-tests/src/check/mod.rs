//! What must hold for a record: the close contract, RFC 9293, and the oracle's allowed endings.

pub mod contract;
pub mod contract_rule;
pub mod oracle;
pub mod tcp_rules;

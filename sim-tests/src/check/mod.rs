//! What must hold of a record: the close contract, RFC 9293, and what the oracle allows.

pub mod contract;
pub mod contract_rule;
pub mod oracle;
pub mod tcp_rules;

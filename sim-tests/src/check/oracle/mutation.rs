//! Deliberate mistakes in the contract.

/// One mistake. A catalogue that does not notice it would not notice it in the close machine either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// FIN before CLOSE counts as a clean end (against 5.7 and 7.4).
    FinIsClean,
    /// There is no drain deadline (against 8.1).
    NoDrain,
    /// There is no close deadline (against 8.1).
    NoClose,
    /// There is no linger deadline: a side that has sent FIN is done (against 5.5).
    NoLinger,
    /// A server that wants to leave stops answering (against 5.2).
    DrainDropsRequests,
    /// A RST that overtakes data does not delete it.
    RstLosesNothing,
    /// Requests without an answer count as refused (against 7.2).
    UnansweredIsRefused,
    /// A server counts sent answers as answered (against 7.3).
    SentIsAnswered,
    /// A CLOSE with an impossible count is taken as a proof (against 5.3).
    AnyCountIsProof,
    /// A late FIN or an expired deadline revokes a clean end (against 5.11).
    VerdictFalls,
    /// A CLOSE with an error code is answered and treated as a regular one (against 5.6).
    ErrorIsClean,
    /// The client always sends FIN first (against 5.4).
    ClientFirst,
    /// A side that stops waiting sends RST, which deletes what the peer has not read (against 5.9).
    LetsGoByReset,
    /// Deadlines ignore the progress of the peer's reading (against 8.6).
    NoProgress,
}

impl Mutation {
    /// All mistakes.
    pub const ALL: [Self; 14] = [
        Self::FinIsClean,
        Self::NoDrain,
        Self::NoClose,
        Self::NoLinger,
        Self::DrainDropsRequests,
        Self::RstLosesNothing,
        Self::UnansweredIsRefused,
        Self::SentIsAnswered,
        Self::AnyCountIsProof,
        Self::VerdictFalls,
        Self::ErrorIsClean,
        Self::ClientFirst,
        Self::LetsGoByReset,
        Self::NoProgress,
    ];
}

//! Ways to get the contract wrong.

/// One mistake. A catalogue that does not notice it would not notice it in the machine either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A FIN before the CLOSE is taken for a clean end (against 5.7 and 7.4).
    FinIsClean,
    /// There is no drain deadline (against 8.1).
    NoDrain,
    /// There is no close deadline (against 8.1).
    NoClose,
    /// There is no linger deadline: who has sent FIN is done (against 5.5).
    NoLinger,
    /// A server that wants to leave answers no more (against 5.2).
    DrainDropsRequests,
    /// A RST that overtakes loses nothing.
    RstLosesNothing,
    /// Requests without an answer count as refused (against 7.2).
    UnansweredIsRefused,
    /// A server counts what it has sent as answered (against 7.3).
    SentIsAnswered,
    /// A CLOSE with a count that cannot be is taken for a proof (against 5.3).
    AnyCountIsProof,
    /// A late FIN or a passed deadline takes a clean end back (against 5.11).
    VerdictFalls,
    /// An error's CLOSE is answered, and taken for the usual one (against 5.6).
    ErrorIsClean,
    /// The client always sends FIN first (against 5.4).
    ClientFirst,
    /// The end of patience is a RST, which deletes what the other end has not taken (against 5.9).
    LetsGoByReset,
    /// Deadlines do not see what the other end takes (against 8.6).
    NoProgress,
}

impl Mutation {
    /// All of them.
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

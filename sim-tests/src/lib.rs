//! Every close sequence.

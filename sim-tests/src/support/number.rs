//! Numbers and names in ids and files.

use super::error::ScenarioError;
use std::str::FromStr;

/// Parses `text` as a number. If it is too large for its type, the largest value is returned, so that the error names
/// the range and not the form.
pub(crate) fn number<T: FromStr + Bounded>(text: &str) -> Option<T> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(T::GREATEST))
}

/// Number types with a largest value.
pub(crate) trait Bounded {
    const GREATEST: Self;
}

impl Bounded for u8 {
    const GREATEST: Self = Self::MAX;
}

impl Bounded for u32 {
    const GREATEST: Self = Self::MAX;
}

impl Bounded for u64 {
    const GREATEST: Self = Self::MAX;
}

impl Bounded for usize {
    const GREATEST: Self = Self::MAX;
}

/// Returns the value whose id is `text`.
pub(crate) fn pick<T: Copy>(what: &str, text: &str, all: &[T], id: fn(T) -> &'static str) -> Result<T, ScenarioError> {
    all.iter().copied().find(|one| id(*one) == text).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|one| id(*one)).collect();
        ScenarioError::Parse(format!("no {what} {text:?}; there are {}", known.join(", ")))
    })
}

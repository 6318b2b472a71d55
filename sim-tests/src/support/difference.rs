//! The first difference of two texts.

/// Returns the first line in which two texts differ: its number, counted from 1, and both lines, where they exist.
pub(crate) fn first_of<'a>(
    one: impl IntoIterator<Item = &'a str>,
    other: impl IntoIterator<Item = &'a str>,
) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
    let (mut left, mut right) = (one.into_iter(), other.into_iter());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (a, b) if a == b => (),
            (a, b) => return Some((number, a, b)),
        }
    }
    None
}

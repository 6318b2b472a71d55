//! Suggestions for a mistyped id.

use super::all;

/// The largest number of characters that are compared.
const LONGEST: usize = 200;

/// Returns at most `most` ids that are most similar to `id`, the nearest first.
pub fn nearest(id: &str, most: usize) -> Vec<&'static str> {
    // A text much longer than any id is near to none, and comparing takes time.
    let id = id.char_indices().nth(LONGEST).map_or(id, |(end, _)| &id[..end]);
    let mut all: Vec<_> = all().iter().map(|known| (distance(id, &known.id), known.id.as_str())).collect();
    all.sort_unstable();
    all.into_iter().take(most).map(|(_, known)| known).collect()
}

/// Returns the number of characters to change, insert or remove to turn `b` into `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

//! The ids that were probably meant.

use super::all;

/// How many characters are compared at most.
const LONGEST: usize = 200;

/// The ids that look most like `id`, the nearest first.
pub fn nearest(id: &str, most: usize) -> Vec<&'static str> {
    // What is much longer than any id is near to none, and comparing takes time.
    let id = id.char_indices().nth(LONGEST).map_or(id, |(end, _)| &id[..end]);
    let mut all: Vec<_> = all().iter().map(|known| (distance(id, &known.id), known.id.as_str())).collect();
    all.sort_unstable();
    all.into_iter().take(most).map(|(_, known)| known).collect()
}

/// How many single characters have to be changed, put in or left out to make `a` of `b` (Levenshtein).
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

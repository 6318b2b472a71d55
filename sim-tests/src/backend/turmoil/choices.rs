//! The choices among the orders in which packets can be delivered.

/// The choices of one run: those that are given, then the first of each.
#[derive(Debug, Default)]
pub(super) struct Choices {
    given: Vec<usize>,
    /// What was chosen, of how many.
    made: Vec<(usize, usize)>,
}

impl Choices {
    /// How many packets are delivered of those that are under way in each direction: some, if there are any.
    pub(super) fn pick(&mut self, [first, second]: [usize; 2]) -> [usize; 2] {
        let ways = (first + 1) * (second + 1) - 1;
        if ways == 0 {
            return [0, 0];
        }
        let choice = if ways == 1 { 0 } else { self.choose(ways) };
        // All but "none of either", which is the last.
        let number = ways - choice;
        [number / (second + 1), number % (second + 1)]
    }

    fn choose(&mut self, ways: usize) -> usize {
        let choice = self.given.get(self.made.len()).copied().unwrap_or(0);
        self.made.push((choice, ways));
        choice
    }

    /// The next in order, if these were not the last.
    pub(super) fn next(mut self) -> Option<Self> {
        while let Some((choice, ways)) = self.made.pop() {
            if choice + 1 < ways {
                let given = self.made.iter().map(|(choice, _)| *choice).chain([choice + 1]).collect();
                return Some(Self { given, made: Vec::new() });
            }
        }
        None
    }
}

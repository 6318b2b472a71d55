//! The choices among the orders in which packets can be delivered.

/// The choices of one run: the given ones, then the first alternative each time.
#[derive(Debug, Default)]
pub(super) struct Choices {
    given: Vec<usize>,
    /// The choices made, each with its number of alternatives.
    made: Vec<(usize, usize)>,
}

impl Choices {
    /// Chooses how many of the packets in flight are delivered in each direction. At least one is, if there are any.
    pub(super) fn pick(&mut self, [first, second]: [usize; 2]) -> [usize; 2] {
        let ways = (first + 1) * (second + 1) - 1;
        if ways == 0 {
            return [0, 0];
        }
        let choice = if ways == 1 { 0 } else { self.choose(ways) };
        // At least 1, because 0 would be no packet in either direction.
        let number = ways - choice;
        [number / (second + 1), number % (second + 1)]
    }

    fn choose(&mut self, ways: usize) -> usize {
        let choice = self.given.get(self.made.len()).copied().unwrap_or(0);
        self.made.push((choice, ways));
        choice
    }

    /// The choices of the next run; `None` after the last one.
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

//! Spans that were not settled with their windows because their parents had not been seen, by the window that looks again.

use crate::rows::Deferred;
use std::collections::BTreeMap;

/// Bounded: what finds no room is not waited for.
#[derive(Debug)]
pub(crate) struct Held {
    due: BTreeMap<u64, Vec<Deferred>>,
    spans: usize,
    spans_max: usize,
}

impl Held {
    pub(crate) fn new(budget_bytes: usize) -> Held {
        Held { due: BTreeMap::new(), spans: 0, spans_max: budget_bytes / std::mem::size_of::<Deferred>() }
    }

    /// Is there no room for one more?
    pub(crate) fn is_full(&self) -> bool {
        self.spans >= self.spans_max
    }

    /// Window `number` looks at it again.
    pub(crate) fn hold(&mut self, number: u64, one: Deferred) {
        self.due.entry(number).or_default().push(one);
        self.spans += 1;
    }

    /// The first window that has to look at something.
    pub(crate) fn first(&self) -> Option<u64> {
        self.due.first_key_value().map(|(number, _)| *number)
    }

    /// What window `number` has to look at, in the order in which it was held.
    pub(crate) fn take(&mut self, number: u64) -> Vec<Deferred> {
        let due = self.due.remove(&number).unwrap_or_default();
        self.spans -= due.len();
        due
    }

    /// What later windows than `number` would look at, that one does.
    pub(crate) fn hasten(&mut self, number: u64) {
        let later = self.due.split_off(&number);
        if !later.is_empty() {
            self.due.insert(number, later.into_values().flatten().collect());
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.due.values().map(|due| due.capacity() * std::mem::size_of::<Deferred>()).sum()
    }
}

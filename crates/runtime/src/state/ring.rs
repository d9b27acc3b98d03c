//! The last things that happened, numbered, so that each reader can go on where it was.

use std::collections::VecDeque;

/// A bounded list of what happened last.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    first: u64,
    items: VecDeque<T>,
    items_max: usize,
}

/// What happened since a reader looked last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happened<T> {
    /// Where to go on.
    pub next: u64,
    /// Each item with its place, oldest first.
    pub items: Vec<(u64, T)>,
}

impl<T: Clone> Ring<T> {
    /// Keeps up to `items_max`.
    pub fn new(items_max: usize) -> Ring<T> {
        Ring { first: 1, items: VecDeque::new(), items_max }
    }

    /// Appends an item; the oldest goes if there is no room.
    pub fn push(&mut self, item: T) {
        if self.items.len() >= self.items_max && self.items.pop_front().is_some() {
            self.first += 1;
        }
        self.items.push_back(item);
    }

    /// What came at or after place `next`.
    pub fn since(&self, next: u64) -> Happened<T> {
        let end = self.first + self.items.len() as u64;
        let places = (self.first..end).zip(self.items.iter());
        Happened {
            next: end,
            items: places.filter(|(at, _)| *at >= next).map(|(at, item)| (at, item.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_goes_on_where_it_was_and_misses_only_what_was_overwritten() {
        let mut ring = Ring::new(3);
        assert_eq!(ring.since(0), Happened { next: 1, items: vec![] });
        ring.push('a');
        let seen = ring.since(0);
        assert_eq!(seen.items, [(1, 'a')]);
        "bcde".chars().for_each(|item| ring.push(item));
        let news = ring.since(seen.next);
        assert_eq!(news.items, [(3, 'c'), (4, 'd'), (5, 'e')]);
        assert_eq!(ring.since(news.next).items, []);
        assert_eq!(ring.since(u64::MAX).next, news.next);
    }
}

//! What happens next. Events of the same instant come in the order in which they were put in.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// Events in the order of time, ties in the order of arrival.
pub(super) struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    /// Events that all lie the same delay after their making: already in order, so they need no heap.
    line: VecDeque<Entry<E>>,
    next: u64,
}

struct Entry<E> {
    at_ns: u64,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Agenda<E> {
        Agenda { heap: BinaryHeap::new(), line: VecDeque::new(), next: 0 }
    }

    /// Something happens at `at_ns`.
    pub(super) fn put(&mut self, at_ns: u64, event: E) {
        let entry = self.entry(at_ns, event);
        self.heap.push(entry);
    }

    /// The same for events whose times never go back (all made the same delay ahead).
    pub(super) fn put_in_line(&mut self, at_ns: u64, event: E) {
        let entry = self.entry(at_ns, event);
        debug_assert!(self.line.back().is_none_or(|last| last.at_ns <= at_ns));
        self.line.push_back(entry);
    }

    /// The next event that is not after `until_ns`.
    pub(super) fn pop(&mut self, until_ns: u64) -> Option<(u64, E)> {
        let from_line = match (self.line.front(), self.heap.peek()) {
            (Some(line), Some(heap)) => (line.at_ns, line.order) < (heap.at_ns, heap.order),
            (line, _) => line.is_some(),
        };
        let head = if from_line { self.line.front() } else { self.heap.peek() };
        if head.is_none_or(|entry| entry.at_ns > until_ns) {
            return None;
        }
        let entry = if from_line { self.line.pop_front() } else { self.heap.pop() };
        entry.map(|entry| (entry.at_ns, entry.event))
    }

    fn entry(&mut self, at_ns: u64, event: E) -> Entry<E> {
        self.next += 1;
        Entry { at_ns, order: self.next, event }
    }
}

impl<E> Ord for Entry<E> {
    /// Reversed, because the standard heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ns, other.order).cmp(&(self.at_ns, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_ties_by_arrival_from_both_stores() {
        let mut agenda = Agenda::new();
        agenda.put(5, 'c');
        agenda.put_in_line(3, 'a');
        agenda.put_in_line(5, 'd');
        agenda.put(4, 'b');
        agenda.put(9, 'e');
        let mut seen = String::new();
        while let Some((_, event)) = agenda.pop(8) {
            seen.push(event);
        }
        assert_eq!(seen, "abcd");
        assert_eq!(agenda.pop(9), Some((9, 'e')));
    }
}

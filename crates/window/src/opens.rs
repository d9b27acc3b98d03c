//! The open windows, by number.

use crate::rows::{Admissions, Open};

/// Closed windows whose memory waits for the next ones.
const IDLE_MAX: usize = 2;

/// Open windows, ascending; few, so a sorted list with a finger on the last one used.
#[derive(Debug, Default)]
pub(crate) struct Opens {
    windows: Vec<(u64, Box<Open>)>,
    finger: usize,
    #[expect(clippy::vec_box, reason = "the boxes go back and forth, the contents stay where they are")]
    idle: Vec<Box<Open>>,
}

impl Opens {
    /// The window of this number; opened if it is not.
    #[inline]
    pub(crate) fn at(&mut self, number: u64) -> &mut Open {
        if self.windows.get(self.finger).is_none_or(|window| window.0 != number) {
            self.finger = self.place(number);
        }
        &mut self.windows[self.finger].1
    }

    fn place(&mut self, number: u64) -> usize {
        match self.windows.binary_search_by_key(&number, |window| window.0) {
            Ok(at) => at,
            Err(at) => {
                let open = self.idle.pop().unwrap_or_else(|| Box::new(Open::new()));
                self.windows.insert(at, (number, open));
                at
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }

    /// The number of the first one.
    pub(crate) fn first(&self) -> Option<u64> {
        self.windows.first().map(|window| window.0)
    }

    /// The number of the last one.
    pub(crate) fn last(&self) -> Option<u64> {
        self.windows.last().map(|window| window.0)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.windows.get(self.finger).is_some_and(|window| window.0 == number)
            || self.windows.binary_search_by_key(&number, |window| window.0).is_ok()
    }

    /// Takes an open window out, for [`Opens::put_back`] or [`Opens::recycle`].
    pub(crate) fn take(&mut self, number: u64) -> Option<Box<Open>> {
        let at = self.windows.binary_search_by_key(&number, |window| window.0).ok()?;
        Some(self.windows.remove(at).1)
    }

    /// The same; a new one where none was open.
    pub(crate) fn take_or_new(&mut self, number: u64) -> Box<Open> {
        let open = self.take(number).or_else(|| self.idle.pop());
        open.unwrap_or_else(|| Box::new(Open::new()))
    }

    pub(crate) fn put_back(&mut self, number: u64, open: Box<Open>) {
        let at = self.windows.partition_point(|window| window.0 < number);
        self.windows.insert(at, (number, open));
    }

    /// Keeps the memory of a closed window for the next one, as far as that is worth it.
    pub(crate) fn recycle(&mut self, mut open: Box<Open>, shared: &mut Admissions) {
        let before = open.allocated();
        open.clear();
        if self.idle.len() < IDLE_MAX {
            shared.rows_changed(before, open.allocated());
            self.idle.push(open);
        } else {
            shared.rows_changed(before, 0);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let open: usize = self.windows.iter().map(|window| window.1.bytes()).sum();
        open + self.idle.iter().map(|idle| idle.bytes()).sum::<usize>()
    }
}

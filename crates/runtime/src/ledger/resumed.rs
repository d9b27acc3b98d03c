//! What stands in a position's note: how far counting had come when the last journalled window closed.

/// A place in a partition: the record's offset, and the span's place in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Frontier {
    /// The record's offset.
    pub(crate) offset: i64,
    /// The span's place in the record.
    pub(crate) index: usize,
}

/// Where counting stood when the last journalled window closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// The end of the last journalled window, Unix nanoseconds.
    pub(crate) closed_ns: u64,
    /// Every span before this place that ends before `closed_ns` is counted, none after it is.
    pub(crate) frontier: Frontier,
}

impl Resumed {
    /// As it stands in a position's note.
    pub(crate) fn note(self) -> String {
        format!("1 {} {} {}", self.closed_ns, self.frontier.offset, self.frontier.index)
    }

    /// Reads a note; `None` for one of another writer or version.
    pub(crate) fn parse(note: &str) -> Option<Resumed> {
        let words: Vec<&str> = note.split(' ').collect();
        let ["1", closed, offset, index] = words.as_slice() else { return None };
        let frontier = Frontier { offset: offset.parse().ok()?, index: index.parse().ok()? };
        Some(Resumed { closed_ns: closed.parse().ok()?, frontier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_other_writers_are_not_believed() {
        let resumed = Resumed { closed_ns: 5, frontier: Frontier { offset: 7, index: 2 } };
        assert_eq!(Resumed::parse(&resumed.note()), Some(resumed));
        for note in ["", "2 5 7 0", "1 5 7", "1 5 7 9 1", "1 x 7 0", "hello"] {
            assert_eq!(Resumed::parse(note), None, "{note}");
        }
    }
}

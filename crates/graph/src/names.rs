//! The texts of names, bounded: what nothing refers to any more goes first.

use model::{NameId, Named};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Longer texts are cut, at a character's border.
const TEXT_BYTES_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Names {
    max: usize,
    texts: BTreeMap<NameId, String>,
}

impl Names {
    pub(crate) fn new(max: usize) -> Names {
        Names { max: max.max(1), texts: BTreeMap::new() }
    }

    pub(crate) fn get(&self, id: NameId) -> Option<&str> {
        self.texts.get(&id).map(String::as_str)
    }

    /// Learns `announced`; if that is too many, keeps only what `used` says is referred to. Returns how many were dropped.
    pub(crate) fn learn(&mut self, announced: &[Named], used: impl FnOnce() -> BTreeSet<NameId>) -> u64 {
        for named in announced {
            if named.id.is_some() && !self.texts.contains_key(&named.id) {
                self.texts.insert(named.id, cut(&named.text).to_owned());
            }
        }
        if self.texts.len() <= self.max {
            return 0;
        }
        let before = self.texts.len();
        let used = used();
        self.texts.retain(|id, _| used.contains(id));
        while self.texts.len() > self.max {
            self.texts.pop_last();
        }
        (before - self.texts.len()) as u64
    }
}

fn cut(text: &str) -> &str {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let mut end = TEXT_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(200)).len(), 256);
        assert!(cut(&format!("a{}", "é".repeat(200))).len() == 255);
    }
}

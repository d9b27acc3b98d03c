//! The texts of names, kept until a row that uses them leaves the shard.

use crate::Part;
use crate::rows::Plain;
use hashbrown::HashMap;
use model::{NameId, Named};

/// What is known of a name.
#[derive(Debug)]
enum Known {
    /// Its text, not yet given out.
    Text(Box<str>),
    /// Given out.
    Announced,
    /// A row has used it before its text came.
    Wanted,
}

/// Names in two generations: those that neither come nor are used while many others come are forgotten.
#[derive(Debug)]
pub(crate) struct Names {
    young: HashMap<u64, Known, Plain>,
    old: HashMap<u64, Known, Plain>,
    /// Names whose text came after a row had used them.
    overdue: Vec<Named>,
    names_max: usize,
    text_bytes: usize,
}

impl Names {
    pub(crate) fn new(names_max: usize) -> Names {
        let map = || HashMap::with_hasher(Plain);
        Names { young: map(), old: map(), overdue: Vec::new(), names_max: names_max.max(16), text_bytes: 0 }
    }

    pub(crate) fn learn(&mut self, named: &Named) {
        match self.touch(named.id) {
            Some(Known::Text(_) | Known::Announced) => {}
            Some(wanted @ Known::Wanted) => {
                *wanted = Known::Announced;
                self.overdue.push(named.clone());
            }
            None => {
                self.text_bytes += named.text.len();
                self.insert(named.id, Known::Text(named.text.as_str().into()));
            }
        }
    }

    /// Gives the part's window the texts of the names that it is the first to use, sorted by id.
    pub(crate) fn announce(&mut self, part: &mut Part) {
        let Part { window, side, .. } = part;
        let mut names = std::mem::take(&mut self.overdue);
        for row in window.services.iter().chain(&side.services) {
            let key = row.key;
            for id in [key.service, key.operation, key.version, key.zone, key.instance] {
                self.need(id, &mut names);
            }
        }
        for row in window.edges.iter().chain(&side.edges) {
            let key = row.key;
            for id in [key.caller, key.caller_operation, key.callee, key.callee_operation] {
                self.need(id, &mut names);
            }
        }
        for row in &window.flows {
            self.need(row.key.entry, &mut names);
            self.need(row.key.operation, &mut names);
            row.visits.iter().for_each(|visit| self.need(visit.0, &mut names));
        }
        for row in &window.local {
            self.need(row.service, &mut names);
            self.need(row.operation, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        window.names = names;
    }

    fn need(&mut self, id: NameId, names: &mut Vec<Named>) {
        if !id.is_some() {
            return;
        }
        match self.touch(id) {
            Some(known @ Known::Text(_)) => {
                if let Known::Text(text) = std::mem::replace(known, Known::Announced) {
                    names.push(Named { id, text: text.into() });
                }
            }
            Some(_) => {}
            None if id == NameId::of("other") => {
                names.push(Named::of("other"));
                self.insert(id, Known::Announced);
            }
            None => self.insert(id, Known::Wanted),
        }
    }

    /// The name, moved to the young generation.
    fn touch(&mut self, id: NameId) -> Option<&mut Known> {
        if !self.young.contains_key(&id.0) {
            let known = self.old.remove(&id.0)?;
            self.insert(id, known);
        }
        self.young.get_mut(&id.0)
    }

    fn insert(&mut self, id: NameId, known: Known) {
        if self.young.len() >= self.names_max / 2 || self.text_bytes > self.names_max * 64 {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.text_bytes = self.old.values().map(Known::text_bytes).sum::<usize>() / 2;
        }
        self.young.insert(id.0, known);
    }

    pub(crate) fn bytes(&self) -> usize {
        let slots = self.young.capacity() + self.old.capacity();
        slots * (std::mem::size_of::<(u64, Known)>() + 2) + self.text_bytes * 2
    }
}

impl Known {
    fn text_bytes(&self) -> usize {
        match self {
            Known::Text(text) => text.len(),
            Known::Announced | Known::Wanted => 0,
        }
    }
}

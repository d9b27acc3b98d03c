//! Which operations of a service its spans show. What is counted and never traced (health checks, above all) says nothing of
//! a sampler.

use model::NameId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Operations that are remembered of a service; with more of them, or where spans fold some into one, all rows are compared.
const OPERATIONS_MAX: usize = 300;

/// The operations that spans of a service show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operations {
    known: BTreeSet<NameId>,
    /// Some are not told apart.
    folded: bool,
    /// Metrics were heard of one of them: both name operations alike.
    matched: bool,
}

impl Operations {
    /// Spans show this one.
    pub(crate) fn know(&mut self, operation: NameId) {
        self.folded |= operation == NameId::NONE || operation == NameId::of("other");
        if self.known.len() < OPERATIONS_MAX {
            self.known.insert(operation);
        } else {
            self.folded |= !self.known.contains(&operation);
        }
    }

    /// Metrics tell of this one.
    pub(crate) fn meet(&mut self, operation: NameId) {
        self.matched |= self.known.contains(&operation);
    }

    /// Do calls of this operation belong to those that spans show, as far as that can be told?
    pub(crate) fn are_with(&self, operation: NameId) -> bool {
        self.known.contains(&operation) || operation == NameId::NONE || self.folded || !self.matched
    }
}

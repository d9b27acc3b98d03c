//! The owner's clamps: what no command may do to this service, signed or not.

use crate::pattern::glob;
use model::{Criticality, Knob, Setting, Target};
use std::collections::{BTreeMap, BTreeSet};

/// How far a knob may be turned, by the order of [`Setting::strictness`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Nothing stricter than this: the floor of a limit or budget.
    pub strictest: Option<Setting>,
    /// Nothing looser than this: the ceiling of a limit or budget.
    pub loosest: Option<Setting>,
}

/// What the owner of a service allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clamps {
    /// Floor and ceiling of each knob.
    pub bounds: BTreeMap<Knob, Bound>,
    /// Knobs that nobody but the owner turns.
    pub refused: BTreeSet<Knob>,
    /// Operations that admission never sheds, as globs (`*` any text, `?` one character).
    pub never_shed: Vec<String>,
}

/// A setting after the clamps.
pub(crate) struct Clamped {
    /// What is left of it; `None` if nothing is.
    pub(crate) setting: Option<Setting>,
    /// What beat it.
    pub(crate) overridden_by: Option<String>,
}

/// Who signed, as far as clamps care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedBy {
    Engine,
    Operator,
}

impl Clamps {
    /// Is the operation never shed?
    pub fn never_sheds(&self, operation: &str) -> bool {
        self.never_shed.iter().any(|pattern| glob(pattern, operation))
    }

    /// What is left of a commanded setting.
    pub(crate) fn apply(&self, target: &Target, setting: Setting, by: SignedBy) -> Clamped {
        let knob = setting.knob();
        if self.refused.contains(&knob) {
            return Clamped { setting: None, overridden_by: Some(format!("refused: {}", knob.as_str())) };
        }
        let sheds = knob == Knob::Admission;
        if let Some(operation) = target.operation.as_deref().filter(|name| sheds && self.never_sheds(name)) {
            return Clamped { setting: None, overridden_by: Some(format!("never_shed: {operation}")) };
        }
        let bound = self.bounds.get(&knob).copied().unwrap_or_default();
        let (mut left, mut overridden_by) = (setting, None);
        if let Some(floor) = bound.strictest.filter(|floor| floor.knob() == knob)
            && left.strictness() > floor.strictness()
        {
            (left, overridden_by) = (floor, Some(format!("strictest: {}", knob.as_str())));
        }
        if let Some(ceiling) = bound.loosest.filter(|ceiling| ceiling.knob() == knob)
            && left.strictness() < ceiling.strictness()
        {
            (left, overridden_by) = (ceiling, Some(format!("loosest: {}", knob.as_str())));
        }
        let spared = Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 1000 };
        if sheds && by == SignedBy::Engine && left.strictness() > spared.strictness() {
            (left, overridden_by) = (spared, Some("CRITICAL_PLUS needs an operator's signature".to_owned()));
        }
        Clamped { setting: Some(left), overridden_by }
    }
}

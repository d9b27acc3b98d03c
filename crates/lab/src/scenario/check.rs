//! What the format of `[scenario]` alone cannot say.

use super::{Expected, Kind, Terms};
use crate::topology::{Topology, TopologyError};

/// The first thing that is wrong with `terms`, which stand in `text`.
pub(super) fn check(topology: &Topology, terms: &Terms, text: &str) -> Result<(), TopologyError> {
    let table = text.find("[scenario]").unwrap_or(0);
    let place = |key: &str| text[table..].find(key).map_or(table, |at| table + at);
    let that = |holds: bool, key: &str, what: &str, hint: &str| {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        if holds { Ok(()) } else { Err(TopologyError::at(text, place(key), what.to_owned(), hint)) }
    };
    let length_s = f64::from(terms.length_s);
    let inside = |time: Option<f64>| time.is_none_or(|time_s| (0.0..=length_s).contains(&time_s));
    let value = &terms.value;
    let values = [value.critical_plus, value.critical, value.sheddable_plus, value.sheddable];
    that(!terms.about.is_empty(), "about", "about must say what happens", "")?;
    that(terms.length_s > 0, "length_s", "length_s must be at least 1", "")?;
    that(inside(terms.onset_s), "onset_s", "onset_s must lie within length_s", "")?;
    that(inside(terms.cause_ends_s), "cause_ends_s", "cause_ends_s must lie within length_s", "")?;
    that(values.iter().all(|value| *value >= 0.0 && value.is_finite()), "value", "a value must not be negative", "")?;
    let good = terms.bad.good_below;
    that(good > 0.0 && good <= 1.0, "bad", "bad.good_below must be above 0 and at most 1", "")?;
    that(terms.bad.over_s > 0, "bad", "bad.over_s must be at least 1", "")?;
    that(!topology.client.is_empty(), "about", "nobody asks for anything", "add a [[client]]")?;
    let fits = match terms.kind {
        Kind::Benign | Kind::SelfHealing => terms.expected != Expected::MustAct,
        Kind::Metastable => terms.expected == Expected::MustAct,
        Kind::Capacity | Kind::Dependency => true,
    };
    let hint = "metastable: must_act; self_healing and benign: must_not_act or may_act";
    that(fits, "expected", "expected does not fit this kind", hint)
}

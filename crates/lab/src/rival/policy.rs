//! The names of the policies.

/// Who looks after the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Nobody.
    None,
    /// A mesh with Envoy's defaults.
    Static,
    /// Google's client-side adaptive throttling.
    Throttle,
    /// Netflix's Gradient2 in every instance, with partitions.
    Gradient,
    /// WeChat's DAGOR.
    Dagor,
    /// Breakwater's credits.
    Breakwater,
    /// Rate control at the entry in the manner of TopFull.
    TopFull,
    /// The guard in every service with good bounds of its own, and no engine: the one that decides.
    GuardAlone,
    /// The same guards, and the engine.
    Stopbank,
    /// The engine, and services that obey it but have no bounds of their own: what commands alone give.
    Commanded,
    /// The same guards, and the best static plan that a search finds which knows what will happen.
    Hindsight,
    /// What could be served at best if everything were known.
    Clairvoyant,
}

const NAMES: [(Policy, &str, &str); 12] = [
    (Policy::None, "none", "nobody"),
    (Policy::Static, "static", "Envoy's defaults: circuit breakers, outlier ejection, 20 % retry budget"),
    (Policy::Throttle, "throttle", "Google's client-side adaptive throttling, K = 2"),
    (Policy::Gradient, "gradient", "Netflix Gradient2 in every instance, with priority partitions"),
    (Policy::Dagor, "dagor", "WeChat's DAGOR"),
    (Policy::Breakwater, "breakwater", "Breakwater's credits"),
    (Policy::TopFull, "topfull", "rate control at the entry in the manner of TopFull"),
    (Policy::GuardAlone, "guard-alone", "the guard with good static bounds, and no engine"),
    (Policy::Stopbank, "stopbank", "the same guards, and the engine"),
    (Policy::Commanded, "commanded", "the engine, and services that obey it but have no bounds of their own"),
    (Policy::Hindsight, "hindsight", "the same guards, and the best static plan of a search that knows the fault"),
    (Policy::Clairvoyant, "clairvoyant", "the best admission each second if everything were known: the upper bound"),
];

impl Policy {
    /// All of them, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = Policy> {
        NAMES.into_iter().map(|(policy, ..)| policy)
    }

    /// Its name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        NAMES[self as usize].2
    }

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Policy> {
        NAMES.into_iter().find(|(_, known, _)| *known == name).map(|(policy, ..)| policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_its_own_name_and_is_found_by_it() {
        for policy in Policy::all() {
            assert_eq!(Policy::parse(policy.as_str()), Some(policy));
        }
        assert_eq!(Policy::parse("best"), None);
    }
}

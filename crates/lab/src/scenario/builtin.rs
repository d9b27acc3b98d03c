//! The scenarios that come with the program: `crates/lab/scenarios/`.

use super::Scenario;

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*] };
}

const ALL: [(&str, &str); 45] = files![
    "autoscaler-catches-up",
    "autoscaler-in-time",
    "batch-jobs",
    "bounded-concurrency",
    "brief-blip",
    "cache-flush",
    "cache-flush-with-room",
    "connection-pool-jam",
    "crash-loop",
    "dead-optional-dependency",
    "deploy-a-little-slower",
    "deploy-that-fails",
    "diurnal-peak",
    "fail-over-storm",
    "flash-crowd",
    "fresh-first",
    "gc-capacity-degradation",
    "gc-with-room",
    "gray-instance",
    "load-spike-two-tiers",
    "lock-convoy",
    "lock-held",
    "optional-dependency-fails-fast",
    "payment-provider",
    "poor-telemetry",
    "priority-inversion",
    "restart-cascade",
    "restart-with-room",
    "retry-storm",
    "retry-storm-after-capacity-loss",
    "rolling-restart",
    "sale-within-capacity",
    "search-burst-heals",
    "search-retry-collapse",
    "slow-shared-database",
    "slow-with-room",
    "slow-without-retries",
    "spike-with-room",
    "steady",
    "storm-against-a-budget",
    "storm-against-a-short-queue",
    "sustained-overload",
    "thrashing",
    "zone-loss",
    "zone-loss-with-room",
];

/// A scenario that comes with the program, by name.
pub fn builtin(name: &str) -> Option<Scenario> {
    toml(name).map(|text| Scenario::from_toml(text).expect("a test reads every built-in scenario"))
}

/// The text of a scenario that comes with the program: an example to start from.
pub fn toml(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names that [`builtin`] knows, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

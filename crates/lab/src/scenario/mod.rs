//! A scenario: a fleet, its load, what goes wrong, and what counts as success, in one TOML file.
//!
//! A scenario file is a topology file with one more table, `[scenario]`. `docs/scenarios.md` explains it.

mod bad;
mod builtin;
mod check;
#[cfg(feature = "schema")]
mod schema;
mod terms;

pub use bad::BadState;
pub use builtin::{builtin, names, toml};
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use terms::{Expected, Kind, Terms, Value};

use crate::topology::{Fault, Topology, TopologyError};

/// A fleet with what is to be expected of it. One that exists has been checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The fleet, its load and its faults.
    pub topology: Topology,
    /// What happens, and what counts as success.
    pub terms: Terms,
}

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Scenario, TopologyError> {
        let topology = Topology::from_toml(text)?;
        let Some(terms) = topology.scenario.clone() else {
            let hint = Some("a topology becomes a scenario by a table [scenario]; see docs/scenarios.md".to_owned());
            return Err(TopologyError::at(text, 0, "the table [scenario] is missing".to_owned(), hint));
        };
        check::check(&topology, &terms, text)?;
        Ok(Scenario { topology, terms })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.topology.name
    }

    /// When the cause begins, in seconds: value lost and time to detect count from here.
    pub fn onset_s(&self) -> f64 {
        let first = self.topology.fault.iter().map(|fault| fault.start_s).reduce(f64::min);
        self.terms.onset_s.or(first).unwrap_or(0.0)
    }

    /// When the cause is over, in seconds, at the latest at the end of the run.
    pub fn cause_ends_s(&self) -> f64 {
        let last = self.topology.fault.iter().map(Fault::last_end_s).reduce(f64::max);
        let length_s = f64::from(self.terms.length_s);
        self.terms.cause_ends_s.or(last).unwrap_or(length_s).min(length_s)
    }
}

//! What can be seen in a fleet's telemetry, what cannot, and what mends it.
//!
//! An [`Examination`] reads records as the pipeline does (the same reader, the same windows), counts what they say and keeps a
//! bounded sample of whole traces. [`Examination::report`] asks a dozen questions of it (and one more where there are metrics),
//! one file each under `question`, gives each a [`Grade`], and derives which findings are therefore impossible or weak and
//! which setting mends it. No clock, no IO: where the records come from is the caller's business.

mod ability;
mod anatomy;
mod delays;
mod examine;
mod grade;
mod question;
mod remedy;
mod report;
#[cfg(feature = "schema")]
mod schema;
mod seen;
mod text;
mod witnessed;

pub use ability::{Ability, Findable, State};
pub use examine::{Examination, ExaminationConfig, Source};
pub use grade::Grade;
pub use question::{Answer, Question};
pub use remedy::{Place, Remedy, Snippet, snippets};
pub use report::{Census, ExporterReport, PartitionReport, Report, ServiceReport, SkewReport};
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use text::text;

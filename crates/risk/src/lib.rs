//! What will bring a fleet down that has not done so yet.
//!
//! A [`Survey`] reads telemetry of normal days and of bad ones, and draws a [`Fleet`]: who calls whom within which request, how
//! long it waits, how often it tries, what a failure costs it. Each risk is one rule over the fleet, in a file of its own
//! under `risks`, with its evidence, its arithmetic and the change that takes it away; [`assess`] ranks them by the requests
//! that they could cost. No clock, no IO.

mod assess;
mod draw;
mod fleet;
mod live;
mod risks;
#[cfg(feature = "schema")]
mod schema;
mod survey;
mod text;

pub use assess::{Assessment, Kind, Risk, assess};
pub use fleet::{Call, CallKey, Fleet, Service};
pub use live::fleet as fleet_of_graph;
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use survey::{Survey, SurveyConfig};
pub use text::text;

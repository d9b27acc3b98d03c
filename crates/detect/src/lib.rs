//! Cascade signatures and root cause: the graph and what deviates from normal become findings.
//!
//! Each signature is one file with its formula and source and looks at one window at a time; [`Detector`] gives what it
//! sees a life (opened, changed, closed) so that findings do not flap. [`origin`] ranks likely origins over whole
//! periods. Nothing here has effects. Thin, stale or biased telemetry opens no finding.

mod coverage;
mod detector;
mod deviation_front;
mod hysteresis;
mod inversion;
mod lifecycle;
mod metastable;
pub mod origin;
mod outlier;
mod pressure;
mod retry_amplification;
mod scene;
mod suspicion;
#[cfg(test)]
mod tests;

pub use coverage::coverage;
pub use detector::{DetectConfig, Detector};
pub use inversion::{Inverted, inverted};
pub use scene::Scene;
pub use suspicion::Suspicion;

//! The shared state as Prometheus text: `stopbank_*`, and `traces_service_graph_*` as Grafana's service graph reads it.

mod service_graph;
mod text;

pub use service_graph::ServiceGraph;
pub(crate) use text::text;

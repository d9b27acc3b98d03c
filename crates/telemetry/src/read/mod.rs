//! From a payload's bytes to spans: a walker for each format (OTLP, Jaeger, Zipkin, each in protobuf and JSON) that fill the
//! same draft, and one reduction.

pub(crate) mod detect;
pub(crate) mod draft;
pub(crate) mod jaeger;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod names;
pub(crate) mod proto;
pub(crate) mod recent;
pub(crate) mod resource;
pub(crate) mod sink;
pub(crate) mod tags;
pub(crate) mod text;
pub(crate) mod wire;
pub(crate) mod zipkin;

//! What mends it: where, in words, and the snippet to paste. Snippets lie in files of their own, so that a real Collector
//! can validate them.

use serde::Serialize;

/// Where something is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The OpenTelemetry Collector's configuration.
    Collector,
    /// A service's SDK: its environment or its code.
    Sdk,
    /// A host.
    Host,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Remedy {
    /// Where.
    pub place: Place,
    /// In words.
    pub say: String,
    /// What to paste.
    pub snippet: Option<Snippet>,
}

/// Text to paste.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snippet {
    /// Its name.
    pub name: &'static str,
    /// `yaml` for the Collector, `sh` for an environment.
    pub language: &'static str,
    /// The text.
    pub text: &'static str,
}

impl Remedy {
    pub(crate) fn collector(say: impl Into<String>, snippet: Option<Snippet>) -> Remedy {
        Remedy { place: Place::Collector, say: say.into(), snippet }
    }

    pub(crate) fn sdk(say: impl Into<String>, snippet: Option<Snippet>) -> Remedy {
        Remedy { place: Place::Sdk, say: say.into(), snippet }
    }

    pub(crate) fn host(say: impl Into<String>, snippet: Option<Snippet>) -> Remedy {
        Remedy { place: Place::Host, say: say.into(), snippet }
    }
}

macro_rules! snippets {
    ($($name:ident = $file:literal, $language:literal;)*) => {
        $(pub(crate) const $name: Snippet =
            Snippet { name: $file, language: $language, text: include_str!(concat!("../snippets/", $file, ".", $language)) };)*

        /// Every snippet that a report may hold.
        pub fn snippets() -> Vec<Snippet> {
            vec![$($name),*]
        }
    };
}

snippets! {
    KAFKA_EXPORTER = "kafka-exporter", "yaml";
    PARTITION_BY_TRACE = "partition-by-trace", "yaml";
    SENDING_QUEUE = "sending-queue", "yaml";
    BRANCH = "branch-before-sampling", "yaml";
    PROPORTIONAL = "proportional-sampling", "yaml";
    SMALL_BATCHES = "small-batches", "yaml";
    RESOURCE_PROCESSOR = "resource-attributes", "yaml";
    SPAN_NAMES = "span-names", "yaml";
    PROPAGATORS = "propagators", "sh";
    PARENT_BASED = "parent-based-sampling", "sh";
    SCHEDULE_DELAY = "schedule-delay", "sh";
    SERVICE_NAME = "service-name", "sh";
    RESOURCE_ATTRIBUTES = "describe-the-process", "sh";
    INSTRUMENTATION_OFF = "instrumentation-off", "sh";
    CHRONY = "clocks", "sh";
}

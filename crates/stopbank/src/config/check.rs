//! What the types cannot say: relations between settings, and values that cannot work.

use super::Config;
use super::error::Complaint;

/// Everything that is wrong with `config`; `text` is the file, to find the line.
pub(super) fn complaints(config: &Config, source: &str, text: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut complain = |key: &str, what: String, hint: &str| {
        let hint = Some(hint.to_owned());
        found.push(Complaint { source: source.to_owned(), place: place(text, key), what, hint });
    };
    if config.domain.name.is_empty() || config.domain.name.contains('/') {
        complain("name", "the domain's name is empty or has a `/`".into(), "it begins every record's key");
    }
    for broker in config.kafka.brokers.split(',') {
        if !is_address(broker.trim()) {
            complain(
                "brokers",
                format!("`{broker}` is no host:port"),
                "write for example \"kafka-1:9092,kafka-2:9092\"",
            );
        }
    }
    if config.telemetry.traces_topics.is_empty() {
        complain("traces_topics", "there is no topic to read".into(), "the Collector's default is \"otlp_spans\"");
    }
    if let Some(topic) =
        config.telemetry.metrics_topics.iter().find(|topic| config.telemetry.traces_topics.contains(topic))
    {
        let what = format!("`{topic}` is read for traces already");
        complain("metrics_topics", what, "let the exporter write metrics to a topic of their own");
    }
    if !(config.telemetry.sampled > 0.0 && config.telemetry.sampled <= 1.0) {
        let what = format!("a share of {} of the traces", config.telemetry.sampled);
        complain("sampled", what, "write 1.0 where all traces are kept, 0.05 where one in twenty is");
    }
    if !is_address(&config.admin.address) {
        let what = format!("`{}` is no host:port", config.admin.address);
        complain("address", what, "write for example \"127.0.0.1:9464\", or port 0 for any free one");
    }
    if config.engine.lease.ms() < 3000 || config.engine.lease.ms() > 3_600_000 {
        complain("lease", format!("a lease of {} is not between 3s and 1h", config.engine.lease), "15s is the default");
    }
    if config.engine.hold_max.ms() < config.engine.lease.ms() {
        complain(
            "hold_max",
            "hold_max is shorter than a lease".into(),
            "it bounds how long a lease is renewed blindly",
        );
    }
    if config.window.flow_sample == 0 {
        complain("flow_sample", "flow_sample is 0".into(), "1 reads the flows of every trace, 8 those of every eighth");
    }
    let shards = config.runtime.shards.max(1);
    if let Err(why) = runtime::Budget::divide(config.runtime.memory_mib << 20, shards, config.window.edges_max) {
        complain("memory_mib", why, "512 carries about a million spans a second");
    }
    for key in config.criticality.keys() {
        if !key.contains(':') {
            complain(key, format!("`{key}` names no operation"), "write \"service:operation\" = \"CRITICAL\"");
        }
    }
    found
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// The line that sets `key`, if the file does.
fn place(text: &str, key: &str) -> Option<(usize, usize)> {
    let sets = |line: &str| line.trim_start().trim_start_matches('"').starts_with(key);
    text.lines().position(sets).map(|line| (line + 1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sound() {
        assert_eq!(complaints(&Config::default(), "x", ""), vec![]);
    }

    #[test]
    fn impossible_values_are_named_with_their_line() {
        let mut config = Config::default();
        config.kafka.brokers = "localhost".into();
        let found = complaints(&config, "a.toml", "[kafka]\nbrokers = \"localhost\"\n");
        assert_eq!(found[0].place, Some((2, 1)));
        assert!(found[0].to_string().contains("host:port"));
    }
}

//! The configuration in the terms of the crates that it is for.

use crate::config::{self, Config, Start};
use crate::exit::Failure;
use crate::keys;
use control::Signer;
use engine::{EngineConfig, ModeRule};
use kafka::{Connection, Topics};
use model::{Criticality, NameId};
use runtime::{Beginning, Broker, PipelineConfig};
use std::path::Path;
use telemetry::ReaderConfig;
use window::{Grace, ShardConfig};

/// How to reach the brokers.
pub(crate) fn connection(config: &Config) -> Connection {
    let kafka = &config.kafka;
    Connection {
        brokers: kafka.brokers.clone(),
        properties: kafka.properties.clone(),
        consumer: kafka.consumer.clone(),
        producer: kafka.producer.clone(),
    }
}

/// The topics' names.
pub(crate) fn topics(config: &Config) -> Topics {
    let names = config.topics.clone();
    Topics {
        traces: config.telemetry.traces_topics.clone(),
        control: names.control,
        proposals: names.proposals,
        findings: names.findings,
        reports: names.reports,
        orders: names.orders,
        audit: names.audit,
        journal: names.journal,
        snapshots: names.snapshots,
        claims: names.claims,
        dead_letter: names.dead_letter,
    }
}

/// The engine's part.
pub(crate) fn engine(config: &Config) -> EngineConfig {
    let settings = &config.engine;
    let knobs = settings.knobs.iter().map(|(knob, mode)| ModeRule { knob: Some(*knob), service: None, mode: *mode });
    let targets = settings.targets.iter().map(|(service, mode)| ModeRule {
        knob: None,
        service: Some(service.clone()),
        mode: *mode,
    });
    EngineConfig {
        domain: config.domain.name.clone(),
        mode: settings.mode,
        modes: knobs.chain(targets).collect(),
        warmup_windows: u32::try_from(settings.warm_up.ms() / 1000).unwrap_or(u32::MAX).max(1),
        stale_after_ms: settings.stale_after.ms(),
        lease_ttl_ms: u32::try_from(settings.lease.ms()).unwrap_or(u32::MAX),
        max_hold_ms: settings.hold_max.ms(),
        edges_max: u32::try_from(config.window.edges_max).unwrap_or(u32::MAX),
        ..EngineConfig::default()
    }
}

/// The windows' part.
pub(crate) fn window(config: &Config) -> ShardConfig {
    let operation = |(key, level): (&String, &Criticality)| {
        let (service, operation) = key.split_once(':')?;
        Some(((NameId::of(service), NameId::of(operation)), *level))
    };
    ShardConfig {
        flow_sample: config.window.flow_sample,
        pair_ttl_ns: config.window.pairing.ms() * 1_000_000,
        edges_max: config.window.edges_max,
        criticality: config.criticality.iter().filter_map(operation).collect(),
        ..ShardConfig::default()
    }
}

/// The decoder's part.
pub(crate) fn reader(config: &Config) -> ReaderConfig {
    ReaderConfig {
        identity: config.telemetry.identity.clone(),
        unmarked: telemetry::weight_of_share(config.telemetry.sampled),
        payload_bytes_max: config.telemetry.record_max_kib * 1024,
        operations_per_service_max: config.telemetry.operations_per_service_max,
        ..ReaderConfig::default()
    }
}

/// A whole pipeline.
///
/// # Errors
/// When a key file cannot be read.
pub(crate) fn pipeline(config: &Config) -> Result<PipelineConfig, Failure> {
    let signer = if config.signing.key_file.is_empty() {
        Signer::from_seed(keys::seed()?)
    } else {
        keys::signer(&config.signing.key_file)?
    };
    let mut pipeline =
        PipelineConfig::new(connection(config), Broker::Kafka { owner: owner(), instance: None }, signer);
    pipeline.topics = topics(config);
    pipeline.metrics_topics.clone_from(&config.telemetry.metrics_topics);
    pipeline.group.clone_from(&config.kafka.group);
    pipeline.replication = u16::try_from(config.kafka.replication_factor).ok().map(i32::from);
    pipeline.beginning = match config.telemetry.start {
        Start::Earliest => Beginning::Earliest,
        Start::Latest => Beginning::Latest,
    };
    pipeline.encoding = config.telemetry.encoding;
    pipeline.reader = reader(config);
    if config.runtime.shards > 0 {
        pipeline.shards = config.runtime.shards;
    }
    pipeline.pin_shards = config.runtime.pin_shards;
    pipeline.window = window(config);
    pipeline.memory_bytes_max = config.runtime.memory_mib << 20;
    pipeline.sample_behind_ms = config.telemetry.sample_behind.ms();
    pipeline.grace = match config.window.grace {
        config::Grace::Auto => Grace::default(),
        config::Grace::Fixed(length) => Grace::Fixed { grace_ms: u32::try_from(length.ms()).unwrap_or(u32::MAX) },
    };
    pipeline.idle_after_ms = config.window.idle_after.ms();
    pipeline.engine = engine(config);
    if !config.signing.operators_file.is_empty() {
        pipeline.keyring = keys::keyring(Path::new(&config.signing.operators_file))?;
    }
    Ok(pipeline)
}

/// Who this process is, for the people who read the claims: host and process id.
fn owner() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}/{}", host.trim(), std::process::id())
}

//! The source's client: which of librdkafka's knobs are turned, and why.

use super::{Crc, SourceConfig};
use crate::Error;
use crate::heard::Heard;
use rdkafka::consumer::BaseConsumer;

/// A consumer that reads nothing yet.
pub(super) fn consumer(config: &SourceConfig) -> Result<BaseConsumer<Heard>, Error> {
    let connection = &config.connection;
    let prefetch_kib = (config.prefetch_bytes_max / 1024).clamp(1, 2_097_151);
    let defaults = [
        // Only the name under which positions are committed: the group is never joined.
        ("group.id", config.group.clone()),
        ("enable.auto.commit", "false".to_owned()),
        ("enable.auto.offset.store", "false".to_owned()),
        // A position outside of the log is an error here, so that the gap is told before reading goes on.
        ("auto.offset.reset", "error".to_owned()),
        ("isolation.level", config.isolation.as_str().to_owned()),
        ("check.crcs", (config.crc == Crc::Check).to_string()),
        // The budget for what is fetched ahead counts for the whole client, because the queue is not split.
        ("queued.max.messages.kbytes", prefetch_kib.to_string()),
        // Bytes are the bound, not messages: one message holds from one span to thousands.
        ("queued.min.messages", "1000000".to_owned()),
        // When the budget is used up, look again soon: the default of a second starves a fast reader.
        ("fetch.queue.backoff.ms", "10".to_owned()),
        // Latency when little comes: the broker answers an empty fetch after so long.
        ("fetch.wait.max.ms", "100".to_owned()),
        ("fetch.error.backoff.ms", "100".to_owned()),
        ("statistics.interval.ms", config.statistics_ms.to_string()),
        ("topic.metadata.refresh.interval.ms", config.refresh_ms.max(10).to_string()),
    ];
    connection
        .consumer_config(&defaults)?
        .create_with_context(Heard::default())
        .map_err(|error| connection.refused(&error))
}

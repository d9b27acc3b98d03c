//! Where reading starts: every start is turned into a number before the first fetch, so that it can be told, kept and
//! taken up again by a new client.

use super::{SourceConfig, SourceEvent, Start};
use crate::connection::REACH;
use crate::heard::Heard;
use crate::sink::committed_positions;
use crate::{Edge, Error, Position, Positions, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;

/// Where a partition starts.
pub(super) struct From {
    pub(super) partition: TopicPartition,
    pub(super) offset: i64,
    pub(super) note: String,
}

/// The starts of the partitions found at connecting, and gaps where a position is no longer in the log.
pub(super) fn first(
    config: &SourceConfig,
    consumer: &BaseConsumer<Heard>,
    found: Vec<TopicPartition>,
) -> Result<(Vec<From>, Vec<SourceEvent>), Error> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: KafkaError| config.connection.failed(&what, &error)
    };
    let low = ends(consumer, &found, Offset::Beginning).map_err(failed("asking for the oldest offsets"))?;
    let high = ends(consumer, &found, Offset::End).map_err(failed("asking for the newest offsets"))?;
    let (positions, otherwise) = match &config.start {
        Start::Earliest => (Positions::new(), Edge::Earliest),
        Start::Latest => (Positions::new(), Edge::Latest),
        Start::At { positions, otherwise } => (positions.clone(), *otherwise),
        Start::Positions { otherwise } => {
            let mut asked = TopicPartitionList::with_capacity(found.len());
            for found in &found {
                asked.add_partition(&found.topic, found.partition);
            }
            let what = format!("reading the positions of group `{}`", config.group);
            (committed_positions(consumer, asked, REACH).map_err(failed(&what))?, *otherwise)
        }
    };
    let mut starts = Vec::with_capacity(found.len());
    let mut gaps = Vec::new();
    for partition in found {
        let (low, high) = (low.get(&partition).copied().unwrap_or(0), high.get(&partition).copied().unwrap_or(0));
        let (offset, note) = match positions.get(&partition) {
            Some(Position { offset, note }) if (low..=high).contains(offset) => (*offset, note.clone()),
            // The log's end lies before the position while a transaction is open in front of it: then it is no gap.
            Some(Position { offset, note }) if *offset > high && is_inside(consumer, &partition, *offset) => {
                (*offset, note.clone())
            }
            Some(Position { offset, .. }) => {
                gaps.push(SourceEvent::Gap { partition: partition.clone(), from: *offset, to: low });
                (low, String::new())
            }
            None if otherwise == Edge::Latest => (high, String::new()),
            None => (low, String::new()),
        };
        starts.push(From { partition, offset, note });
    }
    Ok((starts, gaps))
}

/// The oldest records of partitions that appeared later.
pub(super) fn oldest(
    config: &SourceConfig,
    consumer: &BaseConsumer<Heard>,
    new: Vec<TopicPartition>,
) -> Result<Vec<From>, Error> {
    let low = ends(consumer, &new, Offset::Beginning)
        .map_err(|error| config.connection.failed("asking for the oldest offsets", &error))?;
    let start = |partition| From { offset: low.get(&partition).copied().unwrap_or(0), partition, note: String::new() };
    Ok(new.into_iter().map(start).collect())
}

/// One end of each log, all asked for at once. (ListOffsets takes the ends as special timestamps.)
fn ends(
    consumer: &BaseConsumer<Heard>,
    partitions: &[TopicPartition],
    end: Offset,
) -> Result<BTreeMap<TopicPartition, i64>, KafkaError> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        asked.add_partition_offset(&partition.topic, partition.partition, end)?;
    }
    let answered = consumer.offsets_for_times(asked, REACH)?;
    let mut ends = BTreeMap::new();
    for element in answered.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            ends.insert(TopicPartition::new(element.topic(), element.partition()), offset);
        }
    }
    Ok(ends)
}

fn is_inside(consumer: &BaseConsumer<Heard>, partition: &TopicPartition, offset: i64) -> bool {
    consumer.fetch_watermarks(&partition.topic, partition.partition, REACH).is_ok_and(|(_, high)| offset <= high)
}

//! What has crashed the core, over all generations of a process. Whatever crashes it twice is put aside with its reason, or
//! one record could stop everything for ever.
//!
//! A shard dies of a batch, so after its first death the records that had been read by then go to the shards one by one: if
//! it dies again, the record is known. The engine dies of an input, which is known at once.

use crate::state::locked;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use window::PartitionId;

/// An input that has crashed the engine so often is put aside.
const CRASHES_MAX: u32 = 2;
/// So many are remembered; past it nothing more is put aside.
const REMEMBERED_MAX: usize = 1024;

/// Where a telemetry record lies.
pub(crate) type Origin = (PartitionId, i64);

/// The list of suspects.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    /// Whoever only asks need not take the lock.
    any: AtomicBool,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// A shard has died, and the source has not said yet how far it had read by then.
    died: bool,
    /// The first record of each partition that had not been read when a shard died: all before it are suspects.
    unread: BTreeMap<PartitionId, i64>,
    /// Each with whether it has been told.
    records: BTreeMap<Origin, bool>,
    inputs: BTreeMap<String, u32>,
}

impl Suspects {
    /// A shard died while it took a batch, which was this record alone or not known.
    pub(crate) fn shard_died(&self, origin: Option<Origin>) {
        self.any.store(true, Ordering::Relaxed);
        let mut list = locked(&self.list);
        list.died = true;
        if let Some(origin) = origin
            && list.records.len() < REMEMBERED_MAX
        {
            list.records.entry(origin).or_default();
        }
    }

    /// Has anything crashed the core yet?
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// A source has ended after it had read the records before these. If a shard died meanwhile, it died of one of them.
    pub(crate) fn source_ended(&self, next: impl Iterator<Item = (PartitionId, i64)>) {
        if !self.any() {
            return;
        }
        let mut list = locked(&self.list);
        if std::mem::take(&mut list.died) {
            for (partition, offset) in next {
                let unread = list.unread.entry(partition).or_insert(offset);
                *unread = offset.max(*unread);
            }
        }
    }

    /// Should records go to the shards one by one?
    pub(crate) fn careful(&self) -> bool {
        self.any() && !locked(&self.list).unread.is_empty()
    }

    /// Ends the care for partitions whose suspects, the records before an offset, have all gone to the shards by themselves
    /// or will never come.
    pub(crate) fn passed(&self, passed: impl Fn(PartitionId, i64) -> bool) {
        locked(&self.list).unread.retain(|partition, unread| !passed(*partition, *unread));
    }

    /// Has this record been put aside?
    pub(crate) fn has(&self, origin: Origin) -> bool {
        self.any() && locked(&self.list).records.contains_key(&origin)
    }

    /// Is this the first time that this record, which has been put aside, is told?
    pub(crate) fn tell(&self, origin: Origin) -> bool {
        let told = locked(&self.list).records.insert(origin, true);
        told != Some(true)
    }

    /// The engine died of an input.
    pub(crate) fn engine_died(&self, input: &str) {
        self.any.store(true, Ordering::Relaxed);
        let mut list = locked(&self.list);
        if list.inputs.len() < REMEMBERED_MAX || list.inputs.contains_key(input) {
            *list.inputs.entry(input.to_owned()).or_default() += 1;
        }
    }

    /// Has the engine died of this input too often?
    pub(crate) fn condemned(&self, input: &str) -> bool {
        locked(&self.list).inputs.get(input).is_some_and(|crashes| *crashes >= CRASHES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Origin = (PartitionId { topic: 0, partition: 1 }, 7);

    #[test]
    fn a_record_is_put_aside_when_it_was_alone_with_the_shard_that_died() {
        let suspects = Suspects::default();
        suspects.shard_died(None);
        assert!(!suspects.has(RECORD));
        suspects.shard_died(Some(RECORD));
        assert!(suspects.has(RECORD) && !suspects.has((RECORD.0, 8)));
        assert!(suspects.tell(RECORD) && !suspects.tell(RECORD), "told once, however often it is read again");
    }

    #[test]
    fn care_ends_when_everything_that_had_been_read_by_the_death_is_behind() {
        let (suspects, other) = (Suspects::default(), PartitionId { topic: 0, partition: 2 });
        suspects.source_ended([(RECORD.0, 10)].into_iter());
        assert!(!suspects.careful(), "nothing died");
        suspects.shard_died(None);
        suspects.source_ended([(RECORD.0, 10), (other, 3)].into_iter());
        let read = |partition, next| suspects.passed(|of, unread| of == partition && next >= unread);
        read(RECORD.0, 9);
        read(other, 3);
        assert!(suspects.careful());
        // It died again, early on: what had been read before is still suspected.
        suspects.shard_died(Some(RECORD));
        suspects.source_ended([(RECORD.0, 8)].into_iter());
        read(RECORD.0, 8);
        assert!(suspects.careful());
        read(RECORD.0, 10);
        assert!(!suspects.careful());
    }

    #[test]
    fn an_input_is_put_aside_at_its_second_crash() {
        let suspects = Suspects::default();
        suspects.engine_died("window 5");
        assert!(!suspects.condemned("window 5"));
        suspects.engine_died("window 5");
        assert!(suspects.condemned("window 5") && !suspects.condemned("window 6"));
    }
}

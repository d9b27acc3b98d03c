//! What has crashed the core, over all generations of a process. Whatever crashes it twice is put aside with its reason, or
//! one record could stop everything for ever.
//!
//! A shard dies of a batch, so after its first death records go to the shards one by one for a while: if it dies again, the
//! record is known. The engine dies of an input, which is known at once.

use crate::state::locked;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use window::PartitionId;

/// An input that has crashed the engine so often is put aside.
const CRASHES_MAX: u32 = 2;
/// So long after a shard's death records go to the shards one by one.
const CAREFUL_FOR: Duration = Duration::from_secs(30);
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
    careful_until: Option<Instant>,
    /// Each with whether it has been told.
    records: BTreeMap<Origin, bool>,
    inputs: BTreeMap<String, u32>,
}

impl Suspects {
    /// A shard died while it took a batch, which was this record alone or not known.
    pub(crate) fn shard_died(&self, origin: Option<Origin>) {
        self.any.store(true, Ordering::Relaxed);
        let mut list = locked(&self.list);
        list.careful_until = Some(Instant::now() + CAREFUL_FOR);
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

    /// Should records go to the shards one by one?
    pub(crate) fn careful(&self) -> bool {
        self.any() && locked(&self.list).careful_until.is_some_and(|until| Instant::now() < until)
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
        assert!(!suspects.careful());
        suspects.shard_died(None);
        assert!(suspects.careful() && !suspects.has(RECORD));
        suspects.shard_died(Some(RECORD));
        assert!(suspects.has(RECORD) && !suspects.has((RECORD.0, 8)));
        assert!(suspects.tell(RECORD) && !suspects.tell(RECORD), "told once, however often it is read again");
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

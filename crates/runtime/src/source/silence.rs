//! Which partitions have fallen silent. Pure: times are arguments.

use std::collections::BTreeMap;
use window::PartitionId;

/// How long each partition has been silent.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    after_ms: u64,
    heard: BTreeMap<PartitionId, Heard>,
    last_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at_ms: u64,
    idle: bool,
}

/// What changed about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It fell silent.
    Idle(PartitionId),
    /// It speaks again.
    Awake(PartitionId),
}

impl Silence {
    /// A partition at its end is silent after `after_ms`.
    pub(crate) fn new(after_ms: u64, now_ms: u64) -> Silence {
        Silence { after_ms, heard: BTreeMap::new(), last_ms: now_ms }
    }

    /// A record came.
    pub(crate) fn heard(&mut self, partition: PartitionId, now_ms: u64) -> Option<Change> {
        self.last_ms = now_ms;
        let before = self.heard.insert(partition, Heard { at_ms: now_ms, idle: false });
        before.is_some_and(|before| before.idle).then_some(Change::Awake(partition))
    }

    /// Looks at all assigned partitions; `at_end` says which have been read to their end.
    pub(crate) fn look(&mut self, partitions: &[(PartitionId, bool)], now_ms: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for (partition, at_end) in partitions {
            let heard = self.heard.entry(*partition).or_insert(Heard { at_ms: now_ms, idle: false });
            if *at_end && !heard.idle && now_ms.saturating_sub(heard.at_ms) >= self.after_ms {
                heard.idle = true;
                changes.push(Change::Idle(*partition));
            }
        }
        changes
    }

    /// Is this partition silent?
    pub(crate) fn is_idle(&self, partition: PartitionId) -> bool {
        self.heard.get(&partition).is_some_and(|heard| heard.idle)
    }

    /// How long nothing came at all.
    pub(crate) fn quiet_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.last_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId { topic: 0, partition: 3 };

    #[test]
    fn only_a_partition_at_its_end_falls_silent() {
        let mut silence = Silence::new(100, 0);
        assert_eq!(silence.look(&[(P, false)], 0), []);
        assert_eq!(silence.look(&[(P, false)], 500), [], "there is more to read");
        assert_eq!(silence.look(&[(P, true)], 500), [Change::Idle(P)]);
        assert_eq!(silence.look(&[(P, true)], 600), [], "said once");
        assert_eq!(silence.heard(P, 700), Some(Change::Awake(P)));
        assert_eq!(silence.look(&[(P, true)], 750), []);
        assert_eq!(silence.quiet_ms(750), 50);
    }
}

//! What the next owner must know before its first decision: whether a person has disarmed the engine, and where the audit
//! chain ends. One small record per domain in the snapshots topic, written in the transaction of the step that changes it.

use kafka::Outgoing;
use model::{Mode, Order, OrderKind};
use serde::{Deserialize, Serialize};

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memo {
    /// Who has disarmed the engine, if somebody has.
    #[serde(default)]
    pub(crate) disarmed_by: Option<String>,
    /// The mode that a person has set for everything, if it is not the configured one.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
    /// Partition and offset of a link of the audit chain, at most a few before its end.
    #[serde(default)]
    pub(crate) audit_at: Option<(i32, i64)>,
}

impl Memo {
    /// The record's key.
    pub(crate) fn key(domain: &str) -> String {
        format!("{domain}/memo")
    }

    /// As a record.
    pub(crate) fn record(&self, topic: &str, domain: &str) -> Outgoing {
        let value = serde_json::to_vec(self).expect("plain data with string keys");
        Outgoing::new(topic, Memo::key(domain), value).header("content-type", "application/json")
    }

    /// Reads it; what cannot be read is forgotten.
    pub(crate) fn read(value: &[u8]) -> Option<Memo> {
        serde_json::from_slice(value).ok()
    }

    /// The orders that bring a new engine to where the last one was. A mode is taken over only if it is the more cautious
    /// one: nobody wakes up to an engine that does more than its configuration says.
    pub(crate) fn orders(&self, configured: Mode, now_ms: u64) -> Vec<Order> {
        let disarm = self.disarmed_by.as_deref().map(|by| again("disarm", by, OrderKind::Disarm, now_ms));
        let mode = self.mode.filter(|mode| *mode < configured);
        let mode = mode.map(|mode| again("mode", "the last order", OrderKind::SetMode { mode }, now_ms));
        disarm.into_iter().chain(mode).collect()
    }
}

/// The orders for an engine that comes from the log whole: a new process does not do more than its configuration says.
pub(crate) fn no_more_than(configured: Mode, ordered: Mode, now_ms: u64) -> Vec<Order> {
    let mode = (ordered > configured).then_some(OrderKind::SetMode { mode: configured });
    mode.map(|kind| again("mode", "the configuration", kind, now_ms)).into_iter().collect()
}

fn again(what: &str, by: &str, kind: OrderKind, now_ms: u64) -> Order {
    let id = format!("again-{what}-{now_ms}");
    Order { id, by: by.to_owned(), note: "in force since before the restart".to_owned(), at_ms: now_ms, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disarmed_engine_stays_disarmed_after_a_restart() {
        let memo = Memo { disarmed_by: Some("kim".into()), mode: Some(Mode::Act), audit_at: Some((0, 7)) };
        let again = Memo::read(&serde_json::to_vec(&memo).expect("plain data")).expect("what was written");
        assert_eq!(again, memo);
        let kinds: Vec<OrderKind> = memo.orders(Mode::Observe, 1).into_iter().map(|order| order.kind).collect();
        assert_eq!(kinds, [OrderKind::Disarm], "act is more than observe and is not taken over");
    }

    #[test]
    fn a_new_process_does_no_more_than_its_configuration_says() {
        let kinds = |configured, ordered| no_more_than(configured, ordered, 1).into_iter().map(|order| order.kind);
        assert_eq!(kinds(Mode::Observe, Mode::Act).collect::<Vec<_>>(), [OrderKind::SetMode { mode: Mode::Observe }]);
        assert_eq!(kinds(Mode::Act, Mode::Observe).count(), 0, "the more cautious order stays");
    }

    #[test]
    fn a_more_cautious_mode_is_taken_over() {
        let memo = Memo { mode: Some(Mode::Observe), ..Memo::default() };
        let kinds: Vec<OrderKind> = memo.orders(Mode::Act, 1).into_iter().map(|order| order.kind).collect();
        assert_eq!(kinds, [OrderKind::SetMode { mode: Mode::Observe }]);
    }
}

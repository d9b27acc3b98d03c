//! The same nouns for formats that do not name their fields (`postcard` in the journal and the snapshots).
//!
//! Tagged enums, flattened fields and left-out options need a format that describes itself. The types here keep their
//! derived form for such formats, and get a second one, every field in its place, for the others. Each pair is held in
//! step by the compiler: a `remote` derive names every field.

use crate::{BreakerPhase, CommandId, Criticality, Evidence, Knob, Mode, Obeyed, Order, OrderKind, Setting, Target};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! two_forms {
    ($($noun:ident as $plain:ident),*) => {$(
        impl Serialize for $noun {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                if out.is_human_readable() { $noun::serialize(self, out) } else { $plain::serialize(self, out) }
            }
        }

        impl<'de> Deserialize<'de> for $noun {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() { $noun::deserialize(from) } else { $plain::deserialize(from) }
            }
        }
    )*};
}

two_forms!(
    Target as PlainTarget,
    Setting as PlainSetting,
    Evidence as PlainEvidence,
    Obeyed as PlainObeyed,
    OrderKind as PlainOrderKind,
    Order as PlainOrder
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Target")]
struct PlainTarget {
    service: String,
    operation: Option<String>,
    caller: Option<String>,
    version: Option<String>,
    zone: Option<String>,
    instance: Option<String>,
    share_percent: Option<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Setting")]
enum PlainSetting {
    Admission { lowest: Criticality, fraction_permille: u16 },
    QueueBound { work_ms: u32 },
    RetryBudget { ratio_permille: u16 },
    Timeout { timeout_ms: u32 },
    Concurrency { limit: u32 },
    Breaker { phase: BreakerPhase },
    KillSwitch { level: u8 },
    Purge { older_than_ms: u32 },
    Restart { at_once_percent: u8 },
    Replicas { count: u32 },
    Route { share_permille: u16 },
    BreakerThreshold { failure_permille: u16 },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Evidence")]
struct PlainEvidence {
    fact: String,
    subject: String,
    value: f64,
    limit: f64,
    exemplars: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Obeyed")]
struct PlainObeyed {
    id: CommandId,
    epoch: u64,
    sequence: u64,
    overridden_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OrderKind")]
enum PlainOrderKind {
    Disarm,
    Arm,
    SetMode { mode: Mode },
    Approve { command: String },
    Refuse { command: String },
    Hold { target: Target, setting: Setting, ttl_ms: u32 },
    Release { target: Target, knob: Knob },
    Freeze,
    RampDown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Order")]
struct PlainOrder {
    id: String,
    by: String,
    note: String,
    at_ms: u64,
    kind: OrderKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            id: "o-1".to_owned(),
            by: "ada".to_owned(),
            note: String::new(),
            at_ms: 7,
            kind: OrderKind::Hold {
                target: Target::edge("front", "cart"),
                setting: Setting::RetryBudget { ratio_permille: 50 },
                ttl_ms: 1000,
            },
        }
    }

    #[test]
    fn an_order_survives_a_format_without_field_names() {
        let bytes = postcard::to_stdvec(&order()).unwrap();
        assert_eq!(postcard::from_bytes::<Order>(&bytes).unwrap(), order());
    }

    #[test]
    fn an_order_keeps_its_readable_form() {
        let text = serde_json::to_string(&order()).unwrap();
        assert_eq!(
            text,
            r#"{"id":"o-1","by":"ada","note":"","at_ms":7,"order":"hold","target":{"service":"cart","caller":"front"},"setting":{"knob":"retry_budget","ratio_permille":50},"ttl_ms":1000}"#
        );
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order());
    }
}

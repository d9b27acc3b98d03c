//! Names that survive renewals, restarts and a change of owner: hashes of what an intervention is about, never of when
//! it was sent or by whom.

use model::{CommandId, Knob, Signature, Target, stable_hash};
use serde::{Deserialize, Serialize};

/// What an incident is: fixed when its first intervention is planned, however the finding changes later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The signature that found it.
    pub signature: Signature,
    /// The likely origin; where it cannot be told apart, the overloaded service.
    pub origin: String,
    /// The end of the window in which it began, Unix milliseconds.
    pub since_ms: u64,
}

/// The id of the intervention with `knob` on `target` against `incident`: 128 bits in hex.
pub fn command_id(domain: &str, incident: &Incident, target: &Target, knob: Knob) -> CommandId {
    let Incident { signature, origin, since_ms } = incident;
    let text = format!("{domain}\n{signature:?}\n{target}\n{}\n{origin}\n{since_ms}", knob.as_str());
    CommandId(hex128(&text))
}

/// The id of a lease that a person holds: a hash of domain and order.
pub(crate) fn hold_id(domain: &str, order: &str, target: &Target, knob: Knob) -> CommandId {
    CommandId(hex128(&format!("{domain}\nhold\n{target}\n{}\n{order}", knob.as_str())))
}

fn hex128(text: &str) -> String {
    let low = stable_hash(text.as_bytes());
    let high = stable_hash(format!("{low:016x}\n{text}").as_bytes());
    format!("{high:016x}{low:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_pinned_because_successors_must_find_the_same() {
        let incident = Incident { signature: Signature::Metastable, origin: "stock".to_owned(), since_ms: 1_000 };
        let id = command_id("shop", &incident, &Target::service("cart"), Knob::QueueBound);
        assert_eq!(id, command_id("shop", &incident.clone(), &Target::service("cart"), Knob::QueueBound));
        assert_eq!(id.0.len(), 32);
        assert_ne!(id, command_id("shop", &incident, &Target::service("cart"), Knob::Purge));
        assert_ne!(id, command_id("shop2", &incident, &Target::service("cart"), Knob::QueueBound));
        let later = Incident { since_ms: 2_000, ..incident };
        assert_ne!(id, command_id("shop", &later, &Target::service("cart"), Knob::QueueBound));
    }
}

//! Orders of people: who may give them, and each at most once.

use crate::error::from_json;
use crate::record::printable;
use crate::{KeyError, Keyring, Kind, Record, Role, WireError};
use model::{Order, OrderKind};
use std::collections::BTreeMap;
use thiserror::Error;

/// An order older than this, or so far in the future, is not taken.
pub const ORDER_AGE_MAX_MS: u64 = 300_000;

/// So many order ids are remembered; past that the oldest go, and with them every order that is as old.
const REMEMBERED_MAX: usize = 4096;

/// Why an order is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// The record is not an order.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The signature does not count.
    #[error("order: {0}")]
    Key(#[from] KeyError),
    /// It is meant for another domain.
    #[error("order: the record key is {key:?}, not an order for domain {domain:?}")]
    WrongDomain {
        /// The record's key.
        key: String,
        /// This domain.
        domain: String,
    },
    /// It was already taken.
    #[error("order {id:?} was already taken: give a new one a new id")]
    Replayed {
        /// The order's id.
        id: String,
    },
    /// It was given too long ago, or the clock of whoever gave it is off.
    #[error("order {id:?} was given {apart_ms} ms from now, more than {max_ms}: check the clock and give it again")]
    WrongTime {
        /// The order's id.
        id: String,
        /// How far from now.
        apart_ms: u64,
        /// What is allowed.
        max_ms: u64,
    },
}

/// The record key of an order, `domain/order`.
pub fn order_key(domain: &str, id: &str) -> String {
    printable(&format!("{domain}/{id}"))
}

/// Lets verified orders in, each once.
#[derive(Clone, Debug)]
pub struct OrderGate {
    domain: String,
    keyring: Keyring,
    taken: BTreeMap<String, u64>,
    /// Orders given at or before this are too old: their ids may have been forgotten.
    forgotten_ms: u64,
}

impl OrderGate {
    /// A gate for a domain.
    pub fn new(domain: &str, keyring: Keyring) -> OrderGate {
        OrderGate { domain: domain.to_owned(), keyring, taken: BTreeMap::new(), forgotten_ms: 0 }
    }

    /// Another keyring, after a rotation. What was taken stays taken.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        self.keyring = keyring;
    }

    /// Notes an order that was taken before a restart.
    pub fn remember(&mut self, id: &str, at_ms: u64) {
        self.taken.insert(id.to_owned(), at_ms);
        while self.taken.len() > REMEMBERED_MAX {
            let oldest = self.taken.iter().min_by_key(|(_, at_ms)| **at_ms).map(|(id, at_ms)| (id.clone(), *at_ms));
            let Some((id, at_ms)) = oldest else { return };
            self.taken.remove(&id);
            self.forgotten_ms = self.forgotten_ms.max(at_ms);
        }
    }

    /// Takes an order, or says why not. Every order needs the operator's role, but those that stop the engine only
    /// any key that is valid now.
    ///
    /// # Errors
    /// See [`OrderRefusal`].
    pub fn offer(&mut self, record: &Record, now_ms: u64) -> Result<Order, OrderRefusal> {
        let (_, key) = self.keyring.verify_strict(Kind::Order, record)?;
        let order: Order = from_json("order", &record.value)?;
        if record.key != order_key(&self.domain, &order.id) {
            return Err(OrderRefusal::WrongDomain { key: record.key.clone(), domain: self.domain.clone() });
        }
        let stops = order.kind.stops();
        if !key.valid_at(now_ms) {
            return Err(KeyError::WrongTime.into());
        }
        if !stops && !key.roles.contains(&Role::Operator) {
            return Err(KeyError::WrongRole.into());
        }
        let target = match &order.kind {
            OrderKind::Hold { target, .. } | OrderKind::Release { target, .. } => Some(target),
            _ => None,
        };
        if target.is_some_and(|target| !key.valid_for(target)) {
            return Err(KeyError::WrongTarget.into());
        }
        let apart_ms = now_ms.abs_diff(order.at_ms);
        if apart_ms > ORDER_AGE_MAX_MS || (order.at_ms <= self.forgotten_ms && !stops) {
            return Err(OrderRefusal::WrongTime { id: order.id, apart_ms, max_ms: ORDER_AGE_MAX_MS });
        }
        if self.taken.contains_key(&order.id) {
            return Err(OrderRefusal::Replayed { id: order.id });
        }
        self.taken.retain(|_, at_ms| now_ms.saturating_sub(*at_ms) <= ORDER_AGE_MAX_MS);
        self.remember(&order.id, order.at_ms);
        Ok(order)
    }
}

#[cfg(test)]
mod tests;

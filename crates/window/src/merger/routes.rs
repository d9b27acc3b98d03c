//! Whom a peer's name or address stands for, learned from paired calls.
//!
//! A call whose server half is missing (it timed out, or its telemetry is lost) must still count on the edge it belongs to.

use crate::rows::Route;
use model::{EdgeKey, EdgeKind, NameId, ServiceRow};
use std::collections::BTreeMap;

/// A peer that stood for two services within this time stands for none (a load balancer); after it, for the newer one (an
/// address that was given to another instance).
const AMBIGUOUS_NS: u64 = 60_000_000_000;

/// A destination whose messages nobody was seen to take for so long has no consumers that emit spans.
const CONSUMED_NS: u64 = 600_000_000_000;

/// Newest value, when it was last confirmed, and when another one was.
#[derive(Clone, Copy, Debug)]
struct Fact<T> {
    value: T,
    seen_ns: u64,
    other_ns: Option<u64>,
}

impl<T: Copy + PartialEq> Fact<T> {
    fn confirm(&mut self, value: T, end_ns: u64) {
        if self.value != value {
            self.other_ns = Some(self.seen_ns);
            self.value = value;
        }
        self.seen_ns = end_ns;
    }

    fn sure(&self, end_ns: u64) -> Option<T> {
        let ambiguous = self.other_ns.is_some_and(|other_ns| other_ns.saturating_add(AMBIGUOUS_NS) > end_ns);
        (!ambiguous).then_some(self.value)
    }
}

/// A way that calls of one service take: who calls, with which client operation, whom by the peer's name.
type Way = (NameId, NameId, NameId);

/// What has been learned.
#[derive(Debug)]
pub(super) struct Routes {
    /// Peer → service.
    peers: BTreeMap<NameId, Fact<NameId>>,
    /// Way → service.
    ways: BTreeMap<Way, Fact<NameId>>,
    /// Way and service → operation.
    operations: BTreeMap<(Way, NameId), Fact<NameId>>,
    /// Services that emit spans.
    services: BTreeMap<NameId, u64>,
    routes_max: usize,
}

impl Routes {
    pub(super) fn new(routes_max: usize) -> Routes {
        Routes {
            peers: BTreeMap::new(),
            ways: BTreeMap::new(),
            operations: BTreeMap::new(),
            services: BTreeMap::new(),
            routes_max: routes_max.max(16),
        }
    }

    /// Takes the sorted routes and the service rows of a window.
    pub(super) fn learn(&mut self, end_ns: u64, routes: &[Route], services: &[ServiceRow]) {
        for route in routes {
            let way = (route.caller, route.client_operation, route.peer);
            if route.peer.is_some() {
                confirm(&mut self.peers, route.peer, route.callee, end_ns);
            }
            confirm(&mut self.ways, way, route.callee, end_ns);
            confirm(&mut self.operations, (way, route.callee), route.callee_operation, end_ns);
        }
        for row in services {
            self.services.insert(row.key.service, end_ns);
        }
        prune(&mut self.peers, self.routes_max, |fact| fact.seen_ns);
        prune(&mut self.ways, self.routes_max, |fact| fact.seen_ns);
        prune(&mut self.operations, self.routes_max, |fact| fact.seen_ns);
        prune(&mut self.services, self.routes_max, |seen_ns| *seen_ns);
    }

    /// The edge that a message belongs to whose consumer was not seen by the close, where consumers of its destination are
    /// known: the consumer will count it with its own end.
    pub(super) fn taken(&self, end_ns: u64, key: EdgeKey) -> Option<EdgeKey> {
        if key.kind != EdgeKind::Messaging {
            return None;
        }
        let fact = self.peers.get(&key.callee).filter(|fact| fact.seen_ns.saturating_add(CONSUMED_NS) > end_ns)?;
        let way = (key.caller, key.callee_operation, key.callee);
        let callee = self.ways.get(&way).map_or(fact.value, |fact| fact.value);
        let operation = self.operations.get(&(way, callee)).map_or(key.callee_operation, |fact| fact.value);
        Some(EdgeKey { callee, callee_operation: operation, ..key })
    }

    /// The key of the edge that an unpaired call belongs to; its own where nothing is known.
    pub(super) fn resolve(&self, end_ns: u64, key: EdgeKey) -> EdgeKey {
        if !matches!(key.kind, EdgeKind::External | EdgeKind::Unresolved) {
            return key;
        }
        let way = (key.caller, key.callee_operation, key.callee);
        let by_way = self.ways.get(&way).and_then(|fact| fact.sure(end_ns));
        let by_peer = || self.peers.get(&key.callee).and_then(|fact| fact.sure(end_ns));
        let by_name = || self.services.contains_key(&key.callee).then_some(key.callee);
        let Some(callee) = by_way.or_else(by_peer).or_else(by_name) else { return key };
        let operation = self.operations.get(&(way, callee)).and_then(|fact| fact.sure(end_ns));
        let callee_operation = operation.unwrap_or(key.callee_operation);
        EdgeKey { callee, callee_operation, kind: EdgeKind::Call, ..key }
    }
}

fn confirm<K: Ord, T: Copy + PartialEq>(facts: &mut BTreeMap<K, Fact<T>>, key: K, value: T, end_ns: u64) {
    facts.entry(key).or_insert(Fact { value, seen_ns: end_ns, other_ns: None }).confirm(value, end_ns);
}

/// Past the bound the quarter that was not seen for longest goes.
pub(super) fn prune<K: Ord + Copy, T>(map: &mut BTreeMap<K, T>, max: usize, seen_ns: impl Fn(&T) -> u64) {
    if map.len() <= max {
        return;
    }
    let mut ages: Vec<(u64, K)> = map.iter().map(|(key, value)| (seen_ns(value), *key)).collect();
    ages.sort_unstable();
    for (_, key) in &ages[..map.len() - max + max / 4] {
        map.remove(key);
    }
}

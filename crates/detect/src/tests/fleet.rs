//! A fleet of web → shop → pay as rows, second by second, through graph, learner and detector.

use crate::{Detector, Scene};
use graph::Graph;
use learn::Learner;
use model::{
    Count, EdgeKey, EdgeRow, Failure, Finding, FlowKey, FlowRow, NameId, Named, Rollup, ServiceKey, ServiceRow,
    SparseHistogram, TraceId, Window,
};

/// One edge and its callee in one second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub(super) first: u64,
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) timeouts: u64,
    pub(super) client_ms: u64,
    pub(super) gap_ms: u64,
    pub(super) own_ms: u64,
    pub(super) completed: u64,
    pub(super) wasted: u64,
}

/// A healthy second at this rate.
pub(super) fn healthy(rate: u64) -> Second {
    Second {
        first: rate,
        calls: rate,
        errors: 0,
        timeouts: 0,
        client_ms: 12,
        gap_ms: 1,
        own_ms: 10,
        completed: rate,
        wasted: 0,
    }
}

pub(super) struct Fleet {
    pub(super) graph: Graph,
    pub(super) learner: Learner,
    pub(super) detector: Detector,
    pub(super) told: Vec<Finding>,
    pub(super) completeness: u16,
    pub(super) biased: Vec<&'static str>,
    at: u64,
}

const NAMES: [&str; 3] = ["web", "shop", "pay"];

fn ms(value: u64, count: u64) -> SparseHistogram {
    SparseHistogram::from_pairs(if count == 0 { vec![] } else { vec![(value * 1000, Count::of(count))] })
}

impl Fleet {
    pub(super) fn new() -> Fleet {
        Fleet {
            graph: Graph::default(),
            learner: Learner::default(),
            detector: Detector::default(),
            told: Vec::new(),
            completeness: 1000,
            biased: Vec::new(),
            at: 0,
        }
    }

    /// A fleet that has learned what is normal at this rate.
    pub(super) fn warm(rate: u64) -> Fleet {
        let mut fleet = Fleet::new();
        (0..60).for_each(|_| fleet.second(healthy(rate), healthy(rate)));
        assert_eq!(fleet.told, vec![], "nothing is found in good health");
        fleet
    }

    /// One second: web → shop, shop → pay.
    pub(super) fn second(&mut self, shop: Second, pay: Second) {
        self.at += 1;
        let mut window = Window {
            end_ns: self.at * 1_000_000_000,
            width_ns: 1_000_000_000,
            completeness_permille: self.completeness,
            spans: 1,
            names: NAMES.iter().map(|name| Named::of(name)).collect(),
            ..Window::default()
        };
        let web = Second { own_ms: 2, ..shop };
        for (name, second) in NAMES.iter().zip([web, shop, pay]) {
            let key = ServiceKey { service: NameId::of(name), operation: NameId::of("op"), ..ServiceKey::default() };
            let mut row = ServiceRow { key, calls: Count::of(second.completed), ..ServiceRow::default() };
            row.duration = ms(second.client_ms - second.gap_ms.min(second.client_ms), second.completed);
            row.exclusive = ms(second.own_ms, second.completed);
            row.wasted = Count::of(second.wasted);
            window.services.push(row);
        }
        for (caller, callee, second) in [("web", "shop", shop), ("shop", "pay", pay)] {
            window.edges.push(self.edge(caller, callee, second));
        }
        window.flows.push(FlowRow {
            key: FlowKey { entry: NameId::of("web"), operation: NameId::of("op"), ..FlowKey::default() },
            requests: Count::of(shop.first),
            good: Count::of(shop.first.saturating_sub(shop.errors + shop.timeouts)),
            visits: vec![(NameId::of("pay"), Count::of(pay.calls))],
        });
        let rollup = Rollup::of(&window);
        self.graph.apply(&window, &rollup);
        self.learner.observe(&rollup, &self.detector.unhealthy());
        let scene = Scene {
            domain: "test",
            window: &window,
            rollup: &rollup,
            graph: &self.graph,
            learner: &self.learner,
            now_ms: 0,
        };
        self.told.extend(self.detector.step(&scene));
    }

    fn edge(&self, caller: &str, callee: &str, second: Second) -> EdgeRow {
        let key = EdgeKey { caller: NameId::of(caller), callee: NameId::of(callee), ..EdgeKey::default() };
        let mut row = EdgeRow {
            key,
            calls: Count::of(second.calls),
            first_attempts: Count::of(second.first),
            retries: Count::of(second.calls - second.first),
            client: ms(second.client_ms, second.calls),
            gap: ms(second.gap_ms, second.completed),
            wasted: Count::of(second.wasted),
            exemplars: vec![TraceId(u128::from(self.at))],
            biased: self.biased.contains(&callee),
            ..EdgeRow::default()
        };
        row.failures[Failure::Error.index()] = Count::of(second.errors);
        row.failures[Failure::Timeout.index()] = Count::of(second.timeouts);
        row.timeout_us = if second.timeouts > 0 { 1_000_000 } else { 0 };
        row
    }
}

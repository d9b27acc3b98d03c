//! A flow row while its window is open.

use super::Accumulator;
use model::{Count, FlowKey, FlowRow, NameId};

/// Services that one flow row tells apart.
const VISITED_MAX: usize = 512;

/// Fills a [`FlowRow`].
#[derive(Debug, Default)]
pub(crate) struct FlowAcc {
    pub(crate) requests: Count,
    pub(crate) good: Count,
    visits: Vec<(NameId, Count)>,
}

impl FlowAcc {
    pub(crate) fn visit(&mut self, service: NameId, count: Count) {
        match self.visits.binary_search_by_key(&service, |visit| visit.0) {
            Ok(at) => self.visits[at].1 += count,
            Err(at) if self.visits.len() < VISITED_MAX => self.visits.insert(at, (service, count)),
            Err(_) => {}
        }
    }

    pub(crate) fn close(&mut self, key: FlowKey) -> FlowRow {
        FlowRow { key, requests: self.requests, good: self.good, visits: self.visits.clone() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.visits.capacity() * 16
    }
}

impl Accumulator for FlowAcc {
    fn clear(&mut self) {
        self.requests = Count::ZERO;
        self.good = Count::ZERO;
        self.visits.clear();
    }
}

//! An open window: its rows, and the spans that are settled when it closes.

use super::{
    Accumulator, Admission, Due, EdgeAcc, FlowAcc, Pool, Remaining, RowKey, ServiceAcc, Side, StepAcc, StepKey, Table,
};
use crate::ShardConfig;
use crate::store::NodeId;
use hashbrown::HashSet;
use model::{Count, EdgeKey, FlowKey, NameId, ServiceKey};
use serde::{Deserialize, Serialize};

/// What one row takes with the lists it owns, bytes, generously.
const ROW_BYTES: usize = 1536;
/// New routes that one window teaches.
const ROUTES_MAX: usize = 4096;

/// A paired call teaches whom a peer stands for: the merger resolves unpaired calls with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) peer: NameId,
    pub(crate) caller: NameId,
    pub(crate) client_operation: NameId,
    pub(crate) callee: NameId,
    pub(crate) callee_operation: NameId,
}

/// A span that was not settled with its window because its parent had not been seen: it may end a little later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deferred {
    pub(crate) id: NodeId,
    pub(crate) key: ServiceKey,
    /// Windows that it has waited.
    pub(crate) waited: u8,
    /// What enters the fleet with it if its parent is never seen, also where it was forgotten meanwhile.
    pub(crate) entry: Count,
}

/// What open windows share: who may have a row, histograms, and how many rows memory allows.
#[derive(Debug)]
pub(crate) struct Admissions {
    pub(crate) services: Admission,
    pub(crate) edges: Admission,
    pub(crate) flows: Admission,
    pub(crate) steps: Admission,
    pub(crate) pool: Pool,
    rows: usize,
    rows_max: usize,
}

impl Admissions {
    /// Of the budget three quarters are for rows, one for histograms.
    pub(crate) fn new(config: &ShardConfig, budget_bytes: usize) -> Admissions {
        Admissions {
            services: Admission::new(config.services_max),
            edges: Admission::new(config.edges_max),
            flows: Admission::new(config.flows_max),
            steps: Admission::new(config.services_max),
            pool: Pool::new(budget_bytes / 4),
            rows: 0,
            rows_max: budget_bytes / 4 * 3 / ROW_BYTES,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.services.bytes() + self.edges.bytes() + self.flows.bytes() + self.steps.bytes() + self.pool.bytes()
    }

    /// Rows went into or came out of memory.
    pub(crate) fn rows_changed(&mut self, before: usize, after: usize) {
        self.rows = self.rows + after - before;
    }
}

/// An open window.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) services: Table<ServiceKey, ServiceAcc>,
    pub(crate) edges: Table<EdgeKey, EdgeAcc>,
    pub(crate) flows: Table<FlowKey, FlowAcc>,
    pub(crate) steps: Table<StepKey, StepAcc>,
    pub(crate) side: Side,
    /// Spans that are settled when the window closes, unless that was done before.
    pub(crate) settle: Remaining,
    /// Those with which others can be settled as soon as their slice has passed, by slice.
    pub(crate) due: Due,
    /// Entries of requests that may still have gone on when they were settled.
    pub(crate) unfollowed: Vec<NodeId>,
    pub(crate) routes: HashSet<Route, super::table::Plain>,
    pub(crate) spans: u64,
    pub(crate) late: u64,
    pub(crate) folded: u64,
}

impl Open {
    pub(crate) fn new() -> Open {
        Open {
            services: Table::new(),
            edges: Table::new(),
            flows: Table::new(),
            steps: Table::new(),
            side: Side::new(),
            settle: Remaining::default(),
            unfollowed: Vec::new(),
            due: Due::new(),
            routes: HashSet::with_hasher(super::table::Plain),
            spans: 0,
            late: 0,
            folded: 0,
        }
    }

    /// The place of a service's row; made, or that of a coarser one where there is no room.
    #[inline]
    pub(crate) fn service(&mut self, key: ServiceKey, weight: u64, shared: &mut Admissions) -> u32 {
        let hash = key.mix();
        if let Some(at) = self.services.find(&key, hash) {
            return at;
        }
        let Admissions { services, rows, rows_max, .. } = shared;
        place(&mut self.services, key, hash, weight, services, (rows, *rows_max), &mut self.folded)
    }

    /// The place of an edge's row.
    #[inline]
    pub(crate) fn edge(&mut self, key: EdgeKey, weight: u64, shared: &mut Admissions) -> u32 {
        let hash = key.mix();
        if let Some(at) = self.edges.find(&key, hash) {
            return at;
        }
        let Admissions { edges, rows, rows_max, .. } = shared;
        place(&mut self.edges, key, hash, weight, edges, (rows, *rows_max), &mut self.folded)
    }

    /// The place of a flow's row.
    pub(crate) fn flow(&mut self, key: FlowKey, weight: u64, shared: &mut Admissions) -> u32 {
        let hash = key.mix();
        if let Some(at) = self.flows.find(&key, hash) {
            return at;
        }
        let Admissions { flows, rows, rows_max, .. } = shared;
        place(&mut self.flows, key, hash, weight, flows, (rows, *rows_max), &mut self.folded)
    }

    /// The row of a step inside a service; none where there is no room for it.
    #[inline]
    pub(crate) fn step(&mut self, key: StepKey, weight: u64, shared: &mut Admissions) -> Option<&mut StepAcc> {
        let hash = key.mix();
        if let Some(at) = self.steps.find(&key, hash) {
            return Some(self.steps.row(at));
        }
        let room = self.steps.len() < shared.steps.cap() && (!self.steps.is_full() || shared.rows < shared.rows_max);
        if !(shared.steps.admit(hash, weight) && room) {
            self.folded += 1;
            return None;
        }
        shared.rows += usize::from(self.steps.is_full());
        let at = self.steps.add(key, hash);
        Some(self.steps.row(at))
    }

    /// A paired call went this way.
    pub(crate) fn learn(&mut self, route: Route) {
        if self.routes.len() < ROUTES_MAX {
            self.routes.insert(route);
        }
    }

    /// The rows of services and edges change places with those that sidecars count.
    pub(crate) fn swap_side(&mut self) {
        std::mem::swap(&mut self.services, &mut self.side.services);
        std::mem::swap(&mut self.edges, &mut self.side.edges);
    }

    /// Rows there is memory for.
    pub(crate) fn allocated(&self) -> usize {
        self.services.allocated()
            + self.edges.allocated()
            + self.flows.allocated()
            + self.steps.allocated()
            + self.side.allocated()
    }

    /// Empty again, with memory for as much as this time.
    pub(crate) fn clear(&mut self) {
        self.services.clear();
        self.edges.clear();
        self.flows.clear();
        self.steps.clear();
        self.side.clear();
        self.unfollowed.clear();
        self.settle.clear();
        self.due.clear();
        self.routes.clear();
        (self.spans, self.late, self.folded) = (0, 0, 0);
    }

    pub(crate) fn bytes(&self) -> usize {
        let lists: usize = self.services.rows().iter().map(|row| row.1.bytes()).sum::<usize>()
            + self.edges.rows().iter().map(|row| row.1.bytes()).sum::<usize>()
            + self.side.bytes()
            + self.flows.rows().iter().map(|row| row.1.bytes()).sum::<usize>();
        self.services.bytes()
            + self.edges.bytes()
            + self.flows.bytes()
            + self.steps.bytes()
            + lists
            + self.due.bytes()
            + self.settle.bytes()
            + self.unfollowed.capacity() * std::mem::size_of::<NodeId>()
            + self.routes.capacity() * (std::mem::size_of::<Route>() + 1)
    }
}

/// A new row, or the nearest coarser one that may be there. What was folded is counted; the coarsest row always fits.
#[cold]
fn place<K: RowKey, A: Accumulator>(
    table: &mut Table<K, A>,
    key: K,
    hash: u64,
    weight: u64,
    admission: &mut Admission,
    (rows, rows_max): (&mut usize, usize),
    folded: &mut u64,
) -> u32 {
    let (mut key, mut hash) = (key, hash);
    let mut steps = 0u32;
    loop {
        if let Some(at) = table.find(&key, hash) {
            *folded += u64::from(steps > 0);
            return at;
        }
        let coarser = key.coarser();
        let room = table.len() < admission.cap() && (!table.is_full() || *rows < rows_max);
        // Asked first, so that a key that finds no room is still weighed against those that did.
        let admitted = admission.admit(hash, weight);
        if (admitted && room) || coarser.is_none() {
            *rows += usize::from(table.is_full());
            *folded += u64::from(steps > 0);
            return table.add(key, hash);
        }
        key = coarser.expect("the loop ends where nothing is coarser");
        hash = key.mix();
        steps += 1;
    }
}

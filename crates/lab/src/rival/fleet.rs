//! Who talks to whom, as policies number it: the gateway is caller 0, instance `i` is caller `i + 1`.

use crate::world::plan::Plan;

/// A fleet's shape.
pub(crate) struct Fleet {
    pub(crate) services: usize,
    /// The service of each instance.
    pub(crate) service_of: Vec<usize>,
    /// The callee's service of each edge.
    pub(crate) callee_of: Vec<usize>,
    /// The mean own work of each service, over its operations, nanoseconds.
    pub(crate) work_ns: Vec<f64>,
    /// For each client: its edge, its criticality's index, and the services its requests can reach.
    pub(crate) entries: Vec<Entry>,
}

/// A client's way in.
pub(crate) struct Entry {
    pub(crate) edge: u32,
    pub(crate) class: usize,
    /// Does it reach the service?
    pub(crate) reaches: Vec<bool>,
}

impl Fleet {
    pub(crate) fn new(plan: &Plan) -> Fleet {
        let services = plan.services.len();
        let mut sums = vec![(0.0, 0.0); services];
        for operation in &plan.operations {
            let (sum, count) = &mut sums[operation.service as usize];
            (*sum, *count) = (*sum + operation.mean_ns, *count + 1.0);
        }
        let entries = plan.clients.iter().map(|client| {
            let mut reaches = vec![false; services];
            walk(plan, plan.edges[client.edge as usize].operation, &mut reaches);
            Entry { edge: client.edge, class: client.criticality.index(), reaches }
        });
        Fleet {
            services,
            service_of: plan.instances.iter().map(|instance| instance.service as usize).collect(),
            callee_of: plan.edges.iter().map(|edge| edge.callee as usize).collect(),
            work_ns: sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect(),
            entries: entries.collect(),
        }
    }

    /// How many callers there are.
    pub(crate) fn callers(&self) -> usize {
        self.service_of.len() + 1
    }

    /// How many instances there are.
    pub(crate) fn instances(&self) -> usize {
        self.service_of.len()
    }
}

/// A caller's number.
pub(crate) fn caller(place: Option<u32>) -> usize {
    place.map_or(0, |place| place as usize + 1)
}

fn walk(plan: &Plan, operation: u32, reaches: &mut [bool]) {
    let operation = &plan.operations[operation as usize];
    reaches[operation.service as usize] = true;
    for edge in &plan.edges[operation.edges.start as usize..operation.edges.end as usize] {
        walk(plan, edge.operation, reaches);
    }
}

#[cfg(test)]
impl Fleet {
    /// A gateway, a caller (instance 0) and `callees` instances of the service it calls over edge 0.
    pub(crate) fn pair(callees: usize) -> Fleet {
        let service_of = std::iter::once(0).chain(std::iter::repeat_n(1, callees)).collect();
        Fleet { services: 2, service_of, callee_of: vec![1], work_ns: vec![1e6, 10e6], entries: Vec::new() }
    }
}

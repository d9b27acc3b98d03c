//! Walks over the graph: neighbours, reachability, dependants, order by depth. All cycle-safe, all in sorted order.
//!
//! The outside world ([`NameId::NONE`]) is no node. Edges that carried nothing for many half-lives still count until they
//! are forgotten: a dependency does not end because it is down.

use crate::Graph;
use model::{EdgeId, NameId};
use std::collections::{BTreeMap, BTreeSet};

impl Graph {
    /// Services that call `service` directly.
    pub fn callers_of(&self, service: NameId) -> BTreeSet<NameId> {
        self.inward(service).iter().copied().filter(|caller| caller.is_some()).collect()
    }

    /// Services that `service` calls directly.
    pub fn callees_of(&self, service: NameId) -> BTreeSet<NameId> {
        self.outward(service).map(|id| id.callee).filter(|callee| callee.is_some()).collect()
    }

    /// How many edges lead into `service`, that from the outside world included.
    pub fn callers_count(&self, service: NameId) -> usize {
        self.inward(service).len()
    }

    /// Everybody whose requests may need `service`, directly or not; without `service` itself unless it is on a cycle.
    pub fn dependants_of(&self, service: NameId) -> BTreeSet<NameId> {
        self.spread(service, Way::Up)
    }

    /// Everybody whom `service` may need, directly or not; without `service` itself unless it is on a cycle.
    pub fn dependencies_of(&self, service: NameId) -> BTreeSet<NameId> {
        self.spread(service, Way::Down)
    }

    /// Can a request at `from` lead to one at `to`? A service reaches itself only over a cycle.
    pub fn reaches(&self, from: NameId, to: NameId) -> bool {
        self.dependencies_of(from).contains(&to)
    }

    /// Services in layers, leaves first: each is in a later layer than all its callees. Services on one cycle share a layer.
    pub fn layers(&self) -> Vec<Vec<NameId>> {
        let down = self.callees();
        let components = components(&down);
        let of: BTreeMap<NameId, usize> =
            components.iter().enumerate().flat_map(|(at, members)| members.iter().map(move |id| (*id, at))).collect();
        // Components come callees first, so one pass is enough.
        let mut level = vec![0usize; components.len()];
        for (at, members) in components.iter().enumerate() {
            let below = members.iter().flat_map(|id| down.get(id).into_iter().flatten()).map(|callee| of[callee]);
            level[at] = below.filter(|callee| *callee != at).map(|callee| level[callee] + 1).max().unwrap_or(0);
        }
        let mut layers = vec![Vec::new(); level.iter().max().map_or(0, |deepest| deepest + 1)];
        for (id, at) in &of {
            layers[level[*at]].push(*id);
        }
        layers
    }

    /// All services, leaves first (ties by id): the order in which to bring things back.
    pub fn depth_order(&self) -> Vec<NameId> {
        self.layers().into_iter().flatten().collect()
    }

    /// Edges out of `service`.
    pub fn edges_from(&self, service: NameId) -> impl Iterator<Item = EdgeId> {
        self.outward(service)
    }

    /// Edges into `service`, that from the outside world included.
    pub fn edges_to(&self, service: NameId) -> impl Iterator<Item = EdgeId> {
        self.inward(service).iter().map(move |caller| EdgeId { caller: *caller, callee: service })
    }

    fn callees(&self) -> BTreeMap<NameId, BTreeSet<NameId>> {
        let mut callees: BTreeMap<NameId, BTreeSet<NameId>> =
            self.services().map(|(id, _)| (id, BTreeSet::new())).collect();
        for (id, _) in self.edges() {
            if id.caller.is_some() && id.callee.is_some() {
                callees.entry(id.caller).or_default().insert(id.callee);
                callees.entry(id.callee).or_default();
            }
        }
        callees
    }

    fn spread(&self, from: NameId, way: Way) -> BTreeSet<NameId> {
        let mut found = BTreeSet::new();
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            let mut visit = |next: NameId| {
                if next.is_some() && found.insert(next) {
                    open.push(next);
                }
            };
            match way {
                Way::Up => self.inward(id).iter().for_each(|caller| visit(*caller)),
                Way::Down => self.outward(id).for_each(|edge| visit(edge.callee)),
            }
        }
        found
    }
}

#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
}

/// Strongly connected components, callees before callers (Tarjan 1972, without recursion so that a long chain cannot
/// overflow the stack).
fn components(down: &BTreeMap<NameId, BTreeSet<NameId>>) -> Vec<Vec<NameId>> {
    let nodes: Vec<NameId> = down.keys().copied().collect();
    let place: BTreeMap<NameId, usize> = nodes.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let callees: Vec<Vec<usize>> = down.values().map(|next| next.iter().map(|id| place[id]).collect()).collect();
    let (mut order, mut low) = (vec![usize::MAX; nodes.len()], vec![usize::MAX; nodes.len()]);
    let (mut on_stack, mut stack, mut found) = (vec![false; nodes.len()], Vec::new(), Vec::new());
    let mut count = 0;
    for root in 0..nodes.len() {
        if order[root] != usize::MAX {
            continue;
        }
        let mut path = vec![(root, 0usize)];
        while let Some((node, at)) = path.pop() {
            if at == 0 {
                order[node] = count;
                low[node] = count;
                count += 1;
                stack.push(node);
                on_stack[node] = true;
            } else {
                low[node] = low[node].min(low[callees[node][at - 1]]);
            }
            let next = (at..callees[node].len()).find(|at| {
                let callee = callees[node][*at];
                if on_stack[callee] {
                    low[node] = low[node].min(order[callee]);
                }
                order[callee] == usize::MAX
            });
            if let Some(next) = next {
                path.push((node, next + 1));
                path.push((callees[node][next], 0));
            } else if low[node] == order[node] {
                let start = stack.iter().rposition(|member| *member == node).expect("a root is still on the stack");
                let mut members: Vec<NameId> = stack[start..].iter().map(|member| nodes[*member]).collect();
                stack[start..].iter().for_each(|member| on_stack[*member] = false);
                stack.truncate(start);
                members.sort_unstable();
                found.push(members);
            }
        }
    }
    found
}

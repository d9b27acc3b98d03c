//! What sidecars count in the place of the services beside them, apart from what services count themselves.

use super::{EdgeAcc, Route, ServiceAcc, Table};
use model::{EdgeKey, NameId, ServiceKey};
use std::collections::BTreeSet;

/// Services whose sidecars were seen to carry their spans, in one window.
const CARRIED_MAX: usize = 4096;
/// Ways that lead to sidecars, in one window.
const ROUTES_MAX: usize = 4096;

/// The rows of sidecars in an open window.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) services: Table<ServiceKey, ServiceAcc>,
    pub(crate) edges: Table<EdgeKey, EdgeAcc>,
    /// Sidecars, by the service they are named as, behind which a service's own spans were seen.
    pub(crate) carried: BTreeSet<NameId>,
    /// Calls of services that emit spans to sidecars behind which nothing was seen.
    pub(crate) routes: BTreeSet<Route>,
}

impl Side {
    pub(crate) fn new() -> Side {
        Side { services: Table::new(), edges: Table::new(), carried: BTreeSet::new(), routes: BTreeSet::new() }
    }

    /// The service that this sidecar is named as emits spans itself.
    pub(crate) fn carries(&mut self, service: NameId) {
        if self.carried.len() < CARRIED_MAX {
            self.carried.insert(service);
        }
    }

    /// A call went this way; should the service be silent, the sidecar says who it is.
    pub(crate) fn learn(&mut self, route: Route) {
        if self.routes.len() < ROUTES_MAX {
            self.routes.insert(route);
        }
    }

    pub(crate) fn allocated(&self) -> usize {
        self.services.allocated() + self.edges.allocated()
    }

    pub(crate) fn clear(&mut self) {
        self.services.clear();
        self.edges.clear();
        self.carried.clear();
        self.routes.clear();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.services.bytes()
            + self.edges.bytes()
            + self.services.rows().iter().map(|row| row.1.bytes()).sum::<usize>()
            + self.edges.rows().iter().map(|row| row.1.bytes()).sum::<usize>()
            + self.carried.len() * 16
            + self.routes.len() * std::mem::size_of::<Route>()
    }
}

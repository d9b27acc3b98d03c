//! Connection pools: an attempt waits, within its own timeout, until its instance has a connection to the callee free.

use super::World;
use super::arena::Key;

impl World {
    /// Takes a connection for an attempt. False if it has to wait for one; [`World::disconnect`] sends it on its way.
    pub(super) fn connect(&mut self, key: Key) -> bool {
        let Some(call) = self.calls.get_mut(key) else { return false };
        let (Some(place), Some(pool)) = (call.caller, self.plan.edges[call.edge as usize].pool) else { return true };
        let pool = &mut self.instances[place as usize].pools[pool as usize];
        if pool.free == 0 {
            pool.waiting.push_back(key);
            return false;
        }
        pool.free -= 1;
        call.connected = true;
        true
    }

    /// An attempt has ended: its connection goes to the one that has waited longest.
    pub(super) fn disconnect(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key).filter(|call| call.connected) else { return };
        call.connected = false;
        let (Some(place), Some(pool)) = (call.caller, self.plan.edges[call.edge as usize].pool) else { return };
        loop {
            let pool = &mut self.instances[place as usize].pools[pool as usize];
            let Some(next) = pool.waiting.pop_front() else {
                pool.free += 1;
                return;
            };
            // who has given up meanwhile is passed over
            if let Some(waiting) = self.calls.get_mut(next) {
                waiting.connected = true;
                return self.dispatch(next);
            }
        }
    }
}

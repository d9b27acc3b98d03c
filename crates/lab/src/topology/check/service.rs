//! Services: values that are possible, calls to somebody who exists.

use super::{Check, positive, share, span};
use crate::topology::{Call, Operation, Protocol, Service, TopologyError, When};

impl Check<'_> {
    pub(super) fn service(&self, service: &Service) -> Result<(), TopologyError> {
        let at = service.name.at_byte();
        let must = |holds: bool, what: &str| self.that(holds, at, || what.to_owned());
        must(!service.name.is_empty(), "a service needs a name")?;
        must(service.workers > 0, "workers must be at least 1")?;
        must(service.instances > 0, "instances must be at least 1")?;
        must(!service.zones.is_empty(), "zones must name at least one zone")?;
        must(!service.operation.is_empty(), &format!("service `{}` needs an operation", service.name))?;
        must(span(service.contention) && span(service.coherency), "contention and coherency must not be negative")?;
        must(span(service.handover_us), "handover_us must not be negative")?;
        if let Some(gc) = service.gc {
            must(gc.heap > 0, "gc.heap must be at least 1")?;
            must(span(gc.pause_ms) && span(gc.live_us), "gc.pause_ms and gc.live_us must not be negative")?;
        }
        if let Some(warm_up) = service.warm_up {
            must(positive(warm_up.time_s), "warm_up.time_s must be above 0")?;
            must(warm_up.factor >= 1.0 && warm_up.factor.is_finite(), "warm_up.factor must be at least 1")?;
        }
        if let Some(cache) = service.cache {
            must(share(cache.hit_share), "cache.hit_share must be 0 to 1")?;
            must(cache.keys > 0, "cache.keys must be at least 1")?;
            must(cache.ttl_s.is_none_or(positive), "cache.ttl_s must be above 0")?;
        }
        if let Some(scale) = service.autoscale {
            let sorted = 0 < scale.min && scale.min <= service.instances && service.instances <= scale.max;
            must(sorted, "autoscale needs 0 < min ≤ instances ≤ max")?;
            must(scale.target > 0.0 && scale.target <= 1.0, "autoscale.target must be above 0 and at most 1")?;
            must(positive(scale.every_s), "autoscale.every_s must be above 0")?;
            must(span(scale.start_s) && span(scale.down_s), "autoscale.start_s and down_s must not be negative")?;
        }
        if let Some(liveness) = service.liveness {
            must(liveness.delay_ms > 0, "liveness.delay_ms must be at least 1")?;
            must(positive(liveness.restart_s), "liveness.restart_s must be above 0")?;
        }
        for pool in &service.pool {
            self.find(&pool.to)?;
            let at = pool.to.at_byte();
            self.that(pool.connections > 0, at, || "connections must be at least 1".to_owned())?;
            let used = service.operation.iter().flat_map(|operation| &operation.call).any(|call| *call.to == *pool.to);
            self.that(used, at, || format!("`{}` never calls `{}`", service.name, pool.to))?;
        }
        self.operations(service)
    }

    fn operations(&self, service: &Service) -> Result<(), TopologyError> {
        for (index, operation) in service.operation.iter().enumerate() {
            let at = operation.name.at_byte();
            let must = |holds: bool, what: &str| self.that(holds, at, || what.to_owned());
            let twin = service.operation[..index].iter().any(|other| *other.name == *operation.name);
            must(!twin, &format!("operation `{}` stands twice", operation.name))?;
            must(positive(operation.mean_us), "mean_us must be above 0")?;
            must(operation.cv >= 0.0 && operation.cv.is_finite(), "cv must not be negative")?;
            must(share(operation.error_share), "error_share must be 0 to 1")?;
            must(span(operation.lock_us), "lock_us must not be negative")?;
            let leaf = service.protocol != Protocol::Database || operation.call.is_empty();
            must(leaf, "a database calls nobody; move the call to the service that uses it")?;
            for (place, call) in operation.call.iter().enumerate() {
                self.call(service, operation, place, call)?;
            }
        }
        Ok(())
    }

    fn call(&self, service: &Service, operation: &Operation, place: usize, call: &Call) -> Result<(), TopologyError> {
        self.reference(&call.to, call.operation.as_ref())?;
        let must = |holds: bool, what: &str| self.that(holds, call.to.at_byte(), || what.to_owned());
        must(call.timeout_ms > 0, "timeout_ms must be at least 1")?;
        must(share(call.probability), "probability must be 0 to 1")?;
        must(share(call.jitter), "jitter must be 0 to 1")?;
        must(call.backoff_ms >= 0.0, "backoff_ms must not be negative")?;
        must(call.retry_budget.is_none_or(span), "retry_budget must not be negative")?;
        must(call.when != When::Miss || service.cache.is_some(), "when = \"miss\" needs a cache of the service")?;
        let before = &operation.call[..place];
        let falls =
            before.last().is_some_and(|before| before.optional || before.when == When::Failed) && !call.parallel;
        must(call.when != When::Failed || falls, "when = \"failed\" needs an optional call just before it")
    }
}

//! Samplers that leave no mark: nothing in the spans says that others are missing.

use super::batch::Attributes;
use super::{Batch, Bend};

pub(super) struct Unmarked(pub(super) Box<dyn Bend + Send>);

impl Bend for Unmarked {
    fn bend(&mut self, batch: Batch, out: &mut Vec<Batch>) {
        let before = out.len();
        self.0.bend(batch, out);
        out[before..].iter_mut().for_each(wipe);
    }

    fn end(&mut self, out: &mut Vec<Batch>) {
        let before = out.len();
        self.0.end(out);
        out[before..].iter_mut().for_each(wipe);
    }
}

fn wipe(batch: &mut Batch) {
    batch.scope_attributes = Attributes::default();
    for span in &mut batch.spans {
        span.trace_state.clear();
        span.attributes.remove("sampling.policy");
    }
}

//! Names that explode: routes that are not known to the framework, ids in words that no template can tell from words, a
//! new instance with every batch.

use super::{Batch, Bend, chance, chance_of};
use model::SpanKind;

const SYLLABLES: [&str; 16] =
    ["ka", "lo", "mi", "ne", "ru", "sa", "to", "vi", "bel", "dor", "fan", "gil", "hum", "jas", "pol", "zen"];

pub(super) struct Explosion {
    seed: u64,
    batches: u64,
}

impl Explosion {
    pub(super) fn new(seed: u64) -> Explosion {
        Explosion { seed, batches: 0 }
    }

    /// A word that looks like one and hardly ever comes again.
    fn word(&self, thing: u64) -> String {
        let drawn = chance(self.seed, 0x3d, thing);
        (0..6).map(|at| SYLLABLES[(drawn >> (4 * at)) as usize & 15]).collect()
    }
}

impl Bend for Explosion {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        self.batches += 1;
        if chance_of(self.seed, 0xe4, batch.service()).is_multiple_of(2) {
            let instance = format!("{}-{}", batch.instance(), self.word(self.batches));
            batch.resource.set_text("service.instance.id", instance);
            for span in batch.spans.iter_mut().filter(|span| matches!(span.kind, SpanKind::Server | SpanKind::Client)) {
                if span.attributes.has("db.system.name") {
                    let text = format!("{} WHERE note = '{}'", span.name, self.word(span.id));
                    span.attributes.remove("db.operation.name");
                    span.attributes.remove("db.collection.name");
                    span.name = text;
                } else if span.attributes.has("http.request.method") {
                    span.attributes.remove("http.route");
                    span.attributes.remove("url.template");
                    span.name = format!("{}/{}/{}", span.name, self.word(span.id ^ span.parent), span.id % 100_000);
                }
            }
        }
        out.push(batch);
    }
}

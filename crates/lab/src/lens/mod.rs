//! Lenses: the telemetry of a fleet as companies really have it.
//!
//! A lens is a pure, seeded transformation of the spans that exporters send: the same fleet behind a service mesh, behind
//! a sampler, by clocks that are wrong. What happens in the fleet stays what it is, so whoever reads the spans must come
//! to the same conclusions through every lens, or say that it cannot.

mod bar;
mod batch;
mod counted;
mod deploys;
mod head;
mod late;
mod mesh;
mod messages;
mod missing;
mod names;
mod sight;
mod skew;
mod table;
mod tail;
mod twice;
mod unmarked;

pub use bar::{Bar, BarConfig, EdgeName, FALSE_SHARE, RATE_ERROR, Wrong, look};
pub use batch::Batch;
pub use counted::Counter;
pub use sight::{Seen, Sight};
pub use table::table;

use crate::{Export, Topology};
use model::GuardReport;
use std::collections::BTreeMap;
use std::fmt;

/// The lenses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lens {
    /// As the fleet's own exporters send it.
    #[default]
    Plain,
    /// Every call passes an Envoy sidecar on both sides, as Istio sets them up; one attempt in a hundred fails inside the
    /// mesh, which tries again by itself.
    Mesh,
    /// One trace in a hundred is kept; `tracestate` says so.
    Head,
    /// The Collector's tail sampler decides after 30 s: errors, slow traces and a tenth of the rest.
    Tail,
    /// Successes are thinned out to a tenth, failures are all kept.
    Errors,
    /// A third of the instances exports directly, a third in batches of 5 s, a third through something that takes 30 s.
    Late,
    /// Every instance's clock is wrong by up to a second.
    Skewed,
    /// A tenth of the records comes twice, some of them 8 s later.
    Duplicated,
    /// A quarter of the services has no server spans, a fifth of all others is lost, and callers name addresses only.
    Missing,
    /// Services that call nobody are asked by messages, by parent or by link, and take them in batches.
    Messages,
    /// Every service is deployed once a minute; some change their name with the version.
    Renamed,
    /// Half of the services puts what differs from call to call into names.
    Names,
}

impl Lens {
    /// All of them.
    pub const ALL: [Lens; 12] = [
        Lens::Plain,
        Lens::Mesh,
        Lens::Head,
        Lens::Tail,
        Lens::Errors,
        Lens::Late,
        Lens::Skewed,
        Lens::Duplicated,
        Lens::Missing,
        Lens::Messages,
        Lens::Renamed,
        Lens::Names,
    ];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Lens::Plain => "plain",
            Lens::Mesh => "mesh",
            Lens::Head => "head-sampled",
            Lens::Tail => "tail-sampled",
            Lens::Errors => "error-biased",
            Lens::Late => "late",
            Lens::Skewed => "skewed",
            Lens::Duplicated => "duplicated",
            Lens::Missing => "missing-servers",
            Lens::Messages => "messages",
            Lens::Renamed => "renamed",
            Lens::Names => "exploding-names",
        }
    }

    /// The lens of that name.
    pub fn parse(name: &str) -> Option<Lens> {
        Lens::ALL.into_iter().find(|lens| lens.as_str() == name)
    }

    /// The name that the fleet itself gives to a service that is called `name` through this lens.
    pub fn real_name(self, name: &str) -> &str {
        match self {
            Lens::Renamed => deploys::real_name(name),
            _ => name,
        }
    }

    /// How many traces one that is kept stands for, where the sampler says so.
    fn weight(self) -> f64 {
        if self == Lens::Head { 100.0 } else { 1.0 }
    }

    fn bend(self, seed: u64, topology: &Topology) -> Box<dyn Bend + Send> {
        match self {
            Lens::Plain => Box::new(Clear),
            Lens::Mesh => Box::new(mesh::Mesh::new(seed)),
            Lens::Head => Box::new(head::Head::of_share(1.0 / self.weight())),
            Lens::Tail => Box::new(tail::Tail::collector(seed)),
            Lens::Errors => Box::new(tail::Tail::errors(seed)),
            Lens::Late => Box::new(late::Late::new(seed)),
            Lens::Skewed => Box::new(skew::Skew::new(seed)),
            Lens::Duplicated => Box::new(twice::Twice::new(seed)),
            Lens::Missing => Box::new(missing::Missing::new(seed, topology)),
            Lens::Messages => Box::new(messages::Messages::new(seed, topology)),
            Lens::Renamed => Box::new(deploys::Deploys::new(seed)),
            Lens::Names => Box::new(names::Explosion::new(seed)),
        }
    }
}

impl fmt::Display for Lens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// What a lens does with the batches that come by.
trait Bend {
    /// A batch, in the order of arrival. What comes of it goes to `out`; it may arrive later than the batch itself, never
    /// earlier.
    fn bend(&mut self, batch: Batch, out: &mut Vec<Batch>);

    /// What a guard says: it calls its service as the telemetry does (`docs/guard.md`).
    fn rename(&self, _report: &mut GuardReport) {}

    /// Nothing more comes: what was held back is given out.
    fn end(&mut self, _out: &mut Vec<Batch>) {}
}

struct Clear;

impl Bend for Clear {
    fn bend(&mut self, batch: Batch, out: &mut Vec<Batch>) {
        out.push(batch);
    }
}

/// A lens through which exports pass.
pub struct Glass {
    bend: Box<dyn Bend + Send>,
    out: Vec<Batch>,
    waiting: BTreeMap<(u64, u64), Batch>,
    sent: u64,
}

impl Glass {
    /// Everything that it draws by chance follows from `seed`; the topology says who calls nobody.
    pub fn new(lens: Lens, seed: u64, topology: &Topology) -> Glass {
        Glass::of(lens.bend(seed, topology))
    }

    /// The same, but no span says that others are missing. A head sampler keeps one trace in ten then.
    pub fn unmarked(lens: Lens, seed: u64, topology: &Topology) -> Glass {
        let bend = match lens {
            Lens::Head => Box::new(head::Head::of_share(0.1)),
            lens => lens.bend(seed, topology),
        };
        Glass::of(Box::new(unmarked::Unmarked(bend)))
    }

    fn of(bend: Box<dyn Bend + Send>) -> Glass {
        Glass { bend, out: Vec::new(), waiting: BTreeMap::new(), sent: 0 }
    }

    /// An export arrives at the lens.
    pub fn take(&mut self, export: &Export) {
        self.bend.bend(Batch::of(export), &mut self.out);
        self.keep();
    }

    /// A guard's report as it is behind the lens.
    pub fn report(&self, report: &GuardReport) -> GuardReport {
        let mut report = report.clone();
        self.bend.rename(&mut report);
        report
    }

    /// No more exports come.
    pub fn end(&mut self) {
        self.bend.end(&mut self.out);
        self.keep();
    }

    /// The next batch that has arrived behind the lens by `now_ns`, Unix nanoseconds; in the order of arrival.
    pub fn due(&mut self, now_ns: u64) -> Option<Batch> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now_ns)?;
        Some(first.remove())
    }

    fn keep(&mut self) {
        for batch in self.out.drain(..).filter(|batch| batch.span_count() > 0) {
            self.sent += 1;
            self.waiting.insert((batch.at_ns, self.sent), batch);
        }
    }
}

/// A number that follows from the seed, a purpose and a thing: chance that does not depend on the order of asking.
fn chance(seed: u64, purpose: u64, thing: u64) -> u64 {
    crate::world::mix(crate::world::mix(seed ^ purpose.rotate_left(32)) ^ thing)
}

/// The same for a text.
fn chance_of(seed: u64, purpose: u64, text: &str) -> u64 {
    chance(seed, purpose, model::stable_hash(text.as_bytes()))
}

//! What a shard is told: sizes, times and caps, and how a batch of spans is to be counted.

use crate::Admit;
use model::{Criticality, NameId};
use std::collections::BTreeMap;

/// How a shard works. All caps are per shard; every one has a default that suits a fleet of a few hundred services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardConfig {
    /// The length of a window, nanoseconds; a multiple of [`crate::SLICES`] (else it is made one).
    pub width_ns: u64,
    /// One trace in so many is followed as a flow (by trace hash); 1 follows all, 0 none.
    pub flow_sample: u32,
    /// A span is remembered for pairing this long, and a window longer, in event time, nanoseconds.
    /// What a trace says does not depend on how partitions interleave as long as its spans end within this time.
    pub pair_ttl_ns: u64,
    /// What the shard may hold in memory, bytes: eleven sixteenths for remembered spans (about 140 bytes each), one for those
    /// that wait for their parents, the rest for open rows. Memory is taken as needed. What is in flight must fit: spans per
    /// second of event time × (width + grace).
    pub budget_bytes: usize,
    /// Service rows per window; what is lighter folds: first the sub-dimensions, then the operation, then the service.
    pub services_max: usize,
    /// Edge rows per window; what is lighter folds: first the operations, then into one row `other`.
    pub edges_max: usize,
    /// Flow rows per window; what is lighter folds: first the cohort coarsens, then into one row `other`.
    pub flows_max: usize,
    /// Names whose text is kept until a row uses it.
    pub names_max: usize,
    /// Windows without spans that are given after one with spans; a longer gap is skipped.
    pub empty_max: u32,
    /// Windows that may be open at once; a span further ahead than that is refused and counted as `future`.
    pub open_max: usize,
    /// A server span that ends later than its client's by more than this is wasted work, nanoseconds.
    pub wasted_slack_ns: u64,
    /// The criticality of entry operations, by (service, operation).
    pub criticality: BTreeMap<(NameId, NameId), Criticality>,
    /// Whether a criticality that the span itself says is believed where the map says nothing.
    pub labels: Labels,
}

/// Whether criticality labels on spans are believed: labels from outside the fleet must not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// What the span says counts.
    Trusted,
    /// Only the map counts.
    #[default]
    Stripped,
}

impl Default for ShardConfig {
    fn default() -> Self {
        ShardConfig {
            width_ns: 1_000_000_000,
            flow_sample: 4,
            pair_ttl_ns: 10_000_000_000,
            budget_bytes: 512 << 20,
            services_max: 8192,
            edges_max: 16_384,
            flows_max: 4096,
            names_max: 65_536,
            empty_max: 3600,
            open_max: 1024,
            wasted_slack_ns: 10_000_000,
            criticality: BTreeMap::new(),
            labels: Labels::default(),
        }
    }
}

/// How a batch of spans is to be counted. What it names is of the spans' own partition, which keeps the outcome independent
/// of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Each in the window of its own end; where that is closed, as late in the first open window.
    Count {
        /// How late other halves come there ([`crate::Watermarks::patience`]).
        patience: Patience,
    },
    /// Each in the window of its own end, and that is open; but what was read before on the same partition has passed its
    /// end ([`crate::Admit::Slow`]): it counts in the slice of the window that holds `watermark_ns`, not in an earlier one.
    Slow {
        /// The partition's watermark when the span arrived, Unix nanoseconds; its slice's beginning will do.
        watermark_ns: u64,
        /// As in [`Counting::Count`].
        patience: Patience,
    },
    /// All of these came after their partition's watermark ([`crate::Admit::Late`]): each counts as late, in the window
    /// that holds `watermark_ns`.
    Late {
        /// The partition's watermark when the span arrived, Unix nanoseconds.
        watermark_ns: u64,
        /// As in [`Counting::Count`].
        patience: Patience,
    },
    /// Read again after a restart: they pair, but a journalled window has counted them already.
    PairOnly,
}

impl Counting {
    /// Nobody there is late.
    pub const PROMPT: Counting = Counting::Count { patience: Patience(0) };

    /// As its partition's watermark has it; `None` for what is not to be counted.
    #[inline]
    pub fn of(admit: Admit, patience: Patience) -> Option<Counting> {
        match admit {
            Admit::OnTime => Some(Counting::Count { patience }),
            Admit::Slow { watermark_ns } => Some(Counting::Slow { watermark_ns, patience }),
            Admit::Late { watermark_ns } => Some(Counting::Late { watermark_ns, patience }),
            Admit::Future => None,
        }
    }
}

/// For how many windows, beyond two, a span is remembered and waits for a parent that it names and that was not seen: while
/// exporters are late, a request whose parent is not there is not yet one that entered the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patience(pub u8);

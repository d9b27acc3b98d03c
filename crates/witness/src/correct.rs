//! A window as the metrics know it: counts by the known share, edges marked that cannot be reconciled.

use crate::{Known, Witness};
use model::{Count, EdgeRow, FlowRow, NameId, ServiceRow, SparseHistogram, Window};

/// The window with every row corrected that the metrics speak of.
pub(crate) fn window(window: &Window, witness: &Witness) -> Window {
    let mut window = window.clone();
    for row in &mut window.services {
        let Some(known) = witness.service(row.key.service).filter(|known| known.bias.is_none()) else { continue };
        if let Some(factor) = factor(Some(known)) {
            factor.service(row);
        }
        // Whatever a span says or does not say of its weight, the sums are right.
        row.unweighted = Count::ZERO;
    }
    for row in &mut window.edges {
        let known = match row.key.caller {
            NameId::NONE => witness.service(row.key.callee),
            caller => witness.edge(caller, row.key.callee),
        };
        row.biased |= known.is_some_and(|known| known.bias.is_some());
        if let Some(factor) = factor(known) {
            factor.edge(row);
        }
    }
    for row in &mut window.flows {
        if let Some(factor) = factor(witness.service(row.key.entry)) {
            factor.flow(row);
        }
    }
    window
}

fn factor(known: Option<Known>) -> Option<Factor> {
    let known = known?;
    let share = known.share.filter(|share| known.bias.is_none() && *share > 0.0)?;
    Some(Factor((1024.0 / share + 0.5) as u64))
}

/// How many calls each counted one stands for, in 1/1024.
#[derive(Clone, Copy)]
struct Factor(u64);

impl Factor {
    fn number(self, number: &mut u64) {
        let whole = u128::from(*number) * u128::from(self.0) / 1024;
        *number = u64::try_from(whole).unwrap_or(u64::MAX);
    }

    fn counts<'c>(self, counts: impl IntoIterator<Item = &'c mut Count>) {
        counts.into_iter().for_each(|count| self.number(&mut count.0));
    }

    fn histogram(self, histogram: &mut SparseHistogram) {
        self.counts(histogram.0.iter_mut().map(|pair| &mut pair.1));
    }

    fn service(self, row: &mut ServiceRow) {
        self.counts([&mut row.calls, &mut row.entries, &mut row.wasted, &mut row.lost]);
        self.counts(row.failures.iter_mut().chain(&mut row.criticality));
        self.histogram(&mut row.duration);
        self.histogram(&mut row.exclusive);
        self.number(&mut row.busy_us);
    }

    fn edge(self, row: &mut EdgeRow) {
        let counts = [&mut row.calls, &mut row.first_attempts, &mut row.retries, &mut row.wasted, &mut row.unpaired];
        self.counts(counts);
        self.counts(row.failures.iter_mut().chain(&mut row.criticality));
        self.histogram(&mut row.client);
        self.histogram(&mut row.server);
        self.histogram(&mut row.gap);
        self.number(&mut row.busy_us);
    }

    fn flow(self, row: &mut FlowRow) {
        self.counts([&mut row.requests, &mut row.good]);
        self.counts(row.visits.iter_mut().map(|visit| &mut visit.1));
    }
}

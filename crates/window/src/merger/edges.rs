//! Edge rows of all shards: peers resolved, equal keys added up, timeouts inferred, exemplars chosen.

use crate::part::EdgeHint;
use crate::rows::{Exemplars, merge_failed};
use model::{Count, EdgeKey, EdgeKind, EdgeRow, NameId};

/// Failed calls before their durations are looked at.
const PILE_MIN: u64 = 3;

/// Edge rows with what their shards could not decide of each.
#[derive(Debug, Default)]
pub(super) struct Edges {
    rows: Vec<EdgeRow>,
    hints: Vec<EdgeHint>,
}

impl Edges {
    pub(super) fn add(&mut self, rows: Vec<EdgeRow>, mut hints: Vec<EdgeHint>) {
        // A part may have come over a wire.
        hints.resize_with(rows.len(), EdgeHint::default);
        if self.rows.is_empty() {
            (self.rows, self.hints) = (rows, hints);
        } else {
            self.rows.extend(rows);
            self.hints.extend(hints);
        }
    }

    /// The merged rows, sorted by key. `resolve` names the real callee of a call that was not paired, `taken` the edge of a
    /// message that its consumer counts. What a `silent` callee's sidecar answered lacks no half that could have come.
    pub(super) fn close(
        mut self,
        resolve: impl Fn(EdgeKey) -> EdgeKey,
        taken: impl Fn(EdgeKey) -> Option<EdgeKey>,
        silent: impl Fn(NameId) -> bool,
    ) -> Vec<EdgeRow> {
        for (row, hint) in self.rows.iter_mut().zip(&self.hints) {
            match taken(row.key) {
                Some(key) => {
                    row.key = key;
                    leave_to_consumer(row);
                }
                None => row.key = resolve(row.key),
            }
            if !hint.answered_aside.is_zero() && row.key.kind == EdgeKind::Call && silent(row.key.callee) {
                row.unpaired = Count(row.unpaired.0.saturating_sub(hint.answered_aside.0));
            }
        }
        // One shard's rows are in order, unless a key has changed just now.
        if !self.rows.is_sorted_by(|one, next| one.key < next.key) {
            self = self.sorted();
        }
        self.rows.iter_mut().zip(&self.hints).for_each(|(row, hint)| finish(row, hint));
        self.rows
    }

    /// Sorted by key, equal keys added up. Rows are long: it is their keys that are sorted.
    fn sorted(mut self) -> Edges {
        let mut order: Vec<(EdgeKey, usize)> = self.rows.iter().enumerate().map(|(at, row)| (row.key, at)).collect();
        order.sort_unstable();
        let mut sorted = Edges::default();
        for (key, at) in order {
            let (row, hint) = (std::mem::take(&mut self.rows[at]), std::mem::take(&mut self.hints[at]));
            match (sorted.rows.last_mut(), sorted.hints.last_mut()) {
                (Some(kept), Some(known)) if kept.key == key => add((kept, known), (&row, &hint)),
                _ => {
                    sorted.rows.push(row);
                    sorted.hints.push(hint);
                }
            }
        }
        sorted
    }
}

/// Of messages that a consumer counts only those remain that could not be sent.
fn leave_to_consumer(row: &mut EdgeRow) {
    let sent = row.calls;
    row.calls = row.failures.iter().copied().sum();
    row.spans = (u128::from(row.spans) * u128::from(row.calls.0) / u128::from(sent.0.max(1))) as u64;
    row.retries = row.retries.min(row.calls);
    row.first_attempts = Count(row.calls.0 - row.retries.0);
    row.criticality = Default::default();
}

fn add((kept, hint): (&mut EdgeRow, &mut EdgeHint), (next, more): (&EdgeRow, &EdgeHint)) {
    kept.calls += next.calls;
    kept.first_attempts += next.first_attempts;
    kept.retries += next.retries;
    kept.failures.iter_mut().zip(next.failures).for_each(|(sum, more)| *sum += more);
    kept.client.merge(&next.client);
    kept.server.merge(&next.server);
    kept.gap.merge(&next.gap);
    kept.busy_us = kept.busy_us.saturating_add(next.busy_us);
    kept.wasted += next.wasted;
    kept.unpaired += next.unpaired;
    kept.criticality.iter_mut().zip(next.criticality).for_each(|(sum, more)| *sum += more);
    kept.biased |= next.biased;
    kept.spans += next.spans;
    kept.ahead_us = kept.ahead_us.max(next.ahead_us);
    kept.behind_us = kept.behind_us.max(next.behind_us);
    hint.exemplars.extend_from_slice(&more.exemplars);
    more.failed.iter().for_each(|bucket| merge_failed(&mut hint.failed, *bucket));
    hint.said_timeout_us = hint.said_timeout_us.max(more.said_timeout_us);
}

fn finish(row: &mut EdgeRow, hint: &EdgeHint) {
    let mut exemplars = Exemplars::default();
    hint.exemplars.iter().for_each(|one| exemplars.offer(*one));
    row.exemplars = exemplars.kept().iter().map(|one| one.trace).collect();
    row.timeout_us = if hint.said_timeout_us > 0 { hint.said_timeout_us } else { pile_us(hint).unwrap_or(0) };
}

/// The value at which the durations of calls that were given up pile up: at least three, most of them in one bucket and
/// the one above it (a timeout near a bucket's end spills over).
fn pile_us(hint: &EdgeHint) -> Option<u64> {
    let failed = &hint.failed;
    let all: u64 = failed.iter().map(|bucket| bucket.calls).sum();
    let (at, modal) = failed.iter().enumerate().max_by_key(|(at, bucket)| (bucket.calls, std::cmp::Reverse(*at)))?;
    let above = failed.get(at + 1).filter(|next| next.least_us <= modal.value_us + modal.value_us / 16 + 1);
    let below = at
        .checked_sub(1)
        .map(|before| failed[before])
        .filter(|before| before.calls > 0 && modal.least_us <= before.value_us + before.value_us / 16 + 1);
    let piled = modal.calls + above.map_or(0, |next| next.calls).max(below.map_or(0, |before| before.calls));
    let least_us = match below {
        Some(before) if before.calls > above.map_or(0, |next| next.calls) => before.least_us,
        _ => modal.least_us,
    };
    (piled >= PILE_MIN && piled * 2 > all).then_some(least_us)
}

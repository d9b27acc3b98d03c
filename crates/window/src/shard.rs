//! A shard: remembers the spans of its traces, pairs them into calls, and closes windows.

use crate::ahead::staged;
use crate::config::Labels;
use crate::held::Held;
use crate::names::Names;
use crate::opens::Opens;
use crate::rows::{Admissions, Open, Served, StepKey};
use crate::settle::{Scratch, Settler, passes, settles};
use crate::store::{Keys, Kind, NodeId, Number, State, Store, Stored};
use crate::tick::Tick;
use crate::{Counting, Part, Patience, ShardConfig};
use model::{Criticality, Named, ServiceKey, Span, SpanFlags, SpanKind};

/// Spans that are taken at a time: their keys are made once.
const AT_ONCE: usize = 1024;

/// What a shard has met since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Spans offered.
    pub offered: u64,
    /// Of these, seen before: not counted again.
    pub duplicates: u64,
    /// Counted as late.
    pub late: u64,
    /// Settled ahead of the close of their window.
    pub early: u64,
    /// Refused: too far ahead.
    pub future: u64,
    /// Forgotten before their time because memory was short; they were counted first.
    pub evicted: u64,
    /// Times that a span was counted in a coarser row than its own.
    pub folded: u64,
    /// Spans remembered now, with the places of parents not seen yet.
    pub remembered: u64,
}

/// One shard: all spans of a trace come to the same one (`trace.hash() % shards`).
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    store: Store,
    opens: Opens,
    held: Held,
    shared: Admissions,
    names: Names,
    scratch: Scratch,
    counters: ShardCounters,
    /// Windows of a lower number are closed.
    closed: u64,
    /// Earlier slices have passed: nothing that is on time counts in them any more.
    passed: Tick,
    /// Spans that are looked at next, and what those that come are known by; memory that is used again.
    ids: Vec<NodeId>,
    keys: Vec<Keys>,
    /// The window that was given last, not yet cleared away.
    given_away: Option<Box<Open>>,
    /// The number of the last window that was given, and how many empty ones that makes in a row.
    given: Option<(u64, u32)>,
    /// When it was last looked what is to be forgotten, Unix nanoseconds of event time.
    marked_ns: u64,
    /// The most that a span waits for its parent, of those that came since then.
    patience: Patience,
}

impl Shard {
    /// An empty shard.
    pub fn new(config: ShardConfig) -> Shard {
        let config =
            ShardConfig { width_ns: Tick::even_ns(config.width_ns), open_max: config.open_max.max(1), ..config };
        let (quarter, sixteenth) = (config.budget_bytes / 4, config.budget_bytes / 16);
        Shard {
            store: Store::new(config.budget_bytes - quarter - sixteenth),
            opens: Opens::default(),
            held: Held::new(sixteenth),
            shared: Admissions::new(&config, quarter),
            names: Names::new(config.names_max),
            scratch: Scratch::default(),
            counters: ShardCounters::default(),
            closed: 0,
            passed: Tick(0),
            ids: Vec::new(),
            keys: Vec::new(),
            given_away: None,
            given: None,
            marked_ns: 0,
            patience: Patience::default(),
            config,
        }
    }

    /// Everything up to `closed_until_ns` was closed before a restart: it is not given again.
    pub fn resume(&mut self, closed_until_ns: u64) {
        self.close_before(closed_until_ns / self.config.width_ns);
    }

    /// Windows before this one are closed.
    fn close_before(&mut self, window: u64) {
        self.closed = self.closed.max(window);
        self.passed = self.passed.max(Tick::first_of(self.closed));
    }

    /// Takes a batch of spans of this shard's traces, in the order of arrival, and names that were announced (all names go
    /// to all shards: a name is announced once, and any shard may need it).
    pub fn observe(&mut self, spans: &[Span], names: &[Named], how: Counting) {
        self.tidy();
        for named in names {
            self.names.learn(named);
        }
        for spans in spans.chunks(AT_ONCE) {
            self.observe_some(spans, how);
        }
    }

    fn observe_some(&mut self, spans: &[Span], how: Counting) {
        self.store.reserve(spans.len());
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.extend(spans.iter().map(Keys::of));
        for [first, second, turn] in staged(spans.len()) {
            first.iter().for_each(|at| self.store.ask_places(keys[*at]));
            second.iter().for_each(|at| self.store.ask_nodes(keys[*at]));
            turn.iter().for_each(|at| self.observe_one(&spans[*at], keys[*at], how));
        }
        self.keys = keys;
    }

    #[inline]
    fn observe_one(&mut self, span: &Span, keys: Keys, how: Counting) {
        self.counters.offered += 1;
        while let Some(kind) = self.store.full() {
            self.evict(kind);
        }
        let own = Tick::of(span.end_ns, self.config.width_ns);
        let (tick, patience) = match how {
            Counting::Count { patience } => (own, patience),
            // Where its partition's watermark stands no slice has passed, whatever comes of other partitions.
            Counting::Slow { watermark_ns, patience } | Counting::Late { watermark_ns, patience } => {
                (own.max(Tick::of(watermark_ns, self.config.width_ns)), patience)
            }
            Counting::PairOnly => {
                self.counters.duplicates += u64::from(self.store.insert_pair_only(span, keys) == Stored::Duplicate);
                return;
            }
        };
        let tick = if tick >= self.passed { tick } else { Tick::last_of(tick.window().max(self.closed)) };
        let window = tick.window();
        if self.opens.len() >= self.config.open_max && !self.opens.contains(window) && !self.make_way(window) {
            self.counters.future += 1;
            return;
        }
        match self.store.insert(span, keys, tick) {
            Stored::Duplicate => self.counters.duplicates += 1,
            Stored::New(id) => {
                self.patience = self.patience.max(patience);
                self.count(span, id, (own, tick), patience);
            }
        }
    }

    #[inline]
    fn count(&mut self, span: &Span, id: NodeId, (own, tick): (Tick, Tick), patience: Patience) {
        let late = tick.window() > own.window();
        let open = self.opens.at(tick.window());
        let linked = span.flags.has(SpanFlags::LINKED);
        if !linked {
            open.spans += 1;
            open.late += u64::from(late);
            self.counters.late += u64::from(late);
        }
        let node = self.store.get_mut(id).expect("just inserted");
        node.criticality = label(span, self.config.labels);
        node.patience = patience;
        if tick > own {
            node.state.set(State::SLOW);
        }
        if !settles(node) {
            if !linked && !node.is_proxy() {
                let key = StepKey { service: span.service, operation: span.operation };
                let count = span.weight.count();
                if let Some(step) = open.step(key, count.0, &mut self.shared) {
                    step.count(count, span.outcome);
                }
            }
            return;
        }
        open.settle.push(id);
        if passes(node) {
            open.due.push(tick, id);
        }
        if linked || matches!(span.kind, SpanKind::Client | SpanKind::Producer) || span.flags.has(SpanFlags::PROXY) {
            return;
        }
        let (row, criticality) = serve(span, open, &mut self.shared, &self.config);
        (node.row, node.criticality) = (row, criticality);
    }

    /// More windows are open than may be: the furthest ahead gives way, be it the new one or another.
    #[cold]
    fn make_way(&mut self, window: u64) -> bool {
        let Some(last) = self.opens.last().filter(|last| *last > window) else { return false };
        if let Some(mut open) = self.opens.take(last) {
            self.counters.future += open.spans;
            drop(Part::close(0, 0, &mut open, &mut self.shared.pool));
            self.opens.recycle(open, &mut self.shared);
        }
        true
    }

    /// Closes every window that ends at or before `watermark_ns`, ascending; also empty ones in between. Rows are sorted.
    /// What ends before it in the next one is settled as far as that can be done.
    pub fn close_until(&mut self, watermark_ns: u64) -> Vec<Part> {
        let parts = self.close(watermark_ns / self.config.width_ns, false);
        self.pass(watermark_ns);
        parts
    }

    /// Everything that is on time and ends before `watermark_ns` is there: what is complete of it in the first open window is
    /// settled ahead of its close, but for its last slice. What comes of it does not depend on how often this is called.
    pub fn pass(&mut self, watermark_ns: u64) {
        let Some(first) = self.opens.first() else { return };
        let until = Tick::of(watermark_ns, self.config.width_ns).min(Tick::last_of(first));
        if until > self.passed {
            self.tidy();
            self.pass_slices(first, until);
        }
    }

    /// Settles what is complete in a window's slices before `until`.
    fn pass_slices(&mut self, number: u64, until: Tick) {
        let from = self.passed.max(Tick::first_of(number));
        self.passed = self.passed.max(until);
        if from >= until {
            return;
        }
        let Some(mut open) = self.opens.take(number) else { return };
        for tick in (from.0..until.0).map(Tick) {
            self.pass_slice(&mut open, tick);
        }
        open.settle.look(|id| self.store.is_settled(id));
        self.opens.put_back(number, open);
    }

    /// Settles what is complete by the end of a slice.
    fn pass_slice(&mut self, open: &mut Open, tick: Tick) {
        open.due.take(tick, &mut self.ids);
        let (ids, store) = (&self.ids, &self.store);
        let mut settler = Settler {
            store,
            config: &self.config,
            window: tick.window(),
            tick,
            worked: tick,
            open,
            shared: &mut self.shared,
            scratch: &mut self.scratch,
            held: &mut self.held,
            hasty: false,
        };
        for [first, second, third, turn] in staged(ids.len()) {
            first.iter().for_each(|at| store.ask(ids[*at]));
            second.iter().for_each(|at| store.ask_child(ids[*at]));
            third.iter().for_each(|at| store.ask_halves(ids[*at]));
            turn.iter().for_each(|at| settler.pass(ids[*at]));
        }
        self.counters.early += std::mem::take(&mut self.scratch.early);
        for (call, half) in self.scratch.paired.drain(..) {
            self.store.pair(call, half);
        }
    }

    /// The same where nothing comes any more: in the last of these windows no span waits for its parent.
    pub fn close_all(&mut self, watermark_ns: u64) -> Vec<Part> {
        let target = watermark_ns / self.config.width_ns;
        self.held.hasten(target.saturating_sub(1));
        self.close(target, true)
    }

    fn close(&mut self, target: u64, hasty: bool) -> Vec<Part> {
        self.tidy();
        let mut parts = Vec::new();
        let next = |shard: &Shard| shard.opens.first().into_iter().chain(shard.held.first()).min();
        while let Some(first) = next(self).filter(|first| *first < target) {
            self.give_empty(first, &mut parts);
            self.give(first, hasty, &mut parts);
        }
        self.give_empty(target, &mut parts);
        self.close_before(target);
        parts
    }

    /// Empty windows between the last one given and `until`, as many as the configuration wants.
    fn give_empty(&mut self, until: u64, parts: &mut Vec<Part>) {
        while let Some((last, empty)) =
            self.given.filter(|(last, empty)| last + 1 < until && *empty < self.config.empty_max)
        {
            parts.push(Part::empty((last + 2) * self.config.width_ns, self.config.width_ns));
            self.given = Some((last + 1, empty + 1));
        }
    }

    fn give(&mut self, number: u64, hasty: bool, parts: &mut Vec<Part>) {
        self.clear_away();
        let end = Tick::first_of(number + 1);
        self.pass_slices(number, end);
        let held = self.held.take(number);
        let mut open = self.opens.take_or_new(number);
        self.ids.clear();
        self.ids.extend(open.settle.rest(|id| self.store.is_settled(id)));
        let mut settler = Settler {
            store: &self.store,
            config: &self.config,
            window: number,
            tick: Tick::last_of(number),
            worked: end,
            open: &mut open,
            shared: &mut self.shared,
            scratch: &mut self.scratch,
            held: &mut self.held,
            hasty,
        };
        let (ids, store) = (&self.ids, &self.store);
        for [first, second, third, turn] in staged(ids.len()) {
            first.iter().for_each(|at| store.ask(ids[*at]));
            second.iter().for_each(|at| store.ask_relatives(ids[*at]));
            third.iter().for_each(|at| store.ask_grandparent(ids[*at]));
            turn.iter().for_each(|at| settler.settle(ids[*at]));
        }
        held.iter().for_each(|one| settler.settle_deferred(*one));
        settler.follow_rest();
        self.counters.folded += open.folded;
        let width_ns = self.config.width_ns;
        let mut part = Part::close((number + 1) * width_ns, width_ns, &mut open, &mut self.shared.pool);
        self.names.announce(&mut part);
        parts.push(part);
        self.given_away = Some(open);
        self.given = Some((number, 0));
        self.close_before(number + 1);
    }

    /// What can wait until those who wait for a window have it: done before anything else is.
    fn tidy(&mut self) {
        self.clear_away();
        self.forget_old();
    }

    /// Weighs the rows of the window that was given last, and keeps its memory for the next one.
    fn clear_away(&mut self) {
        if let Some(open) = self.given_away.take() {
            self.turn_admissions(&open);
            self.opens.recycle(open, &mut self.shared);
        }
    }

    fn turn_admissions(&mut self, open: &Open) {
        use crate::rows::RowKey;
        let services = open.services.rows().iter().chain(open.side.services.rows());
        self.shared.services.turn(services.map(|(key, row)| (key.mix(), row.calls.0)));
        let edges = open.edges.rows().iter().chain(open.side.edges.rows());
        self.shared.edges.turn(edges.map(|(key, row)| (key.mix(), row.calls.0)));
        self.shared.flows.turn(open.flows.rows().iter().map(|(key, row)| (key.mix(), row.requests.0)));
        self.shared.steps.turn(open.steps.rows().iter().map(|(key, row)| (key.mix(), row.calls.0)));
    }

    /// Forgets the spans that were there so long ago that their time to live has passed.
    fn forget_old(&mut self) {
        let now_ns = self.closed_until_ns();
        if now_ns <= self.marked_ns {
            return;
        }
        self.marked_ns = now_ns;
        if let Some(mark) = self.store.outlived(now_ns) {
            for kind in [Kind::Inner, Kind::Calls] {
                self.settle_until(kind, mark.of(kind));
                self.store.forget(kind, mark.of(kind));
            }
        }
        // Who waits for a parent looks for it a last time when the windows of its patience, and two, have closed.
        let windows = match u64::from(std::mem::take(&mut self.patience).0) {
            0 => 0,
            patience => patience + 3,
        };
        let keep_ns = self.config.pair_ttl_ns.saturating_add(windows.saturating_mul(self.config.width_ns));
        self.store.mark(now_ns, keep_ns);
    }

    /// Memory is short: the oldest of this kind are counted and forgotten.
    #[cold]
    fn evict(&mut self, kind: Kind) {
        let oldest = self.store.oldest(kind);
        self.settle_until(kind, oldest);
        self.counters.evicted += self.store.forget(kind, oldest) as u64;
    }

    /// Settles those of the oldest whose windows are still open.
    fn settle_until(&mut self, kind: Kind, until: Number) {
        for (id, node) in self.store.until(kind, until) {
            if node.window() < self.closed || self.store.is_settled(id) || !settles(node) {
                continue;
            }
            let Some(mut open) = self.opens.take(node.window()) else { continue };
            Settler {
                store: &self.store,
                config: &self.config,
                window: node.window(),
                tick: Tick::last_of(node.window()),
                worked: self.passed,
                open: &mut open,
                shared: &mut self.shared,
                scratch: &mut self.scratch,
                held: &mut self.held,
                hasty: true,
            }
            .settle_now(id);
            self.opens.put_back(node.window(), open);
        }
    }

    /// Up to where this shard has closed, Unix nanoseconds: a multiple of the width.
    pub fn closed_until_ns(&self) -> u64 {
        self.closed.saturating_mul(self.config.width_ns)
    }

    /// What it holds in memory, bytes (capacity, not length).
    pub fn bytes(&self) -> usize {
        let windows = self.opens.bytes() + self.given_away.as_ref().map_or(0, |open| open.bytes());
        self.store.bytes() + windows + self.held.bytes() + self.shared.bytes() + self.names.bytes()
    }

    /// What it has met.
    pub fn counters(&self) -> ShardCounters {
        ShardCounters { remembered: self.store.len() as u64, ..self.counters }
    }
}

/// Counts a request in its service's row. Gives the row's place and the request's criticality.
#[inline]
fn serve(span: &Span, open: &mut Open, shared: &mut Admissions, config: &ShardConfig) -> (u32, Criticality) {
    let key = ServiceKey {
        service: span.service,
        operation: span.operation,
        version: span.version,
        zone: span.zone,
        instance: span.instance,
    };
    let at = open.service(key, span.weight.count().0, shared);
    if open.services.row(at).calls.is_zero() {
        let key = open.services.key(at);
        open.services.row(at).mapped = config.criticality.get(&(key.service, key.operation)).copied();
    }
    let row = open.services.row(at);
    let criticality = row.mapped.unwrap_or(label(span, config.labels));
    let timed = !span.flags.has(SpanFlags::STREAMING);
    let served = Served {
        weight: span.weight,
        outcome: span.outcome,
        criticality,
        duration_us: timed.then(|| span.duration_us()),
        busy_us: span.duration_us(),
        again: false,
    };
    row.serve(served, &mut shared.pool);
    (at, criticality)
}

/// What the span says of its criticality, where that is believed.
fn label(span: &Span, labels: Labels) -> Criticality {
    match labels {
        Labels::Trusted => span.criticality.unwrap_or_default(),
        Labels::Stripped => Criticality::default(),
    }
}

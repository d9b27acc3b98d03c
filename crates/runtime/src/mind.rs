//! Merger and engine together, and what is held until a step is worth a transaction. Turns what comes in into drafts and
//! acknowledged drafts into what others may see. Sends nothing itself.

use crate::actors::Committed;
use crate::batch::{Closed, Mark};
use crate::capacity::{ENTRIES_HELD, ENTRIES_HELD_FOR, PUBLISH_EVERY, SNAPSHOT_EVERY_ENTRIES};
use crate::draft::{Draft, Entry};
use crate::guarded::{Panicked, guarded};
use crate::memo::Memo;
use crate::snapshot::Taken;
use crate::state::{Autonomy, Event, Pulse, Standing, State, locked};
use crate::suspects::Suspects;
use engine::{Effect, Engine, EngineConfig, Input};
use model::{FindingState, GuardReport, Knob, Mode, Order, Target};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use window::Merger;

/// What came of an input.
#[derive(Debug)]
pub(crate) enum Thought {
    /// Nothing that has to be written now.
    Nothing,
    /// This has to be committed before anything else is thought.
    Draft(Arc<Draft>),
    /// The core cannot go on.
    Broken(String),
}

/// What a mind is made of.
pub(crate) struct MindSeed {
    pub(crate) engine: Engine,
    pub(crate) merger: Merger,
    pub(crate) shards: usize,
    pub(crate) digest_every_windows: u32,
    pub(crate) snapshot_every_windows: u32,
    /// The index of the next journal entry.
    pub(crate) journal_index: u64,
    pub(crate) wanted: Arc<Mutex<EngineConfig>>,
    pub(crate) suspects: Arc<Suspects>,
    pub(crate) state: Arc<State>,
    pub(crate) desk: Desk,
}

/// Where states for the keeper of snapshots are put down.
#[derive(Debug)]
pub(crate) struct Desk {
    to_keeper: SyncSender<Taken>,
    /// The keeper waits for the next state.
    pub(crate) idle: Arc<AtomicBool>,
}

impl Desk {
    pub(crate) fn new() -> (Desk, Receiver<Taken>) {
        let (to_keeper, taken) = sync_channel(1);
        (Desk { to_keeper, idle: Arc::new(AtomicBool::new(true)) }, taken)
    }
}

/// What was acknowledged since the last snapshot.
#[derive(Default)]
struct Since {
    snapshot: bool,
    windows: u32,
    entries: usize,
}

/// The engine with everything around it that decides when a step is written.
pub(crate) struct Mind {
    seed: MindSeed,
    closed_ns: Vec<u64>,
    marks: VecDeque<Arc<Mark>>,
    /// What was taken, not yet counted and freed.
    spent: Vec<Input>,
    held: Draft,
    held_since: Option<Instant>,
    under_way: UnderWay,
    windows: u64,
    /// How long the last window's journal entry was, bytes.
    window_bytes: usize,
    now_ms: u64,
    standing: BTreeMap<(Target, Knob), Standing>,
    published: Option<Instant>,
    since: Since,
}

/// The draft that is being committed, and what is measured about it.
#[derive(Default)]
struct UnderWay {
    draft: Option<Arc<Draft>>,
    polled_at: Option<Instant>,
    window_end_ms: Option<u64>,
}

impl Mind {
    pub(crate) fn new(seed: MindSeed) -> Mind {
        let closed_ns = vec![0; seed.shards];
        Mind {
            seed,
            closed_ns,
            marks: VecDeque::new(),
            spent: Vec::new(),
            held: Draft::default(),
            held_since: None,
            under_way: UnderWay::default(),
            windows: 0,
            window_bytes: 0,
            now_ms: 0,
            standing: BTreeMap::new(),
            published: None,
            since: Since::default(),
        }
    }

    /// The first inputs of an epoch: held until the first step.
    pub(crate) fn begin(&mut self, inputs: Vec<Input>) {
        for input in inputs {
            if let Err(why) = self.apply(&input) {
                tracing::error!(why, "the engine cannot take what is still in force");
            }
        }
    }

    /// A shard has closed its parts of some windows.
    pub(crate) fn closed(&mut self, closed: Closed) -> Thought {
        let Closed { shard, parts, mark } = closed;
        self.closed_ns[shard] = mark.closed_ns;
        if self.marks.back().is_none_or(|last| last.closed_ns < mark.closed_ns) {
            self.marks.push_back(mark.clone());
        }
        let merger = &mut self.seed.merger;
        let windows = match guarded("the merger", || merger.push(shard, parts, mark.closed_ns)) {
            Ok(windows) => windows,
            Err(panicked) => return self.broken(&panicked),
        };
        self.under_way.window_end_ms = windows.last().map(|window| window.end_ns / 1_000_000);
        let by_all_ns = self.closed_ns.iter().copied().min().unwrap_or(0);
        let mut complete = None;
        while self.marks.front().is_some_and(|mark| mark.closed_ns <= by_all_ns) {
            complete = self.marks.pop_front();
        }
        if let Some(mark) = complete {
            self.held.positions = mark.positions.clone();
            self.under_way.polled_at = Some(mark.polled_at);
        }
        self.take(windows.into_iter().map(Input::Window).collect())
    }

    /// What time it is. Never runs backwards, whatever the clock does.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Thought {
        self.seed.state.progress.engine_came_round();
        self.now_ms = self.now_ms.max(now_ms);
        self.take(vec![Input::Tick { now_ms: self.now_ms }])
    }

    /// A person's order.
    pub(crate) fn order(&mut self, order: Order) -> Thought {
        self.seed.state.counters.orders.add(1);
        self.take_now(Input::Order(order))
    }

    /// A new configuration.
    pub(crate) fn configure(&mut self, config: Box<EngineConfig>) -> Thought {
        locked(&self.seed.wanted).clone_from(&config);
        self.take_now(Input::Config(config))
    }

    /// Somebody waits for the commit, also if nothing comes of the input.
    fn take_now(&mut self, input: Input) -> Thought {
        match self.apply(&input) {
            Ok(()) => self.draft(),
            Err(why) => Thought::Broken(why),
        }
    }

    /// Guards' reports.
    pub(crate) fn reports(&mut self, reports: Vec<GuardReport>) -> Thought {
        self.seed.state.counters.reports.add(reports.len() as u64);
        self.take(reports.into_iter().map(Input::Report).collect())
    }

    /// Any inputs.
    pub(crate) fn take(&mut self, inputs: Vec<Input>) -> Thought {
        for input in inputs {
            if let Err(why) = self.apply(&input) {
                return Thought::Broken(why);
            }
            self.spent.push(input);
        }
        let worth = !self.held.effects.is_empty() || !self.held.positions.is_empty() || !self.held.aside.is_empty();
        let old = self.held_since.is_some_and(|since| since.elapsed() >= ENTRIES_HELD_FOR);
        if worth || old || self.held.entries.len() >= ENTRIES_HELD { self.draft() } else { Thought::Nothing }
    }

    /// Counts and frees the windows that were taken: each is many thousand lists, and nobody should wait for that.
    pub(crate) fn clear_away(&mut self) {
        for input in std::mem::take(&mut self.spent) {
            if let Input::Window(window) = &input {
                self.count(window);
            }
        }
    }

    /// Everything that is still held.
    pub(crate) fn last(&mut self) -> Thought {
        self.published = None;
        self.publish_control();
        self.publish_picture();
        if self.held.entries.is_empty() { Thought::Nothing } else { self.draft() }
    }

    fn apply(&mut self, input: &Input) -> Result<(), String> {
        let digest = self.digest_due(input).then(|| self.seed.engine.digest());
        let bytes = if matches!(input, Input::Window(_)) { self.window_bytes } else { 0 };
        let entry = Entry::of(input, digest, bytes + bytes / 8);
        let entry = entry.map_err(|error| format!("an input cannot be journalled: {error}"))?;
        if entry.kind == "window" {
            self.window_bytes = entry.input.len();
        }
        let suspects = &self.seed.suspects;
        if suspects.any() && suspects.condemned(&name(input, &entry)) {
            self.put_aside(entry);
            return Ok(());
        }
        let (engine, began) = (&mut self.seed.engine, Instant::now());
        let effects = guarded("the engine", || decide(engine, input)).map_err(|panicked| {
            suspects.engine_died(&name(input, &entry));
            self.seed.state.counters.panics.add(1);
            panicked.to_string()
        })?;
        locked(&self.seed.state.latencies).apply.record(began.elapsed());
        self.held.entries.push(entry);
        self.held.effects.extend(effects);
        self.held_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// It has crashed the engine twice: it goes to the dead-letter topic instead of the journal.
    fn put_aside(&mut self, entry: Entry) {
        tracing::error!(input = entry.kind, bytes = entry.input.len(), "an input crashed the engine twice: put aside");
        self.seed.state.counters.put_aside.add(1);
        let reason = format!("this {} crashed the engine twice: put aside", entry.kind);
        self.held.aside.push((entry, reason));
    }

    fn digest_due(&mut self, input: &Input) -> bool {
        let every = u64::from(self.seed.digest_every_windows);
        let is_window = matches!(input, Input::Window(_));
        self.windows += u64::from(is_window);
        is_window && every > 0 && self.windows.is_multiple_of(every)
    }

    fn draft(&mut self) -> Thought {
        if self.held.effects.iter().any(|effect| matches!(effect, Effect::Audit(_))) {
            self.held.memo = Some(self.memo());
        }
        self.held_since = None;
        let draft = Arc::new(std::mem::take(&mut self.held));
        self.under_way.draft = Some(draft.clone());
        Thought::Draft(draft)
    }

    fn memo(&self) -> Memo {
        let mode = self.seed.engine.mode();
        Memo {
            disarmed_by: self.seed.engine.disarmed_by().map(str::to_owned),
            mode: (mode != locked(&self.seed.wanted).mode).then_some(mode),
            audit_at: None,
        }
    }

    fn broken(&self, panicked: &Panicked) -> Thought {
        self.seed.state.counters.panics.add(1);
        Thought::Broken(panicked.to_string())
    }

    fn count(&self, window: &model::Window) {
        let counters = &self.seed.state.counters;
        let calls = locked(&self.seed.state.service_graph).count(window);
        counters.windows.add(1);
        counters.calls.add(calls.0.div_ceil(1024));
        counters.spans_counted.add(window.spans);
        counters.late.add(window.late);
        counters.rows_folded.add(window.folded);
    }

    /// The draft under way is in the log: now others may see what came of it.
    pub(crate) fn acknowledged(&mut self, committed: &Committed) {
        let UnderWay { draft, polled_at, window_end_ms } = std::mem::take(&mut self.under_way);
        let Some(draft) = draft else { return };
        for effect in &draft.effects {
            self.show(effect, committed.issued_ms);
        }
        let commands = draft.effects.iter().any(|effect| matches!(effect, Effect::Command(_)));
        let mut latencies = locked(&self.seed.state.latencies);
        latencies.commit.record(committed.took);
        if let Some(polled_at) = polled_at {
            latencies.step.record(polled_at.elapsed());
        }
        if let Some(end_ms) = window_end_ms.filter(|_| commands) {
            latencies.command.record(Duration::from_millis(crate::clock::now_ms().saturating_sub(end_ms)));
        }
        drop(latencies);
        let counters = &self.seed.state.counters;
        counters.commits.add(1);
        counters.journal_records.add(draft.entries.len() as u64);
        self.since.entries += draft.entries.len();
        self.since.windows += draft.entries.iter().map(|entry| u32::from(entry.kind == "window")).sum::<u32>();
        self.seed.journal_index += draft.entries.len() as u64;
        self.publish_control();
    }

    /// What takes longer, after whoever waits for the acknowledgement has been told: a snapshot, and the graph for readers.
    pub(crate) fn catch_up(&mut self, committed: &Committed) {
        self.snapshot(committed);
        self.publish_picture();
    }

    /// An order's effects are acknowledged.
    pub(crate) fn order_done(&self, took: Duration) {
        locked(&self.seed.state.latencies).order.record(took);
    }

    fn show(&mut self, effect: &Effect, issued_ms: u64) {
        let (state, counters) = (&self.seed.state, &self.seed.state.counters);
        match effect {
            Effect::Command(command) => {
                (if command.mode == Mode::Act { &counters.commands } else { &counters.proposals }).add(1);
                let place = (command.target.clone(), command.knob);
                let expires_ms = issued_ms + u64::from(command.ttl_ms);
                match command.setting {
                    Some(_) => self.standing.insert(place, Standing { command: command.clone(), expires_ms }),
                    None => self.standing.remove(&place),
                };
                locked(&state.events).push(Event::Command(command.clone()));
            }
            Effect::Finding(finding) => {
                counters.findings.add(1);
                counters.findings_opened.add(u64::from(finding.state == FindingState::Opened));
                locked(&state.events).push(Event::Finding(finding.clone()));
            }
            Effect::Audit(_) => counters.audits.add(1),
        }
    }

    /// Takes a snapshot if one is due and the keeper has room for it. Nothing is held while a draft is under way, so the
    /// engine's state is the acknowledged one.
    fn snapshot(&mut self, committed: &Committed) {
        self.seed.state.journal_index.store(self.seed.journal_index, Ordering::Relaxed);
        let Since { snapshot, windows, entries } = self.since;
        let due = !snapshot || windows >= self.seed.snapshot_every_windows || entries >= SNAPSHOT_EVERY_ENTRIES;
        let desk = &self.seed.desk;
        let (Some(journal_at), true) = (committed.journal_at, due && desk.idle.load(Ordering::Relaxed)) else { return };
        let (journal_index, at_ms) = (self.seed.journal_index, committed.issued_ms);
        let began = Instant::now();
        let taken = Taken { state: self.seed.engine.snapshot(), journal_at, journal_index, at_ms };
        locked(&self.seed.state.latencies).snapshot.record(began.elapsed());
        desk.idle.store(false, Ordering::Relaxed);
        if desk.to_keeper.try_send(taken).is_ok() {
            self.since = Since { snapshot: true, ..Since::default() };
        }
    }

    fn publish_control(&mut self) {
        let (state, engine) = (&self.seed.state, &self.seed.engine);
        state.autonomy.set(Autonomy { mode: engine.mode(), disarmed_by: engine.disarmed_by().map(str::to_owned) });
        self.standing.retain(|_, standing| standing.expires_ms > self.now_ms);
        state.commands.set(self.standing.values().cloned().collect());
    }

    fn publish_picture(&mut self) {
        let (state, engine) = (&self.seed.state, &self.seed.engine);
        if self.published.is_some_and(|at| at.elapsed() < PUBLISH_EVERY) {
            return;
        }
        self.published = Some(Instant::now());
        state.findings.set(engine.findings());
        let view = engine.view();
        if state.graph.get().at_ms != view.at_ms {
            let pulse = Pulse { at_ms: view.at_ms, goodput_rps: view.goodput_rps, offered_rps: view.offered_rps };
            locked(&state.pulses).push(pulse);
        }
        state.graph.set(view);
    }
}

/// The same input has the same name in every generation: a window may be put together a little differently, others not.
fn name(input: &Input, entry: &Entry) -> String {
    match input {
        Input::Window(window) => format!("window {}", window.end_ns),
        _ => format!("{} {}", entry.kind, blake3::hash(&entry.input)),
    }
}

fn decide(engine: &mut Engine, input: &Input) -> Vec<Effect> {
    #[cfg(feature = "testing")]
    crate::tripwire::engine(input);
    engine.apply(input)
}

//! Every bound between actors, named. What is full makes its sender wait; nothing is ever queued without one of these.

use std::time::Duration;

/// Records that one poll of the source hands over at most.
pub(crate) const RECORDS_PER_POLL: usize = 256;
/// Payload bytes after which a poll's spans are handed to the shards before it goes on.
pub(crate) const SPANS_PER_BATCH: usize = 8_192;
/// Batches under way to one shard.
pub(crate) const BATCHES_PER_SHARD: usize = 2;
/// Closed parts under way from one shard to the engine.
pub(crate) const PARTS_PER_SHARD: usize = 4;
/// Notes (idleness, grace, assignment) under way from the source to the engine.
pub(crate) const NOTES: usize = 256;
/// Notes that wait in the source while the engine is busy; further ones of the same kind replace the oldest.
pub(crate) const NOTES_HELD: usize = 1024;
/// Orders and batches of reports in the engine's mailbox.
pub(crate) const ENGINE_MAILBOX: usize = 16;
/// Steps in the commit actor's mailbox: the engine waits for each.
pub(crate) const STEPS: usize = 1;
/// Records under way from one tail to the operator.
pub(crate) const TAIL_RECORDS: usize = 256;
/// Orders in the operator's mailbox.
pub(crate) const OPERATOR_MAILBOX: usize = 16;
/// News under way to the overseer.
pub(crate) const NEWS: usize = 256;
/// Journal entries without effects that wait for the next step.
pub(crate) const ENTRIES_HELD: usize = 512;
/// Journal entries after which a snapshot is taken, whatever they are.
pub(crate) const SNAPSHOT_EVERY_ENTRIES: usize = 4096;
/// Bytes of one journal record; a longer input goes in several.
pub(crate) const JOURNAL_RECORD_BYTES: usize = 700_000;
/// Events kept for listeners.
pub(crate) const EVENTS_KEPT: usize = 1024;
/// Points of goodput kept for sparklines.
pub(crate) const PULSES_KEPT: usize = 600;
/// Edges that have metrics of their own.
pub(crate) const SERIES_MAX: usize = 10_000;

/// How long a poll waits for the first record.
pub(crate) const POLL_WAIT: Duration = Duration::from_millis(20);
/// A journal entry without effects waits at most this long for company: a window comes every second, and one that is a little
/// late shall not find a transaction under way that holds nothing but ticks.
pub(crate) const ENTRIES_HELD_FOR: Duration = Duration::from_millis(1500);
/// How often the overseer looks at signals and health.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the graph is published for readers.
pub(crate) const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// The first pause before a generation is rebuilt; doubled up to [`BACK_OFF_MAX`].
pub(crate) const BACK_OFF_MIN: Duration = Duration::from_millis(250);
/// The longest pause before a generation is rebuilt.
pub(crate) const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// A generation that lived so long was healthy: the next one starts without a long pause.
pub(crate) const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// A commit that can be tried again is tried this often before the generation ends.
pub(crate) const COMMIT_ATTEMPTS: u32 = 8;
/// An actor without progress for so long is stuck.
pub(crate) const STUCK_AFTER_MS: u64 = 15_000;
/// The drain's time when nobody says one (`until_idle`).
pub(crate) const DRAIN_FOR: Duration = Duration::from_secs(60);

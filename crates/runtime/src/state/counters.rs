//! What a pipeline counts. One list gives the fields, the names and the explanations of the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that many threads may raise.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        if amount > 0 {
            self.0.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($name:ident: $help:literal,)*) => {
        /// Everything that is counted since the start of the process's pipeline.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(#[doc = $help] pub $name: Counter,)*
        }

        impl Counters {
            /// Each counter's name, explanation and value.
            pub fn list(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $help, self.$name.get()),)*]
            }
        }
    };
}

counters! {
    records: "Telemetry records read.",
    bytes: "Bytes of telemetry payload read.",
    spans: "Spans read for the first time.",
    spans_reread: "Spans read again after a restart, for pairing only.",
    spans_sampled_out: "Spans left out, whole traces at a time, because telemetry came faster than it could be read.",
    spans_counted: "Spans in closed windows.",
    spans_skipped: "Spans left out of good records (no id, no end).",
    oddities: "Odd facts inside good records.",
    late: "Spans that came after their window had closed, counted in a later one.",
    future: "Spans dated too far in the future, not counted.",
    duplicates: "Spans seen before, not counted again.",
    settled_early: "Spans settled ahead of their window's close.",
    evicted: "Spans forgotten before their time because memory was short.",
    poison: "Records that could not be read.",
    put_aside: "Records and inputs that crashed the core twice and were put aside.",
    dead_letters_failed: "Dead letters that could not be written.",
    gap_records: "Offsets that were gone before they were read.",
    pauses: "Times that reading paused because the shards were full.",
    reconnects: "Times that the source was connected anew.",
    windows: "Windows closed.",
    rows_folded: "Rows that a cap folded into `other`.",
    calls: "Calls counted in closed windows.",
    commands: "Commands on the control topic, renewals and releases included.",
    proposals: "Commands on the proposals topic, renewals and releases included.",
    findings_opened: "Findings that opened.",
    findings: "Findings on the findings topic, changes included.",
    audits: "Entries of the audit trail.",
    journal_records: "Records of the journal.",
    snapshots: "Snapshots of the engine put on their topic.",
    snapshots_failed: "Snapshots that could not be written.",
    snapshot_chunks: "Chunks of snapshots written.",
    snapshot_chunks_reused: "Chunks of snapshots that were on the topic already.",
    commits: "Steps committed.",
    commit_retries: "Steps that had to be tried again.",
    records_refused: "Records that the broker refused for good and that were left out.",
    orders: "Orders that reached the engine.",
    orders_refused: "Orders that were not taken.",
    reports: "Guards' reports that reached the engine.",
    reports_refused: "Guards' reports that could not be read.",
    reports_dropped: "Guards' reports dropped because the engine was busy.",
    panics: "Panics caught around the core.",
    generations: "Generations of actors started.",
}

//! The keeper: a thread that puts snapshots on their topic, in transactions of their own, while steps go on.

use crate::news::Post;
use crate::snapshot::{Packer, Taken};
use crate::state::State;
use kafka::{Outgoing, Sink, SinkError, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Bytes of one transaction: short, so that the end of a generation need not wait.
const TRANSACTION_BYTES: usize = 4 << 20;
/// A transaction that can be tried again is tried this often before the snapshot is given up.
const ATTEMPTS: u32 = 3;
const LOOK: Duration = Duration::from_millis(100);

/// What a keeper needs to start.
pub(crate) struct KeeperSeed {
    pub(crate) sink: Sink,
    pub(crate) packer: Packer,
    pub(crate) taken: Receiver<Taken>,
    /// It waits for the next state.
    pub(crate) idle: Arc<AtomicBool>,
    pub(crate) state: Arc<State>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) post: Post,
}

/// Runs a keeper until its generation ends. Blocks.
pub(crate) fn run(mut seed: KeeperSeed) {
    while !seed.stop.load(Ordering::Relaxed) {
        let taken = match seed.taken.recv_timeout(LOOK) {
            Ok(taken) => taken,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let kept = seed.keep(&taken);
        seed.idle.store(true, Ordering::Relaxed);
        match kept {
            Ok(()) => {}
            Err(SinkError::Fenced { reason } | SinkError::Indefinite { reason }) => {
                // Only a new claim may connect this producer again.
                return seed.post.fail(format!("a snapshot's transaction: {reason}"));
            }
            Err(error) => {
                tracing::error!(%error, "a snapshot cannot be written; recovery takes longer until one can");
                seed.state.counters.snapshots_failed.add(1);
            }
        }
    }
    seed.post.finish();
}

impl KeeperSeed {
    fn keep(&mut self, taken: &Taken) -> Result<(), SinkError> {
        let began = Instant::now();
        let packed = self.packer.pack(taken);
        for part in parts(&packed.chunks) {
            self.write(part)?;
        }
        self.write(&packed.closing)?;
        let (new, reused) = (packed.chunks.len(), packed.reused);
        self.packer.finished(packed);
        let (bytes, took_ms) = (taken.state.len(), began.elapsed().as_millis());
        tracing::debug!(bytes, new, reused, took_ms, "a snapshot is on its topic");
        self.state.snapshot_index.store(taken.journal_index, Ordering::Relaxed);
        self.state.counters.snapshots.add(1);
        self.state.counters.snapshot_chunks.add(new as u64);
        self.state.counters.snapshot_chunks_reused.add(reused as u64);
        Ok(())
    }

    fn write(&mut self, records: &[Outgoing]) -> Result<(), SinkError> {
        let step = Step { records: records.to_vec(), ..Step::default() };
        let mut attempt = 1;
        loop {
            match self.sink.commit(&step) {
                Ok(_) => break,
                Err(SinkError::Retry { reason }) if attempt < ATTEMPTS && !self.stop.load(Ordering::Relaxed) => {
                    tracing::warn!(reason, "a snapshot's transaction was aborted and is tried again");
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.packer.written(records);
        Ok(())
    }
}

/// Neighbouring records of about [`TRANSACTION_BYTES`].
fn parts(records: &[Outgoing]) -> impl Iterator<Item = &[Outgoing]> {
    let mut bytes = 0;
    records.chunk_by(move |record, _| {
        bytes += record.value.as_ref().map_or(0, Vec::len);
        let goes_on = bytes < TRANSACTION_BYTES;
        bytes = if goes_on { bytes } else { 0 };
        goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_short_and_whole() {
        let records = vec![Outgoing::new("t", "k", vec![0; TRANSACTION_BYTES / 3]); 10];
        let lengths: Vec<usize> = parts(&records).map(<[Outgoing]>::len).collect();
        assert_eq!((lengths.iter().sum::<usize>(), lengths.iter().max()), (10, Some(&4)));
        assert_eq!(parts(&[]).count(), 0);
    }
}

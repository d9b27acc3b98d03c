//! Is it alive, and does it work? Judged by progress: every part notes that it came round; whoever does not is stuck.

use crate::capacity::STUCK_AFTER_MS;
use crate::clock::now_ms;
use crate::state::Latest;
use std::sync::atomic::{AtomicU64, Ordering};

/// The parts of a pipeline that live for a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Polls telemetry.
    Source,
    /// Pairs spans and closes windows.
    Shard,
    /// Decides.
    Engine,
    /// Writes.
    Commit,
    /// Brings orders and reports in.
    Operator,
    /// Keeps snapshots.
    Keeper,
}

impl Role {
    /// Its name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Source => "source",
            Role::Shard => "shard",
            Role::Engine => "engine",
            Role::Commit => "commit",
            Role::Operator => "operator",
            Role::Keeper => "keeper",
        }
    }
}

/// Where a pipeline stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the election.
    #[default]
    Standby,
    /// Reading and deciding.
    Running {
        /// The epoch of the claim.
        epoch: u64,
    },
    /// Between two generations.
    Rebuilding {
        /// Why the last one ended.
        why: String,
    },
    /// Finishing what it has.
    Draining,
    /// Done.
    Ended,
}

/// An answer to a health probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Is it well?
    pub well: bool,
    /// What is to be said about it.
    pub remarks: Vec<String>,
}

/// Heartbeats and phase.
#[derive(Debug, Default)]
pub struct Progress {
    /// Where it stands.
    pub phase: Latest<Phase>,
    /// Why no broker answers, as far as the source knows.
    pub unreachable: Latest<Option<String>>,
    overseer_ms: AtomicU64,
    source_ms: AtomicU64,
    engine_ms: AtomicU64,
    commit_since_ms: AtomicU64,
}

impl Progress {
    pub(crate) fn overseer_came_round(&self) {
        self.overseer_ms.store(now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn source_came_round(&self) {
        self.source_ms.store(now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn engine_came_round(&self) {
        self.engine_ms.store(now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn generation_starts(&self) {
        self.source_came_round();
        self.engine_came_round();
        self.commit_ends();
    }

    pub(crate) fn commit_begins(&self) {
        self.commit_since_ms.store(now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn commit_ends(&self) {
        self.commit_since_ms.store(0, Ordering::Relaxed);
    }

    /// Is the process alive? A "no" asks for a restart, so a broker that is away is none.
    pub fn live(&self) -> Verdict {
        let stuck = self.stuck();
        Verdict { well: stuck.is_empty(), remarks: stuck }
    }

    /// Does it do its work, or stand by to?
    pub fn ready(&self) -> Verdict {
        let mut remarks = self.stuck();
        let committing_ms = self.committing_ms();
        if committing_ms > STUCK_AFTER_MS {
            remarks.push(format!("a commit has been going on for {committing_ms} ms: look at the broker"));
        }
        if let Some(reason) = &*self.unreachable.get() {
            remarks.push(format!("no broker answers: {reason}"));
        }
        match &*self.phase.get() {
            Phase::Running { .. } => {}
            Phase::Standby => return Verdict { well: remarks.is_empty(), remarks: vec!["standing by".to_owned()] },
            Phase::Rebuilding { why } => remarks.push(format!("starting again: {why}")),
            Phase::Draining => remarks.push("draining".to_owned()),
            Phase::Ended => remarks.push("ended".to_owned()),
        }
        Verdict { well: remarks.is_empty(), remarks }
    }

    fn stuck(&self) -> Vec<String> {
        let now = now_ms();
        let running = matches!(&*self.phase.get(), Phase::Running { .. });
        // The engine waits for each commit; then it is the commit that is slow, not the engine that is stuck.
        let engine_may_wait = self.committing_ms() > 0;
        let beats = [
            ("overseer", &self.overseer_ms, true),
            ("source", &self.source_ms, running),
            ("engine", &self.engine_ms, running && !engine_may_wait),
        ];
        let late = |at: &AtomicU64| {
            let at = at.load(Ordering::Relaxed);
            (at > 0).then(|| now.saturating_sub(at)).filter(|since| *since > STUCK_AFTER_MS)
        };
        let expected = beats.into_iter().filter(|(_, _, expected)| *expected);
        let stuck = expected.filter_map(|(name, at, _)| late(at).map(|since_ms| (name, since_ms)));
        stuck.map(|(name, since_ms)| format!("the {name} made no progress for {since_ms} ms")).collect()
    }

    fn committing_ms(&self) -> u64 {
        match self.commit_since_ms.load(Ordering::Relaxed) {
            0 => 0,
            since => now_ms().saturating_sub(since).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_ready_and_a_rebuilding_pipeline_is_not() {
        let progress = Progress::default();
        assert!(progress.ready().well);
        progress.phase.set(Phase::Rebuilding { why: "the shard died".into() });
        assert!(!progress.ready().well && progress.live().well);
    }

    #[test]
    fn an_unreachable_broker_makes_it_unready_and_not_dead() {
        let progress = Progress::default();
        progress.phase.set(Phase::Running { epoch: 1 });
        progress.generation_starts();
        progress.unreachable.set(Some("connection refused".into()));
        assert!(progress.live().well);
        assert_eq!(progress.ready().remarks, ["no broker answers: connection refused"]);
    }
}

//! A simulated stretch, encoded once and sent over and over: ids and times are changed in the bytes themselves.
//!
//! Every round has masks of its own for trace and span ids, so parents stay parents and links stay links; only the upper
//! half of a trace id changes, because samplers decide by the lower one.

use super::RecordMeta;
use super::recording::Recording;
use crate::{Lens, Topology};
use telemetry::Encoding;

/// The stretch and where its replay stands.
pub(super) struct Replay {
    recording: Recording,
    round: u64,
    next: usize,
}

/// How long the stretch is at least.
const STRETCH_S: u64 = 20;

impl Replay {
    pub(super) fn new(lens: Lens, topology: &Topology, seed: u64, encoding: Encoding, start_unix_ns: u64) -> Replay {
        let recording = Recording::new(lens, topology, seed, encoding, start_unix_ns, STRETCH_S);
        Replay { recording, round: 0, next: 0 }
    }

    pub(super) fn next_record(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        if self.recording.len() == 0 {
            return None;
        }
        let meta = self.recording.write(self.next, self.round, self.round * self.recording.period_ns, out);
        self.next += 1;
        if self.next == self.recording.len() {
            (self.next, self.round) = (0, self.round + 1);
        }
        Some(meta)
    }
}

//! Many equal fleets at once: a simulated stretch that several voices replay over and over, each begun at another place of
//! it, so that a steady load of any height comes of one small recording. For benchmarks.

use super::RecordMeta;
use super::recording::Recording;
use crate::{Lens, Topology};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use telemetry::Encoding;

/// The stretch, and the voices that replay it.
pub struct Chorus {
    recording: Recording,
    start_unix_ns: u64,
    /// By the time of their next record.
    voices: BinaryHeap<Reverse<Voice>>,
    /// Rounds begun so far: each has ids of its own.
    rounds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Voice {
    at_ns: u64,
    next: usize,
    round: u64,
    /// Wrapping.
    shift_ns: u64,
}

/// How long the stretch is at least: short, because it is kept in memory.
const STRETCH_S: u64 = 3;

impl Chorus {
    /// A silent chorus: [`Chorus::sing`] begins. [`Encoding::Auto`] means protobuf.
    pub fn new(topology: &Topology, seed: u64, encoding: Encoding) -> Chorus {
        let start_unix_ns = super::START_MIN_NS;
        let recording = Recording::new(Lens::Plain, topology, seed, encoding, start_unix_ns, STRETCH_S);
        Chorus { recording, start_unix_ns, voices: BinaryHeap::new(), rounds: 0 }
    }

    /// The spans a second of one voice.
    pub fn voice_spans_per_s(&self) -> f64 {
        self.recording.spans as f64 * 1e9 / self.recording.period_ns.max(1) as f64
    }

    /// Goes on with so many voices, from `start_unix_ns` on; those before fall silent in the middle of what they said.
    pub fn sing(&mut self, voices: u32, start_unix_ns: u64) {
        self.voices.clear();
        if self.recording.len() == 0 {
            return;
        }
        let moved = start_unix_ns.wrapping_sub(self.start_unix_ns);
        for voice in 0..u64::from(voices) {
            let phase_ns = self.recording.period_ns * voice / u64::from(voices.max(1));
            let from_ns = self.start_unix_ns + phase_ns;
            let first = (0..self.recording.len()).find(|number| self.recording.at_ns(*number) >= from_ns);
            let shift_ns = moved.wrapping_sub(phase_ns);
            let next = Voice { at_ns: 0, next: first.unwrap_or(0), round: self.begun(), shift_ns };
            self.queue(next);
        }
    }

    /// Puts the next record's bytes into `out`, which is cleared first. `None` while nobody sings.
    pub fn next_record(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        out.clear();
        let Reverse(mut voice) = self.voices.pop()?;
        let meta = self.recording.write(voice.next, voice.round, voice.shift_ns, out);
        voice.next += 1;
        if voice.next == self.recording.len() {
            let shift_ns = voice.shift_ns.wrapping_add(self.recording.period_ns);
            voice = Voice { next: 0, round: self.begun(), shift_ns, ..voice };
        }
        self.queue(voice);
        Some(meta)
    }

    fn begun(&mut self) -> u64 {
        self.rounds += 1;
        self.rounds
    }

    fn queue(&mut self, voice: Voice) {
        let at_ns = self.recording.at_ns(voice.next).wrapping_add(voice.shift_ns);
        self.voices.push(Reverse(Voice { at_ns, ..voice }));
    }
}

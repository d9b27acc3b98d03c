//! Captures: files of OTLP records, one after the other, with progress.

use crate::exit::Failure;
use crate::print::Progress;
use runtime::{Replay, Replayed};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use telemetry::{Encoding, capture};

/// How often progress is shown, in records.
const PROGRESS_EVERY: u64 = 256;

/// Feeds every record of `files` to `replay`. A record that cannot be read is told on stderr and passed over; a file that
/// cannot be read ends the job.
///
/// # Errors
/// When a file cannot be opened, is no capture, or ends inside a record.
pub(crate) fn feed(replay: &mut Replay, files: &[PathBuf], each: &mut dyn FnMut(Replayed<'_>)) -> Result<(), Failure> {
    // What producers counted is known before the spans that it is compared with.
    let (metrics, traces): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| begins_with_metrics(path));
    for path in metrics.into_iter().chain(traces) {
        let mut number = 0u64;
        records(path, &mut |encoding, record| {
            number += 1;
            if let Err(poison) = replay.record(encoding, record, each) {
                tracing::warn!(file = %path.display(), record = number, %poison, "a record was passed over");
            }
        })?;
    }
    Ok(())
}

/// Is the first record of the file one of metrics? What cannot be read is told when it is fed.
pub(crate) fn begins_with_metrics(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut record = Vec::new();
    let first = capture::open(file).and_then(|mut capture| capture.next_record(&mut record));
    matches!(first, Ok(Some(_))) && telemetry::is_metrics_json(&record)
}

/// Hands every record of a file to `each`, with progress.
///
/// # Errors
/// When it cannot be opened, is no capture, or ends inside a record.
pub(crate) fn records(path: &Path, each: &mut dyn FnMut(Encoding, &[u8])) -> Result<(), Failure> {
    let name = path.display().to_string();
    let told = |error: &dyn std::fmt::Display| Failure::job(format!("{name}: {error}"));
    let file = File::open(path).map_err(|error| told(&error))?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted { file, read: read.clone() };
    let mut capture = capture::open(BufReader::with_capacity(1 << 20, counted)).map_err(|error| told(&error))?;
    let progress = Progress::new();
    let mut record = Vec::new();
    while let Some(encoding) = capture.next_record(&mut record).map_err(|error| told(&error))? {
        each(encoding, &record);
        let number = capture.place().record;
        if number.is_multiple_of(PROGRESS_EVERY) && size > 0 {
            let percent = read.load(Ordering::Relaxed) * 100 / size;
            progress.show(&format!("{name}: {percent}%, {number} records"));
        }
    }
    progress.clear();
    Ok(())
}

/// A file that says how much of it has been read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

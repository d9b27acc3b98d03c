//! Looks on: what stands on the control topic, and how many guards say that they obey. Changes nothing.

use kafka::{Connection, Edge, Tail, TailConfig, TailRecord, Topics};
use model::{CommandId, Knob, Mode, Setting};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A guard reports each second; what it said longer ago counts no more.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// A command as it changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seen {
    /// Seconds from the start of the load.
    pub(crate) at_s: f64,
    /// `target/knob`.
    pub(crate) what: String,
    /// The value; nothing is a release.
    pub(crate) setting: Option<Setting>,
}

/// What has been seen.
#[derive(Debug, Default)]
struct Notes {
    commands: Vec<Seen>,
    standing: BTreeMap<String, Option<Setting>>,
    /// Which knob a command is for.
    knobs: BTreeMap<CommandId, Knob>,
    /// What each instance said that it obeys, and when it did.
    obeyed: BTreeMap<String, (Instant, Vec<CommandId>)>,
}

impl Notes {
    /// What instances obey, by their last reports. One that reports over HTTP falls silent with stopbank: then nothing is
    /// known of it.
    fn said(&self) -> impl Iterator<Item = &[CommandId]> {
        self.obeyed.values().filter(|(at, _)| at.elapsed() < SILENT_AFTER).map(|(_, obeyed)| obeyed.as_slice())
    }
}

/// Looks on until it is dropped.
#[derive(Debug)]
pub(crate) struct Observer {
    notes: Arc<Mutex<Notes>>,
    stop: Arc<AtomicBool>,
}

impl Observer {
    /// Looks on from now; `began` is when the load begins.
    ///
    /// # Errors
    /// When Kafka cannot be reached.
    pub(crate) fn start(connection: &Connection, topics: &Topics, began: Instant) -> Result<Observer, String> {
        let (notes, stop): (Arc<Mutex<Notes>>, Arc<AtomicBool>) = Default::default();
        let commands = move |notes: &mut Notes, record: TailRecord| command(notes, record, began);
        watch(connection, &topics.control, notes.clone(), stop.clone(), commands)?;
        watch(connection, &topics.reports, notes.clone(), stop.clone(), |notes, record| {
            if let Ok(report) = control::decode_report(&record.into_record()) {
                let obeyed = report.obeyed.into_iter().map(|obeyed| obeyed.id).collect();
                notes.obeyed.insert(format!("{}/{}", report.service, report.instance), (Instant::now(), obeyed));
            }
        })?;
        Ok(Observer { notes, stop })
    }

    /// Every change of a command so far.
    pub(crate) fn commands(&self) -> Vec<Seen> {
        locked(&self.notes).commands.clone()
    }

    /// How many instances obey something, by their last reports.
    pub(crate) fn obeying(&self) -> usize {
        locked(&self.notes).said().filter(|obeyed| !obeyed.is_empty()).count()
    }

    /// The knobs of what some instance obeys, by the last reports.
    pub(crate) fn knobs(&self) -> BTreeSet<Knob> {
        let notes = locked(&self.notes);
        notes.said().flatten().filter_map(|id| notes.knobs.get(id).copied()).collect()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn watch(
    connection: &Connection,
    topic: &str,
    notes: Arc<Mutex<Notes>>,
    stop: Arc<AtomicBool>,
    note: impl Fn(&mut Notes, TailRecord) + Send + 'static,
) -> Result<(), String> {
    let tail = Tail::connect(&TailConfig::new(connection.clone(), topic, Edge::Earliest));
    let mut tail = tail.map_err(|error| error.to_string())?;
    let look = move || {
        while !stop.load(Ordering::Relaxed) {
            let Ok(record) = tail.next(Duration::from_millis(100)) else { return };
            record.into_iter().for_each(|record| note(&mut locked(&notes), record));
        }
    };
    std::thread::Builder::new().name("observer".into()).spawn(look).map(drop).map_err(|error| error.to_string())
}

fn command(notes: &mut Notes, record: TailRecord, began: Instant) {
    let Ok(command) = control::decode_command(&record.into_record()) else { return };
    if command.mode != Mode::Act {
        return;
    }
    notes.knobs.insert(command.id.clone(), command.knob);
    let what = format!("{}/{}", command.target, command.knob.as_str());
    // A renewal is no news.
    if notes.standing.insert(what.clone(), command.setting) != Some(command.setting) {
        notes.commands.push(Seen { at_s: began.elapsed().as_secs_f64(), what, setting: command.setting });
    }
}

fn locked(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

//! `stopbank rank`: the likely origins of what began at a given time in a capture.

use super::replay::configured;
use crate::capture;
use crate::cli::Rank;
use crate::config::Config;
use crate::exit::Failure;
use crate::print::{self, Format};
use detect::origin::{self, Profile, Ranked};
use engine::{Engine, Input};
use graph::Graph;
use model::{Rollup, Window};
use runtime::{Replay, Replayed};
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// One entry of a labels.json: which capture, and when the fault was injected.
#[derive(Deserialize)]
struct Label {
    file: String,
    #[serde(alias = "issue_time_unix")]
    inject_time_unix: f64,
}

pub(super) fn run(arguments: &Rank, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let settings = super::configuration(None)?;
    let baseline = Learned::of(&arguments.baseline, &settings)?;
    if let Some(path) = &arguments.labels {
        return labelled(path, &baseline, &settings, format);
    }
    let onset = arguments.at.as_deref().map(onset_ns).transpose()?.unwrap_or_default();
    if arguments.files.is_empty() {
        return Err(Failure::usage("name the captures of the incident"));
    }
    let name = arguments.files[0].display().to_string();
    tell(&name, &ranked(&arguments.files, onset, &baseline, &settings)?, format)
}

fn labelled(path: &Path, baseline: &Learned, settings: &Config, format: Format) -> Result<(), Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let labels: Vec<Label> = serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    for label in labels {
        let onset = (label.inject_time_unix * 1e9) as u64;
        tell(&label.file, &ranked(&[folder.join(&label.file)], onset, baseline, settings)?, format)?;
    }
    Ok(())
}

/// What normal looks like: a profile and the graph that goes with it.
#[derive(Clone, Default)]
struct Learned {
    profile: Profile,
    graph: Graph,
}

impl Learned {
    fn of(files: &[PathBuf], settings: &Config) -> Result<Learned, Failure> {
        let mut learned = Learned::default();
        windows(files, settings, &mut |window| learned.add(window))?;
        Ok(learned)
    }

    fn add(&mut self, window: &Window) {
        self.profile.add(window);
        self.graph.apply(window, &Rollup::of(window));
    }
}

/// The ranking: windows that end by the onset are normal, the others the incident.
fn ranked(files: &[PathBuf], onset_ns: u64, baseline: &Learned, settings: &Config) -> Result<Verdict, Failure> {
    let mut normal = baseline.clone();
    let mut incident = Profile::default();
    windows(files, settings, &mut |window| {
        if window.end_ns <= onset_ns {
            normal.add(window);
        } else {
            incident.add(window);
            normal.graph.apply(window, &Rollup::of(window));
        }
    })?;
    let ranking = origin::rank(&normal.profile, &incident, &normal.graph);
    Ok(Verdict { ranking, graph: normal.graph })
}

/// A ranking, and the graph that knows the services' names.
struct Verdict {
    ranking: Vec<Ranked>,
    graph: Graph,
}

impl Verdict {
    /// Too unsure to name an origin: the ranking is shown all the same, and marked.
    fn abstains(&self) -> bool {
        self.ranking.first().is_none_or(|first| first.confidence < origin::ABSTAIN_BELOW)
    }
}

/// Every window of the captures.
fn windows(files: &[PathBuf], settings: &Config, each: &mut dyn FnMut(&Window)) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    let mut config = configured(settings);
    config.engine.mode = model::Mode::Off;
    let engine = Engine::new(config.engine.clone());
    let mut replay = Replay::with_engine(config, engine);
    let mut see = |replayed: Replayed<'_>| {
        if let Input::Window(window) = replayed.input {
            each(window);
        }
    };
    capture::feed(&mut replay, files, &mut see)?;
    replay.finish(&mut see);
    Ok(())
}

fn tell(file: &str, verdict: &Verdict, format: Format) -> Result<(), Failure> {
    let file = Path::new(file).file_name().map_or(file.to_owned(), |name| name.to_string_lossy().into_owned());
    let name = |one: &Ranked| verdict.graph.name(one.service);
    if format == Format::Json {
        let services: Vec<_> = verdict
            .ranking
            .iter()
            .map(|one| json!({"service": name(one), "score": one.score, "confidence": one.confidence, "why": one.why}))
            .collect();
        let abstained = verdict.abstains();
        return Ok(print::json(&json!({"file": file, "ranking": services, "abstained": abstained}))?);
    }
    let unsure = if verdict.abstains() { ": too unsure to name an origin" } else { "" };
    print::line(&format!("{file}{unsure}"))?;
    for (place, one) in verdict.ranking.iter().take(5).enumerate() {
        print::line(&format!(
            "  {}. {:<32} {:>8.2}  confidence {:.2}  {}",
            place + 1,
            name(one),
            one.score,
            one.confidence,
            one.why.join("; ")
        ))?;
    }
    Ok(())
}

/// RFC 3339 or Unix seconds, as Unix nanoseconds.
fn onset_ns(text: &str) -> Result<u64, Failure> {
    if let Some(ms) = control::parse_rfc3339_ms(text) {
        return Ok(ms * 1_000_000);
    }
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds < 1e11 => Ok((seconds * 1e9) as u64),
        _ => Err(Failure::usage(format!("--at {text}: write RFC 3339 (2024-05-01T12:00:00Z) or Unix seconds"))),
    }
}

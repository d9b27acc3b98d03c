//! `stopbank risks`: telemetry of files or topics, or a live graph, into a survey, and its assessment out.

use super::topics::{self, Listening};
use crate::capture;
use crate::cli::Risks as Arguments;
use crate::config::Config;
use crate::exit::Failure;
use crate::print::{self, Format};
use crate::wiring;
use engine::Input;
use model::GraphView;
use risk::{Assessment, Survey, SurveyConfig, assess};
use runtime::Replay;
use std::cell::RefCell;
use telemetry::Encoding;

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let mut config = super::configuration(arguments.config.as_deref())?;
    if let Some(brokers) = &arguments.brokers {
        config.kafka.brokers.clone_from(brokers);
    }
    if !arguments.topics.is_empty() {
        config.telemetry.traces_topics.clone_from(&arguments.topics);
    }
    let found = match &arguments.admin {
        Some(admin) => assess(&risk::fleet_of_graph(&graph(admin)?), admin),
        None => surveyed(arguments, &config)?,
    };
    match format {
        Format::Json => print::json(&found)?,
        Format::Text => print::line(risk::text(&found).trim_end())?,
    }
    let worst = found.risks.first().map_or(0.0, |risk| risk.cost_rps);
    match arguments.fail_over {
        Some(bar) if worst > bar => {
            Err(Failure::grade(format!("a risk could cost {worst:.0} requests a second, more than {bar:.0}")))
        }
        _ => Ok(()),
    }
}

/// The same telemetry goes into the survey and through the engine, which learns capacities from it.
struct Surveying {
    survey: RefCell<Survey>,
    replay: Replay,
}

impl Surveying {
    fn record(&mut self, encoding: Encoding, payload: &[u8]) -> usize {
        // A record that cannot be read says nothing; `doctor` tells of it.
        let read = self.survey.borrow_mut().record(encoding, payload).unwrap_or(0);
        let survey = &self.survey;
        drop(self.replay.record(encoding, payload, &mut |replayed| watch(survey, replayed.input)));
        read
    }

    fn assessment(mut self, subject: &str) -> Assessment {
        let survey = &self.survey;
        self.replay.finish(&mut |replayed| watch(survey, replayed.input));
        let graph = self.replay.engine().view();
        assess(&self.survey.into_inner().fleet(&graph), subject)
    }
}

fn watch(survey: &RefCell<Survey>, input: &Input) {
    if let Input::Window(window) = input {
        survey.borrow_mut().window(window);
    }
}

fn surveyed(arguments: &Arguments, config: &Config) -> Result<Assessment, Failure> {
    let survey = Survey::new(SurveyConfig { reader: wiring::reader(config), ..SurveyConfig::default() });
    let mut surveying =
        Surveying { survey: RefCell::new(survey), replay: Replay::new(super::replay::configured(config)) };
    if arguments.files.is_empty() {
        let listening = Listening { duration: arguments.duration.duration(), from_beginning: arguments.from_beginning };
        let source = topics::connect(config, &listening)?;
        let encoding = config.telemetry.encoding;
        topics::listen(source, &listening, &mut |record| surveying.record(encoding, record.payload))?;
        return Ok(surveying.assessment(&config.telemetry.traces_topics.join(", ")));
    }
    for path in &arguments.files {
        capture::records(path, &mut |encoding, record| {
            surveying.record(encoding, record);
        })?;
    }
    let names: Vec<String> = arguments.files.iter().map(|path| path.display().to_string()).collect();
    Ok(surveying.assessment(&names.join(", ")))
}

/// The live graph of a running stopbank.
fn graph(admin: &str) -> Result<GraphView, Failure> {
    let url = format!("http://{admin}/graph");
    let away = |why: String| Failure::job(format!("{url}: {why}; the live graph is that of a running `stopbank run`"));
    let mut answer = ureq::get(&url).call().map_err(|error| away(error.to_string()))?;
    let text = answer.body_mut().read_to_string().map_err(|error| away(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| away(error.to_string()))
}

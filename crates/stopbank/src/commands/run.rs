//! `stopbank run`: the real thing.

use crate::cli::Run;
use crate::exit::Failure;
use crate::print::{self, Format};
use crate::signals::Signals;
use crate::{config, serve, wiring};
use runtime::{Ended, Ending, Pipeline, RuntimeError, Summary};
use serde_json::json;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(arguments: &Run, format: Format) -> Result<(), Failure> {
    let config = super::configuration(arguments.config.as_deref())?;
    if arguments.dump_config {
        return Ok(print::line(config::to_toml(&config).trim_end())?);
    }
    crate::logs::start(&config.log.level, format);
    let signals = Signals::listen()?;
    let mut pipeline = wiring::pipeline(&config)?;
    if let Some(idle) = arguments.until_idle {
        pipeline.ending = Ending::Idle(idle.duration());
    }
    let handle = Pipeline::start(pipeline).map_err(failure)?;
    let admin = serve::Admin {
        address: &config.admin.address,
        token: &config.admin.token,
        guard_token: &config.admin.guard_token,
        connection: wiring::connection(&config),
        topics: wiring::topics(&config),
    };
    let admin = serve::start(&admin, handle.remote())?;
    tracing::info!(address = %admin.address(), domain = %config.domain.name, mode = ?config.engine.mode, "running");
    let (mut asked, mut forced) = (false, false);
    while !handle.is_finished() {
        if signals.asked() && !asked {
            asked = true;
            tracing::info!(timeout_ms = config.runtime.shutdown_timeout.ms(), "draining");
            handle.drain(config.runtime.shutdown_timeout.duration());
        }
        if signals.forced() && !forced {
            forced = true;
            handle.force();
        }
        if signals.take_reload() {
            reload(arguments, &handle.remote());
        }
        std::thread::sleep(LOOK);
    }
    let summary = handle.wait().map_err(failure)?;
    report(&summary, format)?;
    if forced && summary.ended == Ended::Forced { Err(Failure::forced()) } else { Ok(()) }
}

/// Reads the configuration again; what concerns the engine takes effect as an input of its own, in order.
fn reload(arguments: &Run, pipeline: &runtime::Remote) {
    match super::configuration(arguments.config.as_deref()) {
        Ok(config) => match pipeline.configure(wiring::engine(&config)) {
            Ok(()) => tracing::info!("engine settings reloaded; other settings need a restart"),
            Err(error) => tracing::error!(%error, "the new configuration did not reach the engine"),
        },
        Err(failure) => tracing::error!(%failure, "the new configuration is wrong and changes nothing"),
    }
}

fn failure(error: RuntimeError) -> Failure {
    match error {
        RuntimeError::Kafka(error) => super::kafka_failure(error),
        RuntimeError::Config(why) => Failure::usage(why),
        other => Failure::job(other),
    }
}

fn report(summary: &Summary, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        let mut line = json!({"type": "summary"});
        if let (Some(line), serde_json::Value::Object(numbers)) = (line.as_object_mut(), json!(summary)) {
            line.extend(numbers);
        }
        return Ok(print::json(&line)?);
    }
    print::line(&format!(
        "{} spans in {} records, {} calls over {} edges, {} poison, {} late\n{} findings, {} commands, {} proposals\n{:.1} s CPU, \
         {:.0} MiB at most",
        summary.spans,
        summary.records,
        summary.calls,
        summary.edges,
        summary.poison,
        summary.late,
        summary.findings,
        summary.commands,
        summary.proposals,
        summary.cpu_s,
        summary.max_rss_mib
    ))?;
    Ok(())
}

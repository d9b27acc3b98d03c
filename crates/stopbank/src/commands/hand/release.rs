//! `stopbank release`: lets go of what is in force, whoever holds it.

use super::{configuration, confirm, in_force, orders};
use crate::cli::Release;
use crate::exit::Failure;
use crate::print::{self, Format};
use model::OrderKind;
use serde_json::json;

pub(in crate::commands) fn release(arguments: &Release, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let config = configuration(&arguments.hand)?;
    let mut standing = in_force::read(&config)?;
    standing.retain(|one| {
        arguments.target.as_ref().is_none_or(|target| *target == one.command.target)
            && arguments.knob.is_none_or(|knob| knob == one.command.knob)
    });
    let what: Vec<_> = standing.iter().map(in_force::Standing::json).collect();
    match format {
        Format::Json => print::json(&json!({"type": "preview", "releases": what}))?,
        Format::Text if standing.is_empty() => print::line("nothing of that is in force")?,
        Format::Text => standing.iter().try_for_each(|one| print::line(&format!("releases {}", one.told())))?,
    }
    if standing.is_empty() {
        return Ok(());
    }
    let question = if standing.len() == 1 { "Release it?" } else { "Release them all?" };
    confirm(&arguments.hand, question)?;
    let release = |one: in_force::Standing| OrderKind::Release { target: one.command.target, knob: one.command.knob };
    orders::give(&config, &arguments.hand, standing.into_iter().map(release).collect(), format)
}

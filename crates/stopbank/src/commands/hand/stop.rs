//! `stopbank disarm` and `stopbank arm`: stops the engine, and lets it go on.

use super::{configuration, confirm, in_force, orders, remark};
use crate::cli::{Arm, Disarm};
use crate::exit::Failure;
use crate::print::{self, Format};
use model::OrderKind;
use serde_json::json;

pub(in crate::commands) fn disarm(arguments: &Disarm, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let config = configuration(&arguments.hand)?;
    let (kind, verb) = match arguments {
        Disarm { freeze: true, .. } => (OrderKind::Freeze, "freezes"),
        Disarm { ramp: true, .. } => (OrderKind::RampDown, "lets go step by step"),
        _ => (OrderKind::Disarm, "releases"),
    };
    // Stopping must not fail because a list cannot be shown.
    match in_force::read(&config) {
        Ok(standing) if format == Format::Json => {
            let what: Vec<_> = standing.iter().map(in_force::Standing::json).collect();
            print::json(&json!({"type": "preview", "order": kind, "in_force": what}))?;
        }
        Ok(standing) => {
            standing.iter().try_for_each(|one| print::line(&format!("{verb} {}", one.told())))?;
            let count = match standing.len() {
                0 => "nothing is in force".to_owned(),
                1 => "1 command is in force".to_owned(),
                count => format!("{count} commands are in force"),
            };
            print::line(&format!("{count}; nothing new is sent until `stopbank arm`"))?;
        }
        Err(failure) => remark(&format!("what is in force is not known: {failure}"))?,
    }
    confirm(&arguments.hand, "Disarm?")?;
    orders::give(&config, &arguments.hand, vec![kind], format)
}

pub(in crate::commands) fn arm(arguments: &Arm, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let config = configuration(&arguments.hand)?;
    confirm(&arguments.hand, &format!("Arm the engine of domain {}?", config.domain.name))?;
    orders::give(&config, &arguments.hand, vec![OrderKind::Arm], format)
}

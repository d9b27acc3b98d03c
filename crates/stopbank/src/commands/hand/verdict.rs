//! `stopbank approve` and `stopbank refuse`: a person's word on a proposed or running command.

use super::{configuration, confirm, orders};
use crate::cli::Verdict;
use crate::exit::Failure;
use crate::print::Format;
use model::OrderKind;

pub(in crate::commands) fn approve(arguments: &Verdict, format: Format) -> Result<(), Failure> {
    say(arguments, OrderKind::Approve { command: arguments.command.clone() }, "Carry out", format)
}

pub(in crate::commands) fn refuse(arguments: &Verdict, format: Format) -> Result<(), Failure> {
    say(arguments, OrderKind::Refuse { command: arguments.command.clone() }, "Refuse", format)
}

fn say(arguments: &Verdict, kind: OrderKind, verb: &str, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let config = configuration(&arguments.hand)?;
    confirm(&arguments.hand, &format!("{verb} command {}?", arguments.command))?;
    orders::give(&config, &arguments.hand, vec![kind], format)
}

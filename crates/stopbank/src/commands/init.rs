//! `stopbank init`.

use crate::cli::Init;
use crate::config::TEMPLATE;
use crate::exit::Failure;
use crate::print::{self, Format};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;

pub(super) fn run(arguments: &Init, format: Format) -> Result<(), Failure> {
    let path = arguments.path.display();
    let file = OpenOptions::new().write(true).create_new(true).open(&arguments.path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format!("{path} exists already and is left as it is")),
        _ => Failure::job(format!("{path}: {error}")),
    })?;
    file.write_all(TEMPLATE.as_bytes())?;
    match format {
        Format::Json => print::json(&json!({"type": "init", "path": path.to_string()}))?,
        Format::Text => print::line(&format!(
            "Wrote {path}. Next: edit kafka.brokers, then\n  stopbank validate --config {path} --connect\n  stopbank run --config {path}"
        ))?,
    }
    Ok(())
}

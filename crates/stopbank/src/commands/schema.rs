//! `stopbank schema`.

use crate::cli::Schema;
use crate::exit::Failure;
use crate::print;

pub(super) fn run(arguments: &Schema) -> Result<(), Failure> {
    let ours = lab::scenario::schemas().into_iter().chain(doctor::schemas()).chain(risk::schemas());
    let schemas = control::schemas().into_iter().chain(ours);
    let Some(folder) = &arguments.out else {
        let all: serde_json::Map<_, _> = schemas.collect();
        return Ok(print::json(&all)?);
    };
    std::fs::create_dir_all(folder)?;
    for (name, schema) in schemas {
        let text = serde_json::to_string_pretty(&schema).map_err(Failure::job)?;
        std::fs::write(folder.join(&name), text + "\n")?;
        print::line(&folder.join(name).display().to_string())?;
    }
    Ok(())
}

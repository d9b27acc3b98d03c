//! `stopbank keygen`.

use crate::cli::{Keygen, Role};
use crate::exit::Failure;
use crate::keys;
use crate::print::{self, Format};
use control::Signer;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

pub(super) fn run(arguments: &Keygen, format: Format) -> Result<(), Failure> {
    let seed = keys::seed()?;
    let signer = Signer::from_seed(seed);
    let role = match arguments.role {
        Role::Engine => control::Role::Engine,
        Role::Operator => control::Role::Operator,
    };
    let private = arguments.out.join(format!("{}.key", arguments.name));
    let public = arguments.out.join(format!("{}.pub", arguments.name));
    // The private key is for its owner's eyes only, and an existing one is never overwritten.
    for (path, text, mode) in [
        (&private, control::seed_file(&seed), 0o600),
        (&public, control::public_key_line(&signer.public(), role) + "\n", 0o644),
    ] {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let mut file = file.map_err(|error| Failure::job(format!("{}: {error}", path.display())))?;
        file.write_all(text.as_bytes())?;
    }
    let (private, public) = (private.display().to_string(), public.display().to_string());
    match format {
        Format::Json => {
            print::json(&json!({"type": "keygen", "key_id": signer.key_id(), "private": private, "public": public}))?
        }
        Format::Text => print::line(&format!(
            "Wrote {private} (keep it secret) and {public}. Key id: {}\nAdd the line of {public} to the key file of \
             whoever is to obey it.",
            signer.key_id()
        ))?,
    }
    Ok(())
}

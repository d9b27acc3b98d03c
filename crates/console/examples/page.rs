//! Serves the console over a made-up incident, to look at the page without a pipeline: `cargo run -p console --example page`.

#[path = "../tests/fake/mod.rs"]
mod fake;

use console::{Doors, serve};
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = serve("127.0.0.1:7788".parse()?, Doors::default(), Arc::new(fake::Fake::default()))?;
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("http://{}/\n", server.address()).as_bytes())?;
    loop {
        std::thread::park();
    }
}

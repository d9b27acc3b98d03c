//! The engine as a whole, on a small hand-made fleet.

mod fleet;
mod knowledge;
mod people;
mod replay;
mod story;

use crate::{Engine, EngineConfig};
use model::Mode;

fn engine(mode: Mode) -> Engine {
    Engine::new(EngineConfig { mode, ..EngineConfig::default() })
}

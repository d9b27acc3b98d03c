//! A decision domain of its own on the real broker: topics that nobody else uses, and pipelines over them.
#![allow(dead_code)]

use control::Signer;
use engine::{EngineConfig, Input};
use kafka::testing::{Broker as Real, real_broker};
use kafka::{Edge, Tail, TailConfig, TailRecord, Topics};
use runtime::{Beginning, Broker, Ending, PipelineConfig};
use std::time::Duration;
use window::Grace;

/// How long a topic's end may be waited for.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Domain {
    pub real: &'static Real,
    pub name: String,
    pub topics: Topics,
}

impl Domain {
    /// `None` where there is no real broker; the reason has been told then.
    pub fn new(stem: &str) -> Option<Domain> {
        let real = real_broker()?;
        let (name, topics) = (real.unique(stem), real.topics(stem));
        real.create_topic(&topics.traces[0], 3);
        Some(Domain { real, name, topics })
    }

    /// A pipeline over all of its telemetry.
    pub fn config(&self, ending: Ending) -> PipelineConfig {
        let broker = Broker::Kafka { owner: "test".into(), instance: None };
        let connection = self.real.connection.clone();
        PipelineConfig {
            topics: self.topics.clone(),
            group: self.name.clone(),
            beginning: Beginning::Earliest,
            shards: 2,
            grace: Grace::Fixed { grace_ms: 1000 },
            ending,
            engine: EngineConfig { domain: self.name.clone(), ..EngineConfig::default() },
            ..PipelineConfig::new(connection, broker, Signer::from_seed([7; 32]))
        }
    }

    /// All that is committed on one of its topics.
    pub fn read(&self, topic: &str) -> Vec<TailRecord> {
        let config = TailConfig::new(self.real.connection.clone(), topic, Edge::Earliest);
        Tail::connect(&config).and_then(|mut tail| tail.read_to_end(PATIENCE)).expect("the topic can be read")
    }

    /// What the engine has taken in.
    pub fn inputs(&self) -> Vec<Input> {
        runtime::journal_inputs(self.read(&self.topics.journal), &self.name).expect("our own journal")
    }
}

//! The arguments of `doctor`.

use crate::config::Length;
use clap::Args;
use std::path::PathBuf;

/// Examines a capture, or live topics.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Captures: OTLP JSON lines or length-delimited protobuf, also `.zst` and `.gz`. Without one, topics are examined.
    #[arg(conflicts_with_all = ["brokers", "topics", "duration", "from_beginning"])]
    pub(crate) files: Vec<PathBuf>,
    /// The configuration, for brokers, topics, encoding and identity; without it the environment alone must do.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Instead of the configuration's brokers.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Instead of the configuration's topics; may be given more than once.
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// OTLP metrics beside the spans, of which is said where the spans agree with them: captures where captures are examined,
    /// else topics, instead of the configuration's; may be given more than once.
    #[arg(long, value_name = "FILE|TOPIC")]
    pub(crate) metrics: Vec<String>,
    /// How long topics are listened to.
    #[arg(long = "for", value_name = "DURATION", default_value = "60s")]
    pub(crate) duration: Length,
    /// Read what lies on the topics, from the oldest record to the newest, instead of listening.
    #[arg(long)]
    pub(crate) from_beginning: bool,
    /// End with code 4 if the grade is worse than this: A, B, C, D or F.
    #[arg(long, value_name = "GRADE")]
    pub(crate) fail_under: Option<doctor::Grade>,
    /// End with code 4 if the answer to this question is worse than `--fail-under`, whatever the others are; may be given
    /// more than once.
    #[arg(long = "question", value_name = "NAME", requires = "fail_under", value_parser = question)]
    pub(crate) questions: Vec<doctor::Question>,
}

fn question(text: &str) -> Result<doctor::Question, String> {
    let known = || doctor::Question::ALL.map(doctor::Question::as_str).join(", ");
    let found = doctor::Question::ALL.into_iter().find(|question| question.as_str() == text);
    found.ok_or_else(|| format!("write one of {}", known()))
}

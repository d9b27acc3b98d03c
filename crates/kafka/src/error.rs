//! What can go wrong with Kafka, in words that say what, where and how to mend it.

/// An error of this crate. The sink has its own, [`crate::SinkError`], because there the kind decides what happens next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A property that librdkafka does not know, or a value it does not take, or one that stopbank sets itself.
    #[error("kafka property `{name}`: {reason}")]
    Property {
        /// The property's name.
        name: String,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// No broker answered.
    #[error("no broker of `{brokers}` answered within {waited_ms} ms: {reason}; {mend}")]
    Unreachable {
        /// The bootstrap list as configured.
        brokers: String,
        /// How long it was tried.
        waited_ms: u64,
        /// The last reason that a connection gave.
        reason: String,
        /// What to look at.
        mend: &'static str,
    },
    /// A broker answered, and refused who we are.
    #[error("the brokers `{brokers}` refused the login: {reason}; {mend}")]
    Login {
        /// The bootstrap list as configured.
        brokers: String,
        /// What the broker said.
        reason: String,
        /// What to look at.
        mend: &'static str,
    },
    /// A topic that has to be there is not.
    #[error("topic `{topic}` does not exist; {mend}")]
    TopicMissing {
        /// Its name.
        topic: String,
        /// How to mend it.
        mend: &'static str,
    },
    /// The broker refused what we may not do.
    #[error("not authorised to {what}: {reason}; give the configured user this right")]
    Denied {
        /// What was tried.
        what: String,
        /// What the broker said.
        reason: String,
    },
    /// An operation failed for another reason.
    #[error("{what} failed: {reason}")]
    Failed {
        /// What was tried, and where.
        what: String,
        /// What the client or the broker said.
        reason: String,
    },
}

//! What a client's own threads say beside records: why connections fail, that a login was refused, and statistics.
//!
//! librdkafka tells these only to whoever polls the client; the contexts here write them down for the code that called.

use crate::oidc::Oidc;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::statistics::Statistics;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was heard so far.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The last reason that a connection gave for failing.
    pub reason: Option<String>,
    /// What a broker said when it refused the login.
    pub login: Option<String>,
    /// No broker can be reached at the moment.
    pub all_down: bool,
    /// What the last statistics say of each partition; taken by whoever reads it.
    pub partitions: Option<Vec<Seen>>,
}

/// One partition in the client's statistics.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub topic: String,
    pub partition: i32,
    /// The next offset that the client will fetch.
    pub next_fetch: i64,
    /// Records fetched and not yet polled.
    pub queued: i64,
    /// The log's end; -1 is not known.
    pub high: i64,
    /// The end of what is decided; -1 is not known.
    pub stable: i64,
}

/// Shared by a client's threads and the code that uses the client.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    said: Arc<Mutex<Said>>,
    tokens: Option<Arc<Oidc>>,
}

impl Heard {
    /// Of a client that logs in with tokens from there.
    pub(crate) fn with_tokens(tokens: Option<Arc<Oidc>>) -> Heard {
        Heard { tokens, ..Heard::default() }
    }

    /// A token for the login, when the client asks for one. A failure is also the reason why nobody lets us in.
    pub(crate) fn token(&self) -> Result<OAuthToken, String> {
        let tokens = self.tokens.as_ref().ok_or("`sasl.oauthbearer.method=oidc` and its properties are not set")?;
        tokens.token().inspect_err(|why| self.said().login = Some(why.clone()))
    }

    /// What was said so far.
    pub(crate) fn said(&self) -> MutexGuard<'_, Said> {
        // A panic elsewhere leaves nothing half-written here that could mislead.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last reason, or a word for having none.
    pub(crate) fn reason(&self) -> String {
        let said = self.said();
        said.login.clone().or_else(|| said.reason.clone()).unwrap_or_else(|| "no connection was made".to_owned())
    }

    pub(crate) fn hear_error(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        let mut said = self.said();
        match code {
            RDKafkaErrorCode::AllBrokersDown => said.all_down = true,
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                said.login = Some(shorten(reason));
            }
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::OperationTimedOut => said.reason = Some(shorten(reason)),
            _ => {}
        }
        drop(said);
        tracing::debug!(target: "librdkafka", %code, reason, "client error");
    }

    pub(crate) fn hear_log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        match level {
            // Failing connections come once as a log line and once as an error; the events tell them to the operator.
            Emerg | Alert | Critical | Error if facility == "FAIL" || facility == "ERROR" => {
                tracing::debug!(target: "librdkafka", facility, "{text}");
            }
            Emerg | Alert | Critical | Error => tracing::error!(target: "librdkafka", facility, "{text}"),
            Warning => tracing::warn!(target: "librdkafka", facility, "{text}"),
            Notice | Info => tracing::info!(target: "librdkafka", facility, "{text}"),
            Debug => tracing::debug!(target: "librdkafka", facility, "{text}"),
        }
    }

    pub(crate) fn hear_statistics(&self, statistics: &Statistics) {
        let up = statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let partitions = statistics.topics.values().flat_map(|topic| {
            topic.partitions.values().map(|partition| Seen {
                topic: topic.topic.clone(),
                partition: partition.partition,
                next_fetch: partition.next_offset,
                queued: partition.fetchq_cnt,
                high: partition.hi_offset,
                stable: partition.ls_offset,
            })
        });
        let partitions = partitions.filter(|seen| seen.partition >= 0).collect();
        let mut said = self.said();
        if up {
            said.all_down = false;
        }
        said.partitions = Some(partitions);
    }
}

/// librdkafka adds timing and repetition in brackets: `… (after 0ms in state CONNECT, 3 identical error(s) suppressed)`.
fn shorten(reason: &str) -> String {
    reason.split(" (after ").next().unwrap_or(reason).trim().to_owned()
}

/// A context whose field `heard` hears everything.
macro_rules! hears {
    ($context:ty) => {
        hears!($context, heard);
    };
    ($context:ty, $($heard:ident)?) => {
        impl rdkafka::ClientContext for $context {
            const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, text: &str) {
                self$(.$heard)?.hear_log(level, facility, text);
            }

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self$(.$heard)?.hear_error(&error, reason);
            }

            fn stats(&self, statistics: rdkafka::statistics::Statistics) {
                self$(.$heard)?.hear_statistics(&statistics);
            }

            fn generate_oauth_token(
                &self,
                _config: Option<&str>,
            ) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
                Ok(self$(.$heard)?.token()?)
            }
        }
    };
}
pub(crate) use hears;

hears!(Heard,);

impl ConsumerContext for Heard {}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: ()) {}
}

//! How to reach the brokers: the list, and librdkafka properties for consumers and producers.

use crate::heard::Heard;
use crate::oidc::{self, Oidc};
use crate::properties::{self, Reader};
use crate::{Error, Properties};
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, metadata::Metadata};
use std::fmt;
use std::time::{Duration, Instant};

/// How long a new client looks for a broker before it says that none answers.
pub(crate) const REACH: Duration = Duration::from_secs(10);

/// How many waiting events are heard after each attempt to reach a broker.
const EVENTS_PER_LOOK: u32 = 32;

/// Brokers and properties. `Debug` hides secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// librdkafka properties for every client; those that only one side reads are not given to the other.
    pub properties: Properties,
    /// More for consumers; they win over `properties`.
    pub consumer: Properties,
    /// More for producers; they win over `properties`.
    pub producer: Properties,
}

impl Connection {
    /// Plain connections to `brokers` without further properties.
    pub fn to(brokers: &str) -> Connection {
        Connection { brokers: brokers.to_owned(), ..Connection::default() }
    }

    /// Looks at every property without connecting.
    ///
    /// # Errors
    /// [`Error::Property`] for one that librdkafka does not know (with a suggestion), a value that it does not take, or
    /// one that stopbank sets itself.
    pub fn validate(&self) -> Result<(), Error> {
        if self.brokers.trim().is_empty() {
            let reason = "no broker is given; write `host:port`, several with commas between".to_owned();
            return Err(Error::Property { name: "brokers".to_owned(), reason });
        }
        properties::validate(&self.properties, Reader::Both)?;
        properties::validate(&self.consumer, Reader::Consumer)?;
        properties::validate(&self.producer, Reader::Producer)?;
        self.consumer_context().and(self.producer_context()).map(drop)
    }

    /// A consumer's configuration: `defaults`, over them the user's properties.
    pub(crate) fn consumer_config(&self, defaults: &[(&str, String)]) -> Result<ClientConfig, Error> {
        self.config(&self.consumer, Reader::Consumer, defaults)
    }

    /// A producer's configuration: `defaults`, over them the user's properties.
    pub(crate) fn producer_config(&self, defaults: &[(&str, String)]) -> Result<ClientConfig, Error> {
        self.config(&self.producer, Reader::Producer, defaults)
    }

    /// What a consumer's threads tell, and its tokens if it logs in with such.
    pub(crate) fn consumer_context(&self) -> Result<Heard, Error> {
        self.context(&self.consumer)
    }

    /// The same for a producer.
    pub(crate) fn producer_context(&self) -> Result<Heard, Error> {
        self.context(&self.producer)
    }

    fn context(&self, own: &Properties) -> Result<Heard, Error> {
        let mut all = self.properties.clone();
        all.extend(own.clone());
        Ok(Heard::with_tokens(Oidc::of(&all)?))
    }

    fn config(&self, own: &Properties, side: Reader, defaults: &[(&str, String)]) -> Result<ClientConfig, Error> {
        self.validate()?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "stopbank");
        for (name, value) in defaults {
            config.set(*name, value);
        }
        for (name, value) in self.properties.iter().chain(own) {
            let elsewhere = oidc::is_ours(name);
            if !elsewhere && properties::reader(name).is_none_or(|reader| reader == Reader::Both || reader == side) {
                config.set(name, value);
            }
        }
        keep_unsecured_token(&mut config);
        let debugging = self.properties.contains_key("debug") || own.contains_key("debug");
        config.set_log_level(if debugging { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Warning });
        Ok(config)
    }

    /// What a client that could not be made says.
    pub(crate) fn refused(&self, error: &KafkaError) -> Error {
        match error {
            KafkaError::ClientConfig(_, _, name, value) => {
                Error::Property { name: name.clone(), reason: properties::explain(name, value, error) }
            }
            other => Error::Failed { what: "making a Kafka client".to_owned(), reason: other.to_string() },
        }
    }

    /// Asks for the metadata of `topic` (or of all topics) until a broker answers. `poll` serves the client meanwhile:
    /// without it neither refused logins nor reasons are heard.
    pub(crate) fn reach<C: ClientContext>(
        &self,
        client: &Client<C>,
        heard: &Heard,
        topic: Option<&str>,
        wait: Duration,
        poll: &dyn Fn(),
    ) -> Result<Metadata, Error> {
        let begun = Instant::now();
        heard.said().login = None;
        loop {
            let answer = client.fetch_metadata(topic, Duration::from_millis(500).min(wait));
            // One call serves one event, and what was wrong stands behind its log lines.
            (0..EVENTS_PER_LOOK).for_each(|_| poll());
            match answer {
                Ok(metadata) => return Ok(metadata),
                Err(error) if heard.said().login.is_some() || begun.elapsed() >= wait => {
                    return Err(self.unreachable(heard, wait, &error));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// No broker answered, or none let us in: says what to look at.
    pub(crate) fn unreachable(&self, heard: &Heard, waited: Duration, error: &KafkaError) -> Error {
        let brokers = self.brokers.clone();
        if let Some(reason) = heard.said().login.clone() {
            let mend = "look at `security.protocol`, `sasl.mechanism`, `sasl.username` and `sasl.password`";
            return Error::Login { brokers, reason, mend };
        }
        if let Some(what) = denied(error) {
            return Error::Denied { what: what.to_owned(), reason: error.to_string() };
        }
        let reason = heard.said().reason.clone().unwrap_or_else(|| error.to_string());
        let mend = mend(&reason);
        Error::Unreachable { brokers, waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), reason, mend }
    }

    /// Turns an error of an operation into one that says what was tried.
    pub(crate) fn failed(&self, what: &str, error: &KafkaError) -> Error {
        match denied(error) {
            Some(right) => Error::Denied { what: format!("{what} ({right})"), reason: error.to_string() },
            None => Error::Failed { what: what.to_owned(), reason: error.to_string() },
        }
    }
}

/// librdkafka makes its unsecured token (for development) once, for an hour, and asks the program for the next one. Nobody
/// is protected by its expiry, so it lives as long as the program; `lifeSeconds` in `sasl.oauthbearer.config` wins.
fn keep_unsecured_token(config: &mut ClientConfig) {
    const TEN_YEARS: &str = "lifeSeconds=315360000";
    if config.get("enable.sasl.oauthbearer.unsecure.jwt") == Some("true") {
        let given = config.get("sasl.oauthbearer.config").unwrap_or_default().to_owned();
        if !given.contains("lifeSeconds=") {
            config.set("sasl.oauthbearer.config", format!("{given} {TEN_YEARS}").trim());
        }
    }
}

/// Which right is missing, if that is the error.
pub(crate) fn denied(error: &KafkaError) -> Option<&'static str> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::TopicAuthorizationFailed => Some("use the topic"),
        RDKafkaErrorCode::GroupAuthorizationFailed => Some("use the consumer group"),
        RDKafkaErrorCode::ClusterAuthorizationFailed => Some("use the cluster"),
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed => Some("use the transactional id"),
        _ => None,
    }
}

/// What to look at when a connection fails for `reason` (librdkafka's words).
fn mend(reason: &str) -> &'static str {
    let has = |part: &str| reason.contains(part);
    if has("certificate verify failed") {
        "give the authority that signed the broker's certificate in `ssl.ca.location` (PEM), and use the name that is in \
         the certificate"
    } else if has("SSL") || has("ssl") {
        "look at `security.protocol` and the `ssl.*` properties; is this a TLS listener?"
    } else if has("Connection refused") {
        "is Kafka running there, and is the port right?"
    } else if has("resolve") || has("Name or service") {
        "is the host name right?"
    } else if has("security.protocol") || has("Disconnected") || has("disconnected") {
        "the listener may want TLS or a login: look at `security.protocol`"
    } else {
        "look at the address, at firewalls between, and at `security.protocol` (a TLS listener hangs up on a plain client)"
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("properties", &crate::hide_secrets(&self.properties))
            .field("consumer", &crate::hide_secrets(&self.consumer))
            .field("producer", &crate::hide_secrets(&self.producer))
            .finish()
    }
}

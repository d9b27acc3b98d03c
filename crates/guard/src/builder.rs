//! Settings by code, and a guard that moves by itself.

use crate::clock::Clock;
use crate::guard::Guard;
use crate::settings::{
    ClampSettings, ClientSettings, ConsoleSettings, KafkaSettings, LimitSettings, ServerSettings, Settings,
    SettingsError,
};
use control::Keyring;

/// Makes a [`Guard`].
#[derive(Clone, Debug, Default)]
pub struct GuardBuilder {
    settings: Settings,
}

impl Guard {
    /// A guard for `service`, named as in its telemetry.
    pub fn builder(service: &str) -> GuardBuilder {
        GuardBuilder { settings: Settings { service: service.to_owned(), ..Settings::default() } }
    }
}

impl From<Settings> for GuardBuilder {
    fn from(settings: Settings) -> GuardBuilder {
        GuardBuilder { settings }
    }
}

impl GuardBuilder {
    /// The settings of a TOML text.
    ///
    /// # Errors
    /// The text is not TOML, or has a key or a value that is not known.
    pub fn from_toml(text: &str) -> Result<GuardBuilder, SettingsError> {
        Ok(Settings::from_toml(text)?.into())
    }

    /// The instance's id, its version and its zone, as in the telemetry.
    #[must_use]
    pub fn instance(mut self, instance: &str, version: &str, zone: &str) -> GuardBuilder {
        self.settings.instance = instance.to_owned();
        self.settings.version = version.to_owned();
        self.settings.zone = zone.to_owned();
        self
    }

    /// stopbank's domain.
    #[must_use]
    pub fn domain(mut self, domain: &str) -> GuardBuilder {
        self.settings.domain = domain.to_owned();
        self
    }

    /// The keys whose signatures count.
    #[must_use]
    pub fn keyring(mut self, keyring: Keyring) -> GuardBuilder {
        self.settings.keyring = Some(keyring);
        self
    }

    /// stopbank's console, `http://host:port`, and the token that it asks of guards, if it does.
    #[must_use]
    pub fn console(mut self, url: &str, token: Option<&str>) -> GuardBuilder {
        let token = token.map(str::to_owned);
        self.settings.console = Some(ConsoleSettings { url: url.to_owned(), token });
        self
    }

    /// Kafka's brokers and topics.
    #[must_use]
    pub fn kafka(mut self, kafka: KafkaSettings) -> GuardBuilder {
        self.settings.kafka = Some(kafka);
        self
    }

    /// How many requests are worked on at the same time.
    #[must_use]
    pub fn limit(mut self, limit: LimitSettings) -> GuardBuilder {
        self.settings.server.limit = limit;
        self
    }

    /// The server side.
    #[must_use]
    pub fn server(mut self, server: ServerSettings) -> GuardBuilder {
        self.settings.server = server;
        self
    }

    /// The client side.
    #[must_use]
    pub fn client(mut self, client: ClientSettings) -> GuardBuilder {
        self.settings.client = client;
        self
    }

    /// What no command may do.
    #[must_use]
    pub fn clamps(mut self, clamps: ClampSettings) -> GuardBuilder {
        self.settings.clamps = clamps;
        self
    }

    /// A guard that is moved by hand, by the clock that is given.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn by_hand(self, clock: Clock) -> Result<Guard, SettingsError> {
        Guard::new(self.settings, clock)
    }

    /// A guard that moves by itself, in a thread of its own (an overloaded runtime cannot keep it from acting), and follows
    /// Kafka or the console if the settings name one. The threads end with the last handle.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn start(self) -> Result<Guard, SettingsError> {
        let guard = Guard::new(self.settings, Clock::system())?;
        crate::follow::start(&guard.shared)?;
        Ok(guard)
    }
}

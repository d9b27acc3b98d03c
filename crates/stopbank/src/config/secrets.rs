//! Hides what must not be shown.

use super::Config;

/// The configuration with every secret replaced.
pub(super) fn hidden(mut config: Config) -> Config {
    let kafka = &mut config.kafka;
    for properties in [&mut kafka.properties, &mut kafka.consumer, &mut kafka.producer] {
        *properties = kafka::hide_secrets(properties);
    }
    for token in [&mut config.admin.token, &mut config.admin.guard_token] {
        if !token.is_empty() {
            *token = "***".into();
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_are_never_printed() {
        let mut config = Config::default();
        config.kafka.properties.insert("sasl.password".into(), "hunter2".into());
        config.kafka.consumer.insert("ssl.key.password".into(), "hunter2".into());
        config.kafka.properties.insert("sasl.username".into(), "me".into());
        config.admin.token = "hunter2".into();
        config.admin.guard_token = "hunter2".into();
        let text = super::super::to_toml(&config);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("\"me\""), "{text}");
    }
}

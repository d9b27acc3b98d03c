use super::*;

fn one(name: &str, value: &str) -> Properties {
    Properties::from([(name.to_owned(), value.to_owned())])
}

fn refusal(name: &str, value: &str, wanted: Reader) -> String {
    validate(&one(name, value), wanted).expect_err("should be refused").to_string()
}

#[test]
fn every_listed_name_is_known_to_librdkafka_and_the_list_is_sorted() {
    assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    for (name, _) in NAMES {
        let mut config = ClientConfig::new();
        config.set(*name, "\u{1}never a right value");
        // Taken or "invalid value" is fine: only "no such property" is not.
        if let Err(error) = config.create_native_config() {
            assert!(!error.to_string().contains("No such configuration property"), "{name}: {error}");
        }
    }
}

#[test]
fn a_misspelt_property_is_named_with_the_right_one() {
    let said = refusal("fetch.mim.bytes", "1", Reader::Consumer);
    assert!(said.contains("`fetch.mim.bytes`") && said.contains("did you mean `fetch.min.bytes`?"), "{said}");
    let said = refusal("sasl.mechanim", "PLAIN", Reader::Both);
    assert!(said.contains("did you mean `sasl.mechanism`?"), "{said}");
    let said = refusal("the.answer.to.everything", "42", Reader::Both);
    assert!(said.contains("CONFIGURATION.md"), "{said}");
}

#[test]
fn a_java_property_is_answered_with_librdkafkas_name_for_it() {
    let said = refusal("ssl.truststore.location", "/x.jks", Reader::Both);
    assert!(said.contains("`ssl.ca.location`"), "{said}");
    let said = refusal("sasl.jaas.config", "x", Reader::Both);
    assert!(said.contains("`sasl.username`"), "{said}");
}

#[test]
fn what_the_promises_rest_on_cannot_be_set() {
    let said = refusal("enable.auto.commit", "true", Reader::Consumer);
    assert!(said.contains("stopbank sets it itself"), "{said}");
    let said = refusal("acks", "1", Reader::Producer);
    assert!(said.contains("all replicas"), "{said}");
}

#[test]
fn a_wrong_value_is_told_with_what_librdkafka_says() {
    let said = refusal("fetch.min.bytes", "many", Reader::Consumer);
    assert!(said.contains("`fetch.min.bytes`") && said.contains("many"), "{said}");
}

#[test]
fn a_property_on_the_wrong_side_is_sent_to_the_other() {
    assert!(refusal("linger.ms", "5", Reader::Consumer).contains("producer's properties"));
    assert!(refusal("fetch.min.bytes", "5", Reader::Producer).contains("consumer's properties"));
    validate(&one("linger.ms", "5"), Reader::Producer).expect("a producer reads it");
    validate(&one("linger.ms", "5"), Reader::Both).expect("those for every client may be for one side");
}

#[test]
fn secrets_are_hidden_and_the_rest_is_shown() {
    let mut properties = one("sasl.password", "hunter2");
    properties.extend(one("sasl.username", "me"));
    properties.extend(one("sasl.oauthbearer.client.secret", "hunter2"));
    properties.extend(one("ssl.key.pem", "hunter2"));
    properties.extend(one("sasl.oauthbearer.config", "hunter2"));
    let shown = format!("{:?}", hide_secrets(&properties));
    assert!(!shown.contains("hunter2") && shown.contains("me"), "{shown}");
    let connection = crate::Connection { properties, ..crate::Connection::to("b:1") };
    assert!(!format!("{connection:?}").contains("hunter2"));
}

#[test]
fn tls_and_every_sasl_mechanism_are_built_in() {
    validate(&one("sasl.oauthbearer.method", "oidc"), Reader::Both).expect("tokens of a provider");
    let said = refusal("sasl.oauthbearer.method", "odic", Reader::Both);
    assert!(said.contains("oidc"), "{said}");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
        let mut properties = one("sasl.mechanism", mechanism);
        properties.extend(one("security.protocol", "SASL_SSL"));
        validate(&properties, Reader::Both).expect(mechanism);
    }
}

#[test]
fn what_this_build_leaves_out_is_said_plainly() {
    let said = refusal("sasl.oauthbearer.extensions", "logicalCluster=lkc-1", Reader::Both);
    assert!(said.contains("libcurl"), "{said}");
}

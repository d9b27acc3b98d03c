//! Tokens for SASL/OAUTHBEARER from an OpenID Connect provider: the client-credentials grant (RFC 6749, section 4.4).
//!
//! librdkafka fetches such tokens itself only where it is built with libcurl, which needs more than a C compiler. Here the
//! same properties are read instead, the token is fetched over the TLS that is linked anyway, and librdkafka is handed the
//! result. What is not done here is refused by name, never ignored.

use crate::{Error, Properties};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rdkafka::client::OAuthToken;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

const METHOD: &str = "sasl.oauthbearer.method";
const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
const CLIENT_ID: [&str; 2] = ["sasl.oauthbearer.client.id", "sasl.oauthbearer.client.credentials.client.id"];
const CLIENT_SECRET: [&str; 2] =
    ["sasl.oauthbearer.client.secret", "sasl.oauthbearer.client.credentials.client.secret"];
const SCOPE: &str = "sasl.oauthbearer.scope";
const CA_FILE: &str = "https.ca.location";
const CA_PEM: &str = "https.ca.pem";
/// Read here, so librdkafka never sees them.
const OURS: [&str; 9] =
    [METHOD, ENDPOINT, CLIENT_ID[0], CLIENT_ID[1], CLIENT_SECRET[0], CLIENT_SECRET[1], SCOPE, CA_FILE, CA_PEM];

/// The client polls while it waits for its token, so a dead provider must not hold it for long; librdkafka asks again.
const PATIENCE: Duration = Duration::from_secs(5);
/// A token is some kilobytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Where tokens come from, and who asks.
#[derive(Clone)]
pub(crate) struct Oidc {
    endpoint: String,
    client_id: String,
    client_secret: String,
    scope: Option<String>,
    authorities: Option<Arc<Vec<Certificate<'static>>>>,
}

/// Is the property read here instead of by librdkafka?
pub(crate) fn is_ours(name: &str) -> bool {
    OURS.contains(&name)
}

/// What librdkafka would say of a value of one of the properties that are read here.
pub(crate) fn validate(name: &str, value: &str) -> Result<(), String> {
    match name {
        METHOD if !matches!(value, "oidc" | "default") => Err(format!("`{value}` is neither `oidc` nor `default`")),
        ENDPOINT if !value.starts_with("https://") && !value.starts_with("http://") => {
            Err("it is a URL and begins with https://".to_owned())
        }
        _ if value.is_empty() => Err("it is empty".to_owned()),
        _ => Ok(()),
    }
}

impl Oidc {
    /// The source of tokens that the properties ask for; `None` without `sasl.oauthbearer.method=oidc`.
    ///
    /// # Errors
    /// [`Error::Property`] for one that is missing, or whose certificates cannot be read.
    pub(crate) fn of(properties: &Properties) -> Result<Option<Arc<Oidc>>, Error> {
        let get = |names: &[&str]| names.iter().find_map(|name| properties.get(*name)).cloned();
        if get(&[METHOD]).as_deref() != Some("oidc") {
            return Ok(None);
        }
        let need = |names: &[&str]| {
            let missing = || refuse(names[0], "`sasl.oauthbearer.method=oidc` needs it");
            get(names).filter(|value| !value.is_empty()).ok_or_else(missing)
        };
        Ok(Some(Arc::new(Oidc {
            endpoint: need(&[ENDPOINT])?,
            client_id: need(&CLIENT_ID)?,
            client_secret: need(&CLIENT_SECRET)?,
            scope: get(&[SCOPE]),
            authorities: authorities(properties)?.map(Arc::new),
        })))
    }

    /// A fresh token.
    ///
    /// # Errors
    /// In words: the provider cannot be reached, refuses, or answers with something that is no token.
    pub(crate) fn token(&self) -> Result<OAuthToken, String> {
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            form += "&scope=";
            form += &encoded(scope);
        }
        let login = STANDARD.encode(format!("{}:{}", encoded(&self.client_id), encoded(&self.client_secret)));
        let request = self.agent().post(&self.endpoint);
        let request = request.header("authorization", format!("Basic {login}")).header("accept", "application/json");
        let answer = request.content_type("application/x-www-form-urlencoded").send(form.as_bytes());
        let at = |why: String| format!("the token endpoint {} {why}", self.endpoint);
        let mut answer = answer.map_err(|error| at(format!("cannot be asked: {error}")))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| at(format!("did not answer in full: {error}")))?;
        if status != 200 {
            return Err(at(format!("answered {status}: {}", said(&body))));
        }
        let answer: Value =
            serde_json::from_slice(&body).map_err(|_| at("answered something else than JSON".into()))?;
        let token = answer["access_token"].as_str().ok_or_else(|| at("answered without an `access_token`".into()))?;
        self.read(token, answer["expires_in"].as_u64()).map_err(at)
    }

    /// Whose token it is and how long it holds: from its claims if it is a JWT, else from what the endpoint says.
    fn read(&self, token: &str, expires_in_s: Option<u64>) -> Result<OAuthToken, String> {
        let claims = claims(token).unwrap_or_default();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let expires_s = claims["exp"].as_f64().map(|seconds| seconds as u64);
        let expires_s = expires_s.or(expires_in_s.map(|left| now.as_secs().saturating_add(left)));
        let expires_s = expires_s.ok_or("gave a token that does not say when it expires (`exp` or `expires_in`)")?;
        if expires_s <= now.as_secs() {
            return Err("gave a token that has expired already: are the clocks right?".to_owned());
        }
        let principal_name = claims["sub"].as_str().unwrap_or(&self.client_id).to_owned();
        let lifetime_ms = i64::try_from(expires_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Ok(OAuthToken { token: token.to_owned(), principal_name, lifetime_ms })
    }

    fn agent(&self) -> ureq::Agent {
        let roots = self.authorities.clone().map_or(RootCerts::PlatformVerifier, RootCerts::Specific);
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let config = ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(PATIENCE));
        config.http_status_as_error(false).max_redirects(0).build().new_agent()
    }
}

fn refuse(name: &str, reason: &str) -> Error {
    Error::Property { name: name.to_owned(), reason: reason.to_owned() }
}

/// The authorities that sign the endpoint's certificate, if they are not the system's.
fn authorities(properties: &Properties) -> Result<Option<Vec<Certificate<'static>>>, Error> {
    let (name, pem) = match (properties.get(CA_PEM), properties.get(CA_FILE)) {
        (Some(pem), _) => (CA_PEM, pem.clone().into_bytes()),
        (None, Some(path)) => {
            let pem = std::fs::read(path);
            (CA_FILE, pem.map_err(|error| refuse(CA_FILE, &format!("`{path}` cannot be read: {error}")))?)
        }
        (None, None) => return Ok(None),
    };
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(refuse(name, "there is no PEM certificate in it"));
    }
    Ok(Some(certificates))
}

/// The claims of a JWT, unverified: the broker verifies, we only want to know when to ask again.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

/// The provider's own words (RFC 6749, section 5.2), or the beginning of its answer.
fn said(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = [&answer["error"], &answer["error_description"]];
    let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
    if words.is_empty() { String::from_utf8_lossy(body).chars().take(200).collect() } else { words.join(": ") }
}

/// `application/x-www-form-urlencoded`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Properties {
        let pairs = [
            (METHOD, "oidc"),
            (ENDPOINT, "https://login.example/token"),
            (CLIENT_ID[0], "stopbank"),
            (CLIENT_SECRET[0], "s e:cret"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn token(claims: &str) -> String {
        format!("{}.{}.", URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn without_the_method_nothing_is_fetched_and_with_it_nothing_may_be_missing() {
        assert!(Oidc::of(&Properties::new()).expect("nothing is asked").is_none());
        for missing in [ENDPOINT, CLIENT_ID[0], CLIENT_SECRET[0]] {
            let mut properties = asked();
            properties.remove(missing);
            let refused = Oidc::of(&properties).err().expect("something is missing");
            assert!(refused.to_string().contains(missing), "{refused}");
        }
    }

    #[test]
    fn a_token_says_whose_it_is_and_when_it_ends_or_the_endpoint_does() {
        let oidc = Oidc::of(&asked()).expect("complete").expect("asked for");
        let read = oidc.read(&token("{\"sub\":\"svc\",\"exp\":4102444800.5}"), None).expect("it is a token");
        assert_eq!((read.principal_name.as_str(), read.lifetime_ms), ("svc", 4_102_444_800_000));
        let opaque = oidc.read("opaque", Some(60)).expect("the endpoint says how long");
        assert_eq!(opaque.principal_name, "stopbank");
        assert!(oidc.read("opaque", None).is_err_and(|why| why.contains("expires")));
        assert!(oidc.read(&token("{\"exp\":1}"), None).is_err_and(|why| why.contains("clocks")));
    }

    #[test]
    fn names_and_secrets_are_encoded_as_the_standard_asks() {
        assert_eq!(encoded("s e:c/ret~1"), "s%20e%3Ac%2Fret~1");
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let mut properties = asked();
        properties.insert(CA_PEM.to_owned(), "no certificate".to_owned());
        assert!(Oidc::of(&properties).is_err_and(|error| error.to_string().contains(CA_PEM)));
    }
}

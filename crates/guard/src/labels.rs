//! What a request says of itself, and how that is carried on: headers of our own, W3C baggage, and the deadlines that
//! gRPC and Envoy already send.

use admission::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Criticality, NameId, Span};
use std::cell::Cell;

/// The class, as `CRITICAL` and so on.
pub const CRITICALITY: HeaderName = HeaderName::from_static("stopbank-criticality");
/// The user cohort, 0 to 127.
pub const COHORT: HeaderName = HeaderName::from_static("stopbank-cohort");
/// How long the client will still wait, milliseconds from now: no clock has to agree.
pub const TIMEOUT_MS: HeaderName = HeaderName::from_static("stopbank-timeout-ms");
/// The try's number; 1 is the first.
pub const ATTEMPT: HeaderName = HeaderName::from_static("stopbank-attempt");

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const ENVOY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// A request's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// How bad it is to refuse it, if it says so.
    pub criticality: Option<Criticality>,
    /// The user cohort, if it says so.
    pub cohort: Option<u8>,
    /// When nobody waits for the answer any more, Unix milliseconds.
    pub deadline_ms: Option<u64>,
    /// The try's number; 1 is the first.
    pub attempt: u32,
}

impl Default for Labels {
    fn default() -> Labels {
        Labels { criticality: None, cohort: None, deadline_ms: None, attempt: 1 }
    }
}

impl Labels {
    /// Reads the labels of a request that came at `now_ms`. Headers come before baggage; of several deadlines the
    /// earliest counts.
    pub fn read(headers: &HeaderMap, now_ms: u64) -> Labels {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let member = |name: &str| headers.get_all(BAGGAGE).iter().find_map(|value| baggage(value.to_str().ok()?, name));
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        let timeouts = [
            number(text(&TIMEOUT_MS)),
            number(text(&ENVOY_TIMEOUT)).filter(|timeout_ms| *timeout_ms > 0),
            text(&GRPC_TIMEOUT).and_then(grpc_timeout_ms),
        ];
        let relative = timeouts.into_iter().flatten().map(|timeout_ms| now_ms.saturating_add(timeout_ms)).min();
        let cohort = number(text(&COHORT)).or_else(|| number(member("stopbank.cohort")));
        let attempt = number(text(&ATTEMPT)).map_or(1, |attempt| attempt.clamp(1, 255) as u32);
        Labels {
            criticality: text(&CRITICALITY).or_else(|| member("stopbank.criticality")).and_then(Criticality::parse),
            cohort: cohort.filter(|cohort| *cohort < 128).map(|cohort| cohort as u8),
            deadline_ms: relative.or_else(|| number(member("stopbank.deadline_ms"))),
            attempt,
        }
    }

    /// Writes the labels into an outgoing request, as headers for the next hop and as baggage for hops that do not know
    /// them. Whatever labels stood there are replaced; other members of the baggage stay.
    pub fn write(&self, headers: &mut HeaderMap, now_ms: u64) {
        let mut members = Vec::new();
        let mut put = |name: HeaderName, member: Option<&str>, value: Option<String>| {
            headers.remove(&name);
            let Some(value) = value else { return };
            if let Some(member) = member {
                members.push(format!("{member}={value}"));
            }
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        let class = self.criticality.map(|class| class.as_str().to_owned());
        put(CRITICALITY, Some("stopbank.criticality"), class);
        put(COHORT, Some("stopbank.cohort"), self.cohort.map(|cohort| cohort.to_string()));
        let left_ms = self.deadline_ms.map(|deadline_ms| deadline_ms.saturating_sub(now_ms).to_string());
        put(TIMEOUT_MS, None, left_ms);
        put(ATTEMPT, None, (self.attempt > 1).then(|| self.attempt.to_string()));
        members.extend(self.deadline_ms.map(|deadline_ms| format!("stopbank.deadline_ms={deadline_ms}")));
        let others = headers.get_all(BAGGAGE).iter().filter_map(|value| value.to_str().ok());
        let others = others.flat_map(|value| value.split(',')).map(str::trim);
        let others = others.filter(|member| !member.is_empty() && !member.starts_with("stopbank."));
        let all: Vec<&str> = others.chain(members.iter().map(String::as_str)).collect();
        match HeaderValue::try_from(all.join(",")) {
            Ok(value) if !all.is_empty() => {
                headers.insert(BAGGAGE, value);
            }
            _ => {
                headers.remove(BAGGAGE);
            }
        }
    }

    /// Takes every label out of a request: what comes from outside the fleet is not believed.
    pub fn strip(headers: &mut HeaderMap) {
        let deadline = [CRITICALITY, COHORT, ATTEMPT];
        deadline.iter().for_each(|name| drop(headers.remove(name)));
        Labels::default().write(headers, 0);
    }

    /// The labels of the request that the calling task is serving inside of a [`crate::GuardLayer`], or the default. Not
    /// known in tasks that it spawned: hand them on yourself.
    pub fn current() -> Labels {
        CURRENT.with(Cell::get).unwrap_or_default()
    }

    /// What admission is asked. `operation` may be [`NameId::NONE`], `spread` is any number that differs between requests.
    pub fn request(&self, operation: NameId, spread: u64) -> Request {
        Request {
            criticality: self.criticality.unwrap_or_default(),
            cohort: self.cohort.unwrap_or(Span::COHORT_UNKNOWN),
            operation,
            spread,
            deadline_ms: self.deadline_ms,
            ..Request::default()
        }
    }
}

thread_local! {
    static CURRENT: Cell<Option<Labels>> = const { Cell::new(None) };
}

/// Runs `poll` with these labels as the current ones.
pub(crate) fn with_current<T>(labels: Labels, poll: impl FnOnce() -> T) -> T {
    struct Restore(Option<Labels>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.with(|current| current.set(self.0));
        }
    }
    let _restore = Restore(CURRENT.with(|current| current.replace(Some(labels))));
    poll()
}

/// A member's value in a baggage header: `name=value;property, …`.
fn baggage<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header.split(',').find_map(|member| {
        let (key, value) = member.split_once('=')?;
        (key.trim() == name).then(|| value.split(';').next().unwrap_or_default().trim())
    })
}

/// gRPC over HTTP/2: up to eight digits and a unit.
fn grpc_timeout_ms(text: &str) -> Option<u64> {
    let digits = text.get(..text.len().checked_sub(1)?)?;
    let value: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match text.as_bytes().last()? {
        b'H' => value * 3_600_000,
        b'M' => value * 60_000,
        b'S' => value * 1000,
        b'm' => value,
        b'u' => value / 1000,
        b'n' => value / 1_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

//! What a request says of itself, and how that is carried on: headers of our own, W3C baggage, and the deadlines that
//! gRPC and Envoy already send.

use admission::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Criticality, NameId, Span};
use std::cell::Cell;
use std::fmt::Write as _;

/// The class, as `CRITICAL` and so on.
pub const CRITICALITY: HeaderName = HeaderName::from_static("stopbank-criticality");
/// The user cohort, 0 to 127.
pub const COHORT: HeaderName = HeaderName::from_static("stopbank-cohort");
/// How long the client will still wait, milliseconds from now: no clock has to agree.
pub const TIMEOUT_MS: HeaderName = HeaderName::from_static("stopbank-timeout-ms");
/// The try's number; 1 is the first.
pub const ATTEMPT: HeaderName = HeaderName::from_static("stopbank-attempt");

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// Our members are no longer than this, so that others seldom make the text grow.
const BAGGAGE_USUAL: usize = 128;

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
        let (mut said, mut carried) = (Labels::default(), Labels::default());
        // one pass costs less than looking up seven names, most of which are not there
        for (name, value) in headers {
            let read: fn(&mut Labels, &str, u64) = match name.as_str() {
                "stopbank-criticality" => |said, text, _| keep(&mut said.criticality, Criticality::parse(text)),
                "stopbank-cohort" => |said, text, _| keep(&mut said.cohort, cohort(text)),
                "stopbank-attempt" => |said, text, _| said.attempt = number(text).unwrap_or(1).clamp(1, 255) as u32,
                "stopbank-timeout-ms" => |said, text, now_ms| said.ends(now_ms, number(text)),
                "grpc-timeout" => |said, text, now_ms| said.ends(now_ms, grpc_timeout_ms(text)),
                "x-envoy-expected-rq-timeout-ms" => {
                    |said, text, now_ms| said.ends(now_ms, number(text).filter(|timeout_ms| *timeout_ms > 0))
                }
                "baggage" => {
                    carried.read_baggage(value.to_str().unwrap_or_default());
                    continue;
                }
                _ => continue,
            };
            if let Ok(text) = value.to_str() {
                read(&mut said, text.trim(), now_ms);
            }
        }
        Labels {
            criticality: said.criticality.or(carried.criticality),
            cohort: said.cohort.or(carried.cohort),
            deadline_ms: said.deadline_ms.or(carried.deadline_ms),
            attempt: said.attempt,
        }
    }

    fn read_baggage(&mut self, header: &str) {
        for member in header.split(',') {
            let Some((key, value)) = member.split_once('=') else { continue };
            let value = value.split(';').next().unwrap_or_default().trim();
            match key.trim() {
                "stopbank.criticality" => keep(&mut self.criticality, Criticality::parse(value)),
                "stopbank.cohort" => keep(&mut self.cohort, cohort(value)),
                "stopbank.deadline_ms" => keep(&mut self.deadline_ms, number(value)),
                _ => {}
            }
        }
    }

    /// One more word on when the client's patience ends: the earliest counts.
    fn ends(&mut self, now_ms: u64, timeout_ms: Option<u64>) {
        let Some(timeout_ms) = timeout_ms else { return };
        let deadline_ms = now_ms.saturating_add(timeout_ms);
        self.deadline_ms = Some(self.deadline_ms.map_or(deadline_ms, |known_ms| known_ms.min(deadline_ms)));
    }

    /// Writes the labels into an outgoing request, as headers for the next hop and as baggage for hops that do not know
    /// them. Whatever labels stood there are replaced; other members of the baggage stay.
    pub fn write(&self, headers: &mut HeaderMap, now_ms: u64) {
        let mut put = |name: HeaderName, value: Option<HeaderValue>| match value {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        };
        put(CRITICALITY, self.criticality.map(|class| HeaderValue::from_static(class.as_str())));
        put(COHORT, self.cohort.map(|cohort| HeaderValue::from(u16::from(cohort))));
        put(TIMEOUT_MS, self.deadline_ms.map(|deadline_ms| HeaderValue::from(deadline_ms.saturating_sub(now_ms))));
        put(ATTEMPT, (self.attempt > 1).then(|| HeaderValue::from(self.attempt)));
        let all = self.baggage(headers);
        match HeaderValue::try_from(all) {
            Ok(value) if !value.is_empty() => drop(headers.insert(BAGGAGE, value)),
            _ => drop(headers.remove(BAGGAGE)),
        }
    }

    /// The baggage of others that stands there, and ours.
    fn baggage(&self, headers: &HeaderMap) -> String {
        let mut all = String::with_capacity(BAGGAGE_USUAL);
        let mut member = |text: std::fmt::Arguments<'_>| {
            let comma = if all.is_empty() { "" } else { "," };
            // writing to a string cannot fail
            let _ = write!(all, "{comma}{text}");
        };
        let others = headers.get_all(BAGGAGE).iter().filter_map(|value| value.to_str().ok());
        for other in others.flat_map(|value| value.split(',')).map(str::trim) {
            if !other.is_empty() && !other.starts_with("stopbank.") {
                member(format_args!("{other}"));
            }
        }
        if let Some(class) = self.criticality {
            member(format_args!("stopbank.criticality={}", class.as_str()));
        }
        if let Some(cohort) = self.cohort {
            member(format_args!("stopbank.cohort={cohort}"));
        }
        if let Some(deadline_ms) = self.deadline_ms {
            member(format_args!("stopbank.deadline_ms={deadline_ms}"));
        }
        all
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

/// The first word counts.
fn keep<T>(known: &mut Option<T>, said: Option<T>) {
    if known.is_none() {
        *known = said;
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn cohort(text: &str) -> Option<u8> {
    text.parse().ok().filter(|cohort| *cohort < 128)
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

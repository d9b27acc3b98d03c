//! What agents add to every span beside what matters here: it makes spans as long as real ones, and costs their readers.

use telemetry::emit::{Attribute, Value};

/// About what a span has without filling, protobuf bytes.
const BARE_BYTES: usize = 230;

/// In the order in which they are added, with about the protobuf bytes of each.
const AGENT: [(usize, &str, Value<'static>); 6] = [
    (25, "url.scheme", Value::Str("http")),
    (35, "network.protocol.version", Value::Str("1.1")),
    (18, "thread.id", Value::Int(42)),
    (42, "thread.name", Value::Str("http-nio-8080-exec-7")),
    (82, "user_agent.original", Value::Str("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")),
    (48, "client.address", Value::Str("2001:db8:85a3::8a2e:370:7334")),
];

/// Attributes that are the same on every span.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    agent: usize,
    stack: String,
}

impl Filling {
    /// Fills spans up to about `span_bytes`.
    pub(crate) fn new(span_bytes: usize) -> Filling {
        let mut left = span_bytes.saturating_sub(BARE_BYTES);
        let mut agent = 0;
        for (bytes, _, _) in AGENT {
            if left < bytes {
                break;
            }
            left -= bytes;
            agent += 1;
        }
        // Frames of a stack: text that compresses like text.
        let frame =
            |number: usize| format!("\tat com.example.shop.Handler.step{number}(Handler.java:{})\n", number * 17);
        let stack = (0..).map(frame).scan(left, |left, frame| {
            *left = left.checked_sub(frame.len())?;
            Some(frame)
        });
        Filling { agent, stack: stack.collect() }
    }

    pub(crate) fn add<'a>(&'a self, out: &mut Vec<Attribute<'a>>) {
        out.extend(AGENT[..self.agent].iter().map(|(_, key, value)| (*key, *value)));
        if !self.stack.is_empty() {
            out.push(("code.stacktrace", Value::Str(&self.stack)));
        }
    }
}

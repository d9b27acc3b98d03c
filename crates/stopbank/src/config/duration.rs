//! A length of time as people write it: `500ms`, `15s`, `5m`, `2h`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time with its unit; a bare number is refused, because nobody can see its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Length(Duration);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Length {
    pub(crate) const fn from_ms(ms: u64) -> Length {
        Length(Duration::from_millis(ms))
    }

    pub(crate) const fn from_secs(seconds: u64) -> Length {
        Length(Duration::from_secs(seconds))
    }

    pub(crate) fn duration(self) -> Duration {
        self.0
    }

    pub(crate) fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Length, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let Ok(number) = number.parse::<f64>() else {
            return Err(format!("`{text}` is no length of time; write for example \"500ms\", \"15s\" or \"5m\""));
        };
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit; write \"{text}ms\" or \"{text}s\""));
        }
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, ms)) = known else {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "sec" | "secs" | "second" | "seconds" => "s",
                "min" | "mins" | "minute" | "minutes" => "m",
                "hour" | "hours" => "h",
                "day" | "days" => "d",
                _ => "ms",
            };
            return Err(format!("`{unit}` is no unit of time (ms, s, m, h, d); did you mean \"{number}{meant}\"?"));
        };
        let ms = number * *ms as f64;
        if ms > 1e15 {
            return Err(format!("`{text}` is too long"));
        }
        Ok(Length(Duration::from_millis(ms.round() as u64)))
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Length, String> {
        text.parse()
    }
}

impl From<Length> for String {
    fn from(length: Length) -> String {
        length.to_string()
    }
}

/// The largest unit that gives a whole number.
impl fmt::Display for Length {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.ms();
        let (unit, size) = UNITS.iter().rev().find(|(_, size)| ms > 0 && ms.is_multiple_of(*size)).unwrap_or(&UNITS[0]);
        write!(out, "{}{unit}", ms / size)
    }
}

#[cfg(test)]
mod tests {
    use super::Length;

    #[test]
    fn lengths_are_written_with_their_unit() {
        for text in ["250ms", "15s", "5m", "2h", "1d", "0ms"] {
            assert_eq!(text.parse::<Length>().unwrap().to_string(), text);
        }
        assert_eq!("1.5s".parse::<Length>().unwrap().ms(), 1500);
    }

    #[test]
    fn a_wrong_unit_is_named_with_what_was_meant() {
        assert!("15".parse::<Length>().unwrap_err().contains("15s"));
        assert!("15 seconds".parse::<Length>().unwrap_err().contains("\"15s\""));
        assert!("soon".parse::<Length>().unwrap_err().contains("500ms"));
    }
}

//! Key files, parsed and written as text; whoever reads the file does the IO.
//!
//! A seed file holds one line `seed <64 hex digits>`. A keyring file holds one line for each public key:
//! `key <64 hex digits> role=engine|operator[,…] [targets="cart,front->*"] [from=TIME] [until=TIME]`, where a time is
//! RFC 3339 or Unix milliseconds. Empty lines and what follows a `#` at the start of a word are ignored.

use crate::keys::{hex, unhex32};
use crate::{Key, KeyError, Keyring, Role, Signer, TargetPattern, parse_rfc3339_ms};
use thiserror::Error;

/// Why a key file cannot be read. Never quotes the line: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// A line is not understood.
    #[error("line {line}: {why}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong and what should stand there.
        why: String,
    },
    /// There is not exactly one seed.
    #[error("expected exactly one line `seed <64 hex digits>`, found {found}: write one with `stopbank keygen`")]
    Seeds {
        /// How many there are.
        found: usize,
    },
}

/// The seed of a seed file.
///
/// # Errors
/// A line is not understood, or there is not exactly one seed.
pub fn parse_seed(text: &str) -> Result<[u8; 32], KeyFileError> {
    let mut seeds = Vec::new();
    for (line, words) in lines(text)? {
        let seed = match words.as_slice() {
            [name, digits] if name == "seed" => unhex32(digits),
            _ => None,
        };
        seeds.push(seed.ok_or_else(|| wrong(line, "expected `seed <64 hex digits>`"))?);
    }
    match seeds.as_slice() {
        [seed] => Ok(*seed),
        _ => Err(KeyFileError::Seeds { found: seeds.len() }),
    }
}

/// The keys of a keyring file.
///
/// # Errors
/// A line is not understood, or a key is weak or malformed.
pub fn parse_keyring(text: &str) -> Result<Keyring, KeyFileError> {
    let mut keyring = Keyring::new();
    for (line, words) in lines(text)? {
        keyring.add(key(line, &words)?).map_err(|why: KeyError| wrong(line, &why.to_string()))?;
    }
    Ok(keyring)
}

/// A seed file for `seed`.
pub fn seed_file(seed: &[u8; 32]) -> String {
    let id = Signer::from_seed(*seed).key_id();
    format!("# stopbank private key {id}: keep it secret, mode 0600\nseed {}\n", hex(seed))
}

/// A keyring line for a key of one role and every target.
pub fn public_key_line(public: &[u8; 32], role: Role) -> String {
    let role = match role {
        Role::Engine => "engine",
        Role::Operator => "operator",
    };
    format!("key {} role={role}\n", hex(public))
}

fn key(line: usize, words: &[String]) -> Result<Key, KeyFileError> {
    let expected = "expected `key <64 hex digits> role=engine|operator [targets=…] [from=…] [until=…]`";
    let [name, digits, settings @ ..] = words else { return Err(wrong(line, expected)) };
    let public = unhex32(digits).filter(|_| name == "key").ok_or_else(|| wrong(line, expected))?;
    let mut key = Key { roles: Vec::new(), ..Key::new(public, Role::Engine) };
    for setting in settings {
        let Some((name, value)) = setting.split_once('=') else { return Err(wrong(line, expected)) };
        match name {
            "role" => key.roles = value.split(',').map(|role| parse_role(line, role)).collect::<Result<_, _>>()?,
            "targets" => key.targets = value.split(',').map(|text| TargetPattern::parse(text.trim())).collect(),
            "from" => key.from_ms = parse_time(line, value)?,
            "until" => key.until_ms = parse_time(line, value)?,
            _ => return Err(wrong(line, &format!("unknown setting {name:?}; known are role, targets, from, until"))),
        }
    }
    if key.roles.is_empty() {
        return Err(wrong(line, "role= is missing: role=engine signs commands, role=operator signs orders"));
    }
    Ok(key)
}

fn parse_role(line: usize, role: &str) -> Result<Role, KeyFileError> {
    match role {
        "engine" => Ok(Role::Engine),
        "operator" => Ok(Role::Operator),
        _ => Err(wrong(line, "a role is engine or operator")),
    }
}

fn parse_time(line: usize, text: &str) -> Result<u64, KeyFileError> {
    let time_ms = parse_rfc3339_ms(text).or_else(|| text.parse().ok());
    time_ms.ok_or_else(|| wrong(line, "a time is RFC 3339 (2026-01-01T00:00:00Z) or Unix milliseconds"))
}

fn wrong(line: usize, why: &str) -> KeyFileError {
    KeyFileError::Line { line, why: why.to_owned() }
}

/// The words of each line that has any, with the line's number. Double quotes hold blanks together.
fn lines(text: &str) -> Result<Vec<(usize, Vec<String>)>, KeyFileError> {
    let mut lines = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let (mut words, mut word, mut in_quotes) = (Vec::new(), None::<String>, false);
        for c in text.chars() {
            match c {
                '#' if !in_quotes && word.is_none() => break,
                '"' => {
                    in_quotes = !in_quotes;
                    word.get_or_insert_default();
                }
                c if c.is_whitespace() && !in_quotes => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        if in_quotes {
            return Err(wrong(line, "a quote is not closed"));
        }
        words.extend(word);
        if !words.is_empty() {
            lines.push((line, words));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;

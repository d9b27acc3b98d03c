//! A span's name to an operation: what differs from call to call becomes `{id}`.
//!
//! Numbers, hex, UUIDs, long random words, quoted literals, path segments that cannot be a word, query strings. What
//! is already a placeholder (`{id}`, `:id`, `<int:pk>`) stays. One pass; pinned by the table in the tests, because
//! operations are keys.

const HOLE: &str = "{id}";

/// Writes the template of `name` to `out`, which is emptied first.
pub(crate) fn template(name: &str, out: &mut String) {
    out.clear();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' if !out.ends_with(|last: char| last.is_alphanumeric()) => quoted(rest, first, out),
            '{' => placeholder(rest, '}', out),
            '<' => placeholder(rest, '>', out),
            '?' if in_a_path(out) => rest.find(char::is_whitespace).unwrap_or(rest.len()),
            '/' => segment(rest, out),
            _ if is_word(first) => {
                let end = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
                word(&rest[..end], out);
                end
            }
            _ if first.is_whitespace() => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
                first.len_utf8()
            }
            _ => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[end..];
        fold_lists(out);
    }
    out.truncate(out.trim_end().len());
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

/// Is the last word one with a slash, so that a `?` begins a query string?
fn in_a_path(out: &str) -> bool {
    out.rsplit(char::is_whitespace).next().is_some_and(|last| last.contains('/'))
}

/// A quoted literal; a quote that is never closed stays.
fn quoted(rest: &str, quote: char, out: &mut String) -> usize {
    match rest[1..].find(quote) {
        Some(length) => {
            hole(out);
            length + 2
        }
        None => {
            out.push(quote);
            1
        }
    }
}

/// A placeholder is copied; an opening sign that is never closed too.
fn placeholder(rest: &str, closing: char, out: &mut String) -> usize {
    let end = match rest.find(|next: char| next == closing || next.is_whitespace() || next == '/') {
        Some(end) if rest[end..].starts_with(closing) => end + 1,
        _ => 1,
    };
    out.push_str(&rest[..end]);
    end
}

/// A slash and, if the segment after it can be no word of a route, its hole.
fn segment(rest: &str, out: &mut String) -> usize {
    out.push('/');
    let inner = &rest[1..];
    let end = inner.find(|next: char| matches!(next, '/' | '?') || next.is_whitespace()).unwrap_or(inner.len());
    let segment = &inner[..end];
    let foreign = segment.len() > 48 || segment.contains(['@', '%', '=', ',', ';', '+', '~']);
    if foreign && !segment.contains(['{', '<']) {
        hole(out);
        return 1 + end;
    }
    1
}

/// A word: letters, digits, `-`, `_` and `.`; its parts are judged one by one unless the whole is an id.
fn word(word: &str, out: &mut String) {
    if is_uuid(word) || is_number(word) {
        return hole(out);
    }
    let mut part_start = 0;
    for (index, letter) in word.char_indices() {
        if matches!(letter, '-' | '_' | '.') {
            part(&word[part_start..index], out);
            out.push(letter);
            part_start = index + letter.len_utf8();
        }
    }
    part(&word[part_start..], out);
}

fn part(part: &str, out: &mut String) {
    if part.is_empty() {
        return;
    }
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return out.push_str(part);
    }
    let hex = part.strip_prefix("0x").unwrap_or(part);
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits == part.len() || is_hex && (hex.len() >= 8 || hex.len() < part.len()) || is_random(part) {
        return hole_after_hole(out);
    }
    let stem = part.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if part.len() - stem.len() >= 4 {
        out.push_str(stem);
        return out.push_str(HOLE);
    }
    out.push_str(part);
}

/// Letters and digits that change places often make no word.
fn is_random(part: &str) -> bool {
    let changes =
        part.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    part.len() >= 10 && changes >= 4
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_number(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_'))
}

fn hole(out: &mut String) {
    out.push_str(HOLE);
}

/// `1-2-3` is one hole, not three.
fn hole_after_hole(out: &mut String) {
    for joint in ['-', '_', '.'] {
        if out.ends_with(joint) && out[..out.len() - 1].ends_with(HOLE) {
            out.pop();
            return;
        }
    }
    hole(out);
}

/// `{id}, {id}` is `{id}`: lists of literals differ in their length only.
fn fold_lists(out: &mut String) {
    for joint in [", ", ","] {
        if let Some(before) = out.strip_suffix(HOLE).and_then(|out| out.strip_suffix(joint))
            && before.ends_with(HOLE)
        {
            out.truncate(before.len());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_call_to_call_becomes_a_hole() {
        for (name, wanted) in [
            ("GET /api/v1/cart/{id}", "GET /api/v1/cart/{id}"),
            ("GET /users/12345/orders/7", "GET /users/{id}/orders/{id}"),
            ("GET /users/:id", "GET /users/:id"),
            ("GET /users/<int:pk>/", "GET /users/<int:pk>/"),
            ("/v2/items/550e8400-e29b-41d4-a716-446655440000", "/v2/items/{id}"),
            ("GET /search?q=red+shoes&page=3", "GET /search"),
            ("GET /search?q=1 HTTP", "GET /search HTTP"),
            ("GET /mail/bob@example.com/inbox", "GET /mail/{id}/inbox"),
            ("GET /files/a%20b", "GET /files/{id}"),
            (
                "SELECT * FROM users WHERE name = 'bob' AND age > 42",
                "SELECT * FROM users WHERE name = {id} AND age > {id}",
            ),
            ("SELECT * FROM t WHERE id IN (1, 2, 3)", "SELECT * FROM t WHERE id IN ({id})"),
            ("SELECT * FROM t WHERE id IN (1,2,3,4)", "SELECT * FROM t WHERE id IN ({id})"),
            ("UPDATE t\n  SET a='x'", "UPDATE t SET a={id}"),
            ("hipstershop.ProductCatalogService/GetProduct", "hipstershop.ProductCatalogService/GetProduct"),
            ("frontend-7c9f8d7b9c-x2x9k", "frontend-{id}-x2x9k"),
            ("worker_3", "worker_{id}"),
            ("job 2024-01-02", "job {id}"),
            ("job-2024-01-02", "job-{id}"),
            ("user12345", "user{id}"),
            ("k8s http2 sha256 v1 s3 base64", "k8s http2 sha256 v1 s3 base64"),
            ("0xdeadbeef 0xdeadbee1", "{id} {id}"),
            ("block 0x1f", "block {id}"),
            ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace {id}"),
            ("key a8Xk29sLq0PzT1bc", "key {id}"),
            ("http://10.0.3.17:8080/x", "http://{id}:{id}/x"),
            ("user's cart", "user's cart"),
            ("it ends with 'a quote", "it ends with 'a quote"),
            ("Grüße 5 äöü", "Grüße {id} äöü"),
            ("{broken", "{broken"),
            ("  spaced   out  ", "spaced out"),
            ("", ""),
        ] {
            let mut out = String::from("left over");
            template(name, &mut out);
            assert_eq!(out, wanted, "{name}");
        }
    }

    #[test]
    fn a_template_is_its_own_template() {
        for name in ["GET /users/1/x", "a-1-2-3", "IN (1, 2)", "user12345.6789", "q '1' \"2\"", "/a/%20/{x}/<y>"] {
            let (mut once, mut twice) = (String::new(), String::new());
            template(name, &mut once);
            template(&once, &mut twice);
            assert_eq!(once, twice, "{name}");
        }
    }
}

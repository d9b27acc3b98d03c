//! Which targets a key is valid for.

use model::Target;

/// A glob over targets: `service`, `service:operation`, `caller->service` or `*` for everything; `*` stands for any text
/// and `?` for one character. Without an arrow it covers no edges, without an operation it covers all of them; the
/// narrowings of a target (version, zone, instance, share) make it smaller, so they are always covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPattern {
    caller: Option<String>,
    service: String,
    operation: Option<String>,
}

impl TargetPattern {
    /// Reads a pattern; any text is one.
    pub fn parse(text: &str) -> TargetPattern {
        let (caller, rest) = match text.split_once("->") {
            Some((caller, rest)) => (Some(caller.to_owned()), rest),
            None => (None, text),
        };
        let (service, operation) = match rest.split_once(':') {
            Some((service, operation)) => (service, Some(operation.to_owned())),
            None => (rest, None),
        };
        TargetPattern { caller, service: service.to_owned(), operation }
    }

    /// Is the target inside?
    pub fn covers(&self, target: &Target) -> bool {
        if self.caller.is_none() && self.operation.is_none() && self.service == "*" {
            return true;
        }
        let caller = match (&self.caller, &target.caller) {
            (None, None) => true,
            (Some(pattern), Some(caller)) => glob(pattern, caller),
            _ => false,
        };
        let operation = match (&self.operation, &target.operation) {
            (None, _) => true,
            (Some(pattern), Some(operation)) => glob(pattern, operation),
            (Some(pattern), None) => pattern == "*",
        };
        caller && operation && glob(&self.service, &target.service)
    }
}

/// Does `text` match the glob? Linear in both, by going back to the last star only.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, target: &Target) -> bool {
        TargetPattern::parse(pattern).covers(target)
    }

    #[test]
    fn a_pattern_covers_what_it_names_and_no_more() {
        let (service, operation) = (Target::service("cart"), Target::operation("cart", "GET /cart"));
        let edge = Target::edge("front", "cart");
        let table = [
            ("*", true, true, true),
            ("cart", true, true, false),
            ("c*", true, true, false),
            ("cart:GET *", false, true, false),
            ("front->cart", false, false, true),
            ("*->*", false, false, true),
            ("checkout", false, false, false),
        ];
        for (pattern, of_service, of_operation, of_edge) in table {
            let got = (covers(pattern, &service), covers(pattern, &operation), covers(pattern, &edge));
            assert_eq!(got, (of_service, of_operation, of_edge), "{pattern}");
        }
    }

    #[test]
    fn globs_go_back_to_the_last_star_only() {
        assert!(glob("a*b*c", "aXbYbZc"));
        assert!(!glob("a*b*c", "aXbYbZ"));
        assert!(glob("*", ""));
        assert!(!glob("?", ""));
        assert!(!glob(&"*a".repeat(40), &"a".repeat(39)), "linear, not exponential");
    }
}

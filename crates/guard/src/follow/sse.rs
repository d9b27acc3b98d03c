//! Server-sent events, as WHATWG's HTML has them: lines of `field: value`, an empty line ends an event.

/// An event's lines together are at most this long; a longer one is dropped.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) data: String,
}

/// Takes bytes as they come, gives events as they end.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    bytes: usize,
}

impl Parser {
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    events.extend(self.line(&String::from_utf8_lossy(line)));
                }
                _ if self.bytes <= EVENT_BYTES_MAX => {
                    self.bytes += 1;
                    self.line.push(*byte);
                }
                _ => {}
            }
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let whole = std::mem::take(&mut self.bytes) <= EVENT_BYTES_MAX;
            let event = std::mem::take(&mut self.event);
            return (std::mem::take(&mut self.has_data) && whole).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            // a comment keeps the connection alive, and nothing else
            "" => self.bytes = 0,
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        ": hello\n\nid: 3\nevent: command\ndata: {\"a\":\ndata: 1}\n\nretry: 5\n\ndata\n\r\nid: 9\r\ndata:x\r\n\r\n";

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let event = |id: Option<&str>, name: &str, data: &str| Event {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let wanted = [event(Some("3"), "command", "{\"a\":\n1}"), event(None, "", ""), event(Some("9"), "", "x")];
        for size in 1..TEXT.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> = TEXT.as_bytes().chunks(size).flat_map(|chunk| parser.feed(chunk)).collect();
            assert_eq!(events, wanted, "cut at every {size}");
        }
    }

    #[test]
    fn an_endless_event_takes_no_more_memory_than_the_largest_and_the_next_is_read() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"data: "), []);
        for _ in 0..300 {
            assert_eq!(parser.feed(&[b'a'; 16 * 1024]), []);
        }
        assert!(parser.line.len() <= EVENT_BYTES_MAX + 1);
        assert_eq!(parser.feed(b"\n\ndata: b\n\n").len(), 1);
    }
}

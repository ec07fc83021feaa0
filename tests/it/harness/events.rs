//! Server-sent events, as a client of the standard takes them (WHATWG HTML, section 9.2.6).

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// An event, which is dispatched.
    Event(Event),
    /// A comment, which browsers throw away.
    Comment(String),
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` where it has no name.
    pub(crate) name: String,
    pub(crate) data: String,
    /// The id that this event brought.
    pub(crate) id: Option<String>,
}

/// Takes bytes as they come, however they are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// A line that is not whole yet.
    line: Vec<u8>,
    /// Whether the last byte ended a line with CR: an LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    name: String,
    data: Vec<String>,
    id: Option<String>,
    /// What a browser comes back with.
    pub(crate) last_id: String,
    /// What was last asked for as the pause before coming back, in milliseconds.
    pub(crate) retry: Option<u64>,
}

impl Parser {
    /// What these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        for byte in bytes {
            match (byte, std::mem::take(&mut self.after_cr)) {
                (b'\n', true) => {}
                (b'\r' | b'\n', _) => {
                    self.after_cr = *byte == b'\r';
                    let line = String::from_utf8(std::mem::take(&mut self.line)).expect("events are UTF-8");
                    said.extend(self.line(&line));
                }
                (byte, _) => self.line.push(*byte),
            }
        }
        said
    }

    /// Whether nothing is half said.
    pub(crate) fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.data.is_empty() && self.name.is_empty()
    }

    fn line(&mut self, line: &str) -> Option<Said> {
        let line =
            if std::mem::replace(&mut self.begun, true) { line } else { line.trim_start_matches('\u{feff}') };
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => return Some(Said::Comment(value.to_owned())),
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push(value.to_owned()),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => self.retry = value.parse().ok(),
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Said> {
        let id = self.id.take();
        if let Some(id) = &id {
            self.last_id.clone_from(id);
        }
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.is_empty() {
            return None;
        }
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(Said::Event(Event { name, data: data.join("\n"), id }))
    }
}

#[test]
fn events_are_taken_as_the_standard_has_them_however_they_are_cut() {
    let text = "\u{feff}retry: 1500\n\n: a comment\n\nid: 7\ndata: one\ndata:two\r\ndata\r\rid\nevent: CLOSE\ndata:  x\n\n\
                event: nothing\n\ndata: cut off\n";
    let event = |name: &str, data: &str, id: Option<&str>| {
        Said::Event(Event { name: name.to_owned(), data: data.to_owned(), id: id.map(str::to_owned) })
    };
    let expected = [
        Said::Comment("a comment".to_owned()),
        event("message", "one\ntwo\n", Some("7")),
        event("CLOSE", " x", Some("")),
    ];
    for size in 1..=text.len() {
        let mut parser = Parser::default();
        let said: Vec<Said> = text.as_bytes().chunks(size).flat_map(|piece| parser.feed(piece)).collect();
        assert_eq!(said, expected, "in pieces of {size}");
        assert_eq!((parser.retry, parser.last_id.as_str()), (Some(1500), ""));
        assert!(!parser.is_between_events());
    }
}

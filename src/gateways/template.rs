//! Texts with places for what a message has: `{{id}}`, `{{to}}`, `{{body}}`.

use anyhow::{Context as _, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Outgoing;

/// How what is put in is written, so that it cannot end the place that it is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Inside a string of JSON.
    Json,
    /// In a URL, or a form.
    Percent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Id,
    To,
    Body,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

/// A text with places.
#[derive(Debug)]
pub(crate) struct Template {
    parts: Vec<Part>,
    escape: Escape,
}

impl Template {
    /// Fails where a place has another name, or no end.
    pub(crate) fn parse(text: &str, escape: Escape) -> anyhow::Result<Self> {
        let mut pieces = text.split("{{");
        let mut parts = vec![Part::Text(pieces.next().unwrap_or_default().to_owned())];
        for piece in pieces {
            let (name, after) = piece.split_once("}}").context("has {{ without }}")?;
            parts.push(Part::Place(match name.trim() {
                "id" => Place::Id,
                "to" => Place::To,
                "body" => Place::Body,
                other => bail!("has {{{{{other}}}}}: there are id, to and body"),
            }));
            parts.push(Part::Text(after.to_owned()));
        }
        Ok(Self { parts, escape })
    }

    /// The text for a message.
    pub(crate) fn fill(&self, message: &Outgoing) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(Place::Id) => message.id.to_string(),
            Part::Place(Place::To) => self.escaped(&message.to),
            Part::Place(Place::Body) => self.escaped(&message.body),
        };
        self.parts.iter().map(part).collect()
    }

    fn escaped(&self, text: &str) -> String {
        match self.escape {
            Escape::Percent => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
            Escape::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                inside.unwrap_or_default().to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Channel, MessageId};

    #[test]
    fn what_is_put_in_stays_where_it_is_put() {
        let message = Outgoing {
            id: MessageId::new(),
            to: "+49&x=1".to_owned(),
            channel: Channel::Sms,
            body: "a \"quote\", a \\ and {{to}}\n".to_owned(),
        };
        let template =
            Template::parse(r#"{"t":"{{to}}","m":"{{ body }}","i":"{{id}}"}"#, Escape::Json).unwrap();
        let filled: serde_json::Value = serde_json::from_str(&template.fill(&message)).unwrap();
        assert_eq!(filled["m"], message.body.as_str());
        assert_eq!(filled["i"], message.id.to_string());
        let template = Template::parse("to={{to}}&text={{body}}", Escape::Percent).unwrap();
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(template.fill(&message).as_bytes()).into_owned().collect();
        assert_eq!(pairs, [("to".to_owned(), message.to.clone()), ("text".to_owned(), message.body.clone())]);
        for wrong in ["{{to", "{{too}}", "{{}}"] {
            assert!(Template::parse(wrong, Escape::Json).is_err(), "{wrong}");
        }
    }
}

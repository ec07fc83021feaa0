//! Who messages are for, how they are put into requests, what they cost.

use serde_json::Value;
use url::Url;

use crate::config::Prices;
use crate::gateways::{Escape, Outgoing, Template};
use crate::messages::recipient;
use crate::types::{Channel, MessageId};

/// Who a message is for: what is taken can be stored and sent, and is taken again as it is kept.
pub fn recipients(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for channel in Channel::ALL {
        let Ok(kept) = recipient(channel, text) else { continue };
        assert!((1..=2048).contains(&kept.len()) && !kept.chars().any(char::is_control), "{kept:?}");
        assert_eq!(recipient(channel, &kept).as_ref(), Ok(&kept));
        match channel {
            Channel::Sms => {
                let digits = kept.strip_prefix('+').expect("E.164 begins with +");
                assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
            }
            Channel::Email => assert_eq!(kept.matches('@').count(), 1, "{kept:?}"),
            Channel::Push => assert!(kept.bytes().all(|byte| byte.is_ascii_graphic()), "{kept:?}"),
            Channel::Webhook => {
                let url = Url::parse(&kept).expect("what is kept is a URL");
                assert!(matches!(url.scheme(), "http" | "https") && url.host().is_some(), "{kept:?}");
                assert!(url.username().is_empty() && url.password().is_none(), "{kept:?}");
            }
        }
    }
}

/// A template, a line, and a message that is put into it: what is put in never leaves its place.
pub fn templates(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (template, body) = text.split_once('\n').unwrap_or(("", text));
    let message = Outgoing {
        id: MessageId::new(),
        to: body.chars().rev().collect(),
        channel: Channel::Sms,
        body: body.to_owned(),
    };
    for escape in [Escape::Json, Escape::Percent] {
        if let Ok(parsed) = Template::parse(template, escape) {
            let places = template.matches("{{").count();
            assert!(places > 0 || parsed.fill(&message) == template, "{template:?}");
        }
    }
    let json = Template::parse(r#"{"to":"{{to}}","body":"{{body}}","id":"{{ id }}"}"#, Escape::Json);
    let filled = json.expect("it is a template").fill(&message);
    let read: Value = serde_json::from_str(&filled).expect("it stays JSON");
    assert_eq!(read["to"], message.to.as_str());
    assert_eq!(read["body"], message.body.as_str());
    assert_eq!(read.as_object().map(serde_json::Map::len), Some(3));
    let form = Template::parse("to={{to}}&body={{body}}", Escape::Percent).expect("it is a template");
    let read: Vec<_> = url::form_urlencoded::parse(form.fill(&message).as_bytes()).into_owned().collect();
    assert_eq!(read, [("to".to_owned(), message.to.clone()), ("body".to_owned(), message.body.clone())]);
}

/// What messages cost, as a setting says it.
pub fn prices(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(prices) = text.parse::<Prices>() else { return };
    let written: Vec<String> =
        Channel::ALL.iter().map(|channel| format!("{}={}", channel.as_str(), prices.of(*channel))).collect();
    assert!(Channel::ALL.iter().all(|channel| (0..=1_000_000).contains(&prices.of(*channel))), "{text:?}");
    assert_eq!(written.join(",").parse(), Ok(prices));
}

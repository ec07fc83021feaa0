//! Answers over HTTP/1.1, as far as a load generator needs to understand them.

use std::borrow::Cow;
use std::time::Duration;

use super::Fault;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::load) struct Answer<'a> {
    /// Its status.
    pub(in crate::load) status: u16,
    /// How long to wait before asking again, if it says.
    pub(in crate::load) retry_after: Option<Duration>,
    /// The limit that the request counted against, if it says.
    pub(in crate::load) limit: Option<u32>,
    /// Whether it is the last one on its connection.
    pub(in crate::load) closes: bool,
    /// The key that proves that a WebSocket was understood, in an upgrade.
    pub(in crate::load) accept: Option<String>,
    /// What it says.
    pub(in crate::load) body: Cow<'a, [u8]>,
}

/// More headers than any server sends.
const MAX_HEADERS: usize = 64;

/// The answer at the start of `bytes` and its length; none where it is not whole yet.
pub(in crate::load) fn read(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::Malformed("an answer that is no HTTP/1.1")),
    };
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let status = parsed.code.unwrap_or_default();
    let mut answer = Answer {
        status,
        retry_after: header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs),
        limit: header("ratelimit-limit").and_then(|value| value.parse().ok()),
        closes: header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        accept: header("sec-websocket-accept").map(str::to_owned),
        body: Cow::Borrowed(&[]),
    };
    let rest = bytes.get(head..).unwrap_or_default();
    if matches!(status, 100..=199 | 204 | 304) {
        return Ok(Some((answer, head)));
    }
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        let Some((body, length)) = chunks(rest)? else { return Ok(None) };
        answer.body = Cow::Owned(body);
        return Ok(Some((answer, head + length)));
    }
    let length =
        header("content-length").ok_or(Fault::Malformed("an answer that does not say its length"))?;
    let length = length.parse().map_err(|_| Fault::Malformed("an answer of an odd length"))?;
    if length > super::BUFFER_BYTES {
        return Err(super::TOO_BIG);
    }
    Ok(rest.get(..length).map(|body| {
        answer.body = Cow::Borrowed(body);
        (answer, head + length)
    }))
}

/// A body in chunks and the length of all that; none where it is not whole yet.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Fault> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (header, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((header, size))) => {
                (header, usize::try_from(size).unwrap_or(usize::MAX))
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Fault::Malformed("an answer in odd chunks")),
        };
        if size > super::BUFFER_BYTES {
            return Err(super::TOO_BIG);
        }
        let Some(chunk) = rest.get(header..header + size + 2) else { return Ok(None) };
        at += header + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
        body.extend_from_slice(chunk.get(..size).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (u16, String, usize) {
        // Whatever is cut off, it waits for.
        for end in 0..text.len() {
            assert!(matches!(read(&text.as_bytes()[..end]), Ok(None)), "{end}");
        }
        let (answer, length) = read(text.as_bytes()).unwrap().unwrap();
        (answer.status, String::from_utf8(answer.body.into_owned()).unwrap(), length)
    }

    #[test]
    fn answers_end_where_they_say() {
        let text = "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(read_all(text), (201, "hello".to_owned(), text.len()));
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(read_all(text), (200, "hello".to_owned(), text.len()));
        let text = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(read_all(text), (204, String::new(), text.len()));
    }

    #[test]
    fn what_a_refusal_says_is_heard() {
        let text = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nRateLimit-Limit: 100\r\nConnection: close\r\n\
                    content-length: 0\r\n\r\n";
        let (answer, _) = read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (answer.retry_after, answer.limit, answer.closes),
            (Some(Duration::from_secs(7)), Some(100), true)
        );
    }

    #[test]
    fn what_is_no_answer_is_a_fault() {
        for text in [
            "hello\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}

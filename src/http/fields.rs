//! Reading the fields of a body or a query, so that all that is wrong is told at once: types, bounds,
//! missing fields and fields that do not exist.

use std::str::FromStr;

use chrono::DateTime;
use serde_json::{Map, Value};

use crate::error::{Error, FieldError, Result};
use crate::types::{InvalidText, Timestamp};

/// Most fields that are refused by name: an answer is not to be many times what was asked.
const MAX_UNKNOWN: usize = 20;

/// What a request brings, parsed from its fields.
pub trait FromFields: Sized {
    /// Reads every field, then returns `None` if one that is needed is missing. What is wrong is noted
    /// in `fields`.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// Where fields come from, which decides how numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Json,
    Query,
}

/// The fields of a body or a query that are not read yet, and what was wrong with those that are.
#[derive(Debug)]
pub struct Fields {
    source: Source,
    rest: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Parses the object of a JSON body.
    pub fn parse_json<T: FromFields>(body: Value) -> Result<T> {
        match body {
            Value::Object(rest) => Self { source: Source::Json, rest, errors: Vec::new() }.parse(),
            other => Err(Error::invalid("body", format!("must be an object, found {}", name_of(&other)))),
        }
    }

    /// Parses the pairs of a query string.
    pub fn parse_query<T: FromFields>(pairs: Vec<(String, String)>) -> Result<T> {
        let mut fields = Self { source: Source::Query, rest: Map::new(), errors: Vec::new() };
        for (name, value) in pairs {
            if fields.errors.len() >= MAX_UNKNOWN {
                break;
            }
            if fields.rest.contains_key(&name) {
                fields.reject(&name, "must be given once");
            } else {
                fields.rest.insert(name, Value::String(value));
            }
        }
        fields.parse()
    }

    fn parse<T: FromFields>(mut self) -> Result<T> {
        let parsed = T::from_fields(&mut self);
        let unknown: Vec<String> = self.rest.keys().take(MAX_UNKNOWN).cloned().collect();
        for name in unknown {
            self.reject(&name, "is not a field of this request");
        }
        match parsed {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(Error::Invalid(self.errors)),
        }
    }

    /// Notes that a field is not acceptable.
    pub fn reject(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError { field: name.to_owned(), message: message.into() });
    }

    /// Whether a field is there and not read yet; null is as if it were not there.
    pub fn is_given(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a field; null is as if it were not there.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    fn take_required(&mut self, name: &str) -> Option<Value> {
        let value = self.take(name);
        if value.is_none() {
            self.reject(name, "is required");
        }
        value
    }

    fn text<T>(&mut self, name: &str, value: Value) -> Option<T>
    where
        T: TryFrom<String, Error = InvalidText>,
    {
        let Value::String(text) = value else {
            self.reject(name, format!("must be a string, found {}", name_of(&value)));
            return None;
        };
        T::try_from(text).map_err(|error| self.reject(name, error.to_string())).ok()
    }

    /// A text that must be there.
    pub fn required<T>(&mut self, name: &str) -> Option<T>
    where
        T: TryFrom<String, Error = InvalidText>,
    {
        let value = self.take_required(name)?;
        self.text(name, value)
    }

    /// A text that may be left out. `None` also where it is not acceptable, which is noted.
    pub fn optional<T>(&mut self, name: &str) -> Option<T>
    where
        T: TryFrom<String, Error = InvalidText>,
    {
        let value = self.take(name)?;
        self.text(name, value)
    }

    /// An id that must be there.
    pub fn required_id<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.take_required(name)?;
        self.id(name, value)
    }

    /// An id that may be left out.
    pub fn optional_id<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.take(name)?;
        self.id(name, value)
    }

    fn id<T: FromStr>(&mut self, name: &str, value: Value) -> Option<T> {
        let id = match value {
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        if id.is_none() {
            self.reject(name, "must be an id: a UUID as text");
        }
        id
    }

    /// A whole number from `min` to `max` that may be left out.
    pub fn optional_integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.take(name)?;
        self.integer(name, value, min, max)
    }

    /// A whole number from `min` to `max` that must be there.
    pub fn required_integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.take_required(name)?;
        self.integer(name, value, min, max)
    }

    fn integer(&mut self, name: &str, value: Value, min: i64, max: i64) -> Option<i64> {
        let number = match (self.source, value) {
            (Source::Query, Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok()
            }
            (Source::Json, Value::Number(number)) => number.as_i64().or_else(|| whole(&number)),
            _ => None,
        };
        let accepted = number.filter(|number| (min..=max).contains(number));
        if accepted.is_none() {
            self.reject(name, format!("must be a whole number from {min} to {max}"));
        }
        accepted
    }

    /// An array of `min` to `max` items that must be there.
    pub fn required_array(&mut self, name: &str, min: usize, max: usize) -> Option<Vec<Value>> {
        match self.take_required(name)? {
            Value::Array(items) if (min..=max).contains(&items.len()) => return Some(items),
            Value::Array(items) => {
                self.reject(name, format!("must have {min} to {max} items, has {}", items.len()));
            }
            other => self.reject(name, format!("must be an array, found {}", name_of(&other))),
        }
        None
    }

    /// Notes what is wrong inside a field.
    pub fn reject_inside(&mut self, name: &str, errors: Vec<FieldError>) {
        let room = MAX_UNKNOWN.saturating_sub(self.errors.len());
        let inside = errors.into_iter().take(room);
        self.errors.extend(
            inside
                .map(|error| FieldError { field: format!("{name}.{}", error.field), message: error.message }),
        );
    }

    /// A moment as of RFC 3339 that may be left out.
    pub fn optional_moment(&mut self, name: &str) -> Option<Timestamp> {
        let Value::String(text) = self.take(name)? else {
            self.reject(name, "must be a string");
            return None;
        };
        let moment = DateTime::parse_from_rfc3339(&text).ok();
        if moment.is_none() {
            self.reject(name, "must be a moment as of RFC 3339, such as 2026-11-21T12:00:00Z");
        }
        moment.map(|moment| Timestamp::from_millis(moment.timestamp_millis()))
    }

    /// An object of at most `max_bytes` as compact JSON that may be left out.
    pub fn optional_object(&mut self, name: &str, max_bytes: usize) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(object) => {
                let length = serde_json::to_string(&object).map_or(usize::MAX, |text| text.len());
                if length <= max_bytes {
                    return Some(object);
                }
                self.reject(name, format!("must have at most {max_bytes} bytes as JSON, has {length}"));
            }
            other => self.reject(name, format!("must be an object, found {}", name_of(&other))),
        }
        None
    }
}

/// A whole number that is written with a point, such as `2.0`, which JSON Schema takes as one.
fn whole(number: &serde_json::Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT)?;
    format!("{number:.0}").parse().ok()
}

/// What a value is called in a message.
fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::{Email, PersonName};

    #[derive(Debug, PartialEq)]
    struct Sample {
        email: Email,
        name: Option<PersonName>,
        limit: Option<i64>,
    }

    impl FromFields for Sample {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let email = fields.required("email");
            let name = fields.optional("name");
            let limit = fields.optional_integer("limit", 1, 200);
            Some(Self { email: email?, name, limit })
        }
    }

    fn errors(result: Result<Sample>) -> Vec<(String, String)> {
        match result {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|e| (e.field, e.message)).collect(),
            other => panic!("expected invalid fields, got {other:?}"),
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let found = errors(Fields::parse_json(json!({"name": 7, "limit": 201, "nmae": "x"})));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["email", "name", "limit", "nmae"]);
    }

    #[test]
    fn null_is_absent_and_numbers_are_numbers() {
        let sample: Sample = Fields::parse_json(json!({"email": "a@b.c", "name": null})).unwrap();
        assert_eq!(sample.name, None);
        for limit in [json!("5"), json!(5.5), json!(0), json!(1e30), json!(u64::MAX)] {
            assert_eq!(errors(Fields::parse_json(json!({"email": "a@b.c", "limit": limit}))).len(), 1);
        }
    }

    #[test]
    fn a_query_gives_each_field_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let sample: Sample = Fields::parse_query(vec![pair("email", "a@b.c"), pair("limit", "5")]).unwrap();
        assert_eq!(sample.limit, Some(5));
        for limit in ["", "+5", "-1", "5x", "99999999999999999999"] {
            let query = vec![pair("email", "a@b.c"), pair("limit", limit)];
            assert_eq!(errors(Fields::parse_query(query)).len(), 1, "{limit:?}");
        }
        let twice = vec![pair("email", "a@b.c"), pair("email", "a@b.c")];
        assert_eq!(errors(Fields::parse_query(twice))[0].1, "must be given once");
    }
}

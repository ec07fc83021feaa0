//! Every operation of the OpenAPI document, and what a good call of it looks like: an operation that is added
//! is met with the same hostility as the others, without a line here.

use reqwest::Method;
use roomcast::types::UserId;
use serde_json::{Map, Value, json};

use crate::harness::organisation::fresh_email;
use crate::harness::platform::Operator;
use crate::harness::{Caller, Organisation, PASSWORD, Person, TestApp};

/// The document.
pub(crate) struct Document(Value);

/// One operation.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// As the document has it, with `{…}`.
    pub(crate) path: String,
    /// Whether it needs a token.
    pub(crate) secured: bool,
    /// Whether that is a platform administrator's.
    pub(crate) platform: bool,
    /// The fields of its body; `None` where it takes none.
    pub(crate) fields: Option<Vec<Field>>,
    /// The parameters of its query.
    pub(crate) query: Vec<Field>,
    /// The names of the headers that it heeds.
    pub(crate) headers: Vec<String>,
}

/// A field of a body, or a parameter.
pub(crate) struct Field {
    pub(crate) name: String,
    /// What it may be; never a reference, nor null where it may also be something else.
    pub(crate) schema: Value,
}

impl Document {
    pub(crate) fn load() -> Self {
        let text = roomcast::router::document().to_json().unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// All but the streams, which do not end.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut found = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation["responses"].to_string().contains("text/event-stream") {
                    continue;
                }
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
                let headers = parameters.iter().filter(|parameter| parameter["in"] == "header");
                let body = operation.pointer("/requestBody/content/application~1json/schema");
                found.push(Operation {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    secured: operation.get("security").is_some(),
                    platform: operation["security"].to_string().contains("administrator"),
                    fields: body.map(|schema| self.fields(schema)),
                    query: query
                        .map(|one| self.field(one["name"].as_str().unwrap(), &one["schema"]))
                        .collect(),
                    headers: headers.map(|one| one["name"].as_str().unwrap().to_owned()).collect(),
                });
            }
        }
        assert!(found.len() > 20, "the document has all operations");
        found
    }

    /// The fields of an object; of several alternatives, all that one or another has.
    fn fields(&self, schema: &Value) -> Vec<Field> {
        let schema = self.resolve(schema);
        let mut all = Map::new();
        for part in ["oneOf", "anyOf", "allOf"].iter().filter_map(|name| schema[*name].as_array()).flatten() {
            all.extend(self.resolve(part)["properties"].as_object().cloned().unwrap_or_default());
        }
        all.extend(schema["properties"].as_object().cloned().unwrap_or_default());
        all.iter().map(|(name, schema)| self.field(name, schema)).collect()
    }

    fn field(&self, name: &str, schema: &Value) -> Field {
        let mut schema = self.resolve(schema).clone();
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let found = alternatives.iter().find(|one| one["type"] != "null").unwrap();
            schema = self.resolve(found).clone();
        }
        if let Some(types) = schema["type"].as_array() {
            schema["type"] = types.iter().find(|one| *one != "null").unwrap().clone();
        }
        if schema["type"] == "array" {
            schema["example"] = json!([sample(&self.fields(&schema["items"]))]);
        }
        Field { name: name.to_owned(), schema }
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
            None => schema,
        }
    }
}

impl Operation {
    /// `GET /users`, as people write it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with `id` in the place of each parameter.
    pub(crate) fn at(&self, id: &str) -> String {
        let segments =
            self.path.split('/').map(|segment| if segment.starts_with('{') { id } else { segment });
        format!("/api/v1{}", segments.collect::<Vec<_>>().join("/"))
    }

    /// Whoever is let in: an administrator of the platform, or else this person.
    pub(crate) fn caller(&self, app: &TestApp, operator: &Operator, person: &Person) -> Caller {
        if self.platform { app.as_operator(operator) } else { app.as_user(person) }
    }

    /// The path with an id that names nothing.
    pub(crate) fn somewhere(&self) -> String {
        self.at(&UserId::new().to_string())
    }

    /// Whether an id stands in its path.
    pub(crate) fn has_id(&self) -> bool {
        self.path.contains('{')
    }

    /// A body with which nothing is wrong; `None` where it takes none.
    pub(crate) fn sample(&self) -> Option<Value> {
        self.fields.as_deref().map(sample)
    }

    /// That body with another value in one field.
    pub(crate) fn sample_with(&self, name: &str, value: &Value) -> Value {
        let mut body = self.sample().unwrap();
        body[name] = value.clone();
        body
    }
}

/// An object with these fields with which nothing is wrong.
fn sample(fields: &[Field]) -> Value {
    fields.iter().map(|field| (field.name.clone(), field.sample())).collect::<Map<_, _>>().into()
}

impl Field {
    /// Whether it is a text that people may choose freely.
    pub(crate) fn is_text(&self) -> bool {
        self.schema["type"] == "string"
            && self.schema.get("enum").is_none()
            && self.schema["format"] != "uuid"
    }

    /// Whether it is somebody's address.
    pub(crate) fn is_email(&self) -> bool {
        self.schema["example"].as_str().is_some_and(|example| example.contains('@'))
    }

    /// A value with which nothing is wrong.
    fn sample(&self) -> Value {
        let schema = &self.schema;
        // One of these is right with the other.
        match self.name.as_str() {
            "channel" => return json!("sms"),
            "to" => return json!("+1234567890"),
            _ => {}
        }
        if let Some(one) = schema["enum"].as_array().and_then(|all| all.last()) {
            return one.clone();
        }
        if self.is_email() {
            return json!(fresh_email("nobody"));
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (_, Some("uuid")) => json!(UserId::new()),
            (_, Some("password")) => json!(PASSWORD),
            // Where a pattern names the characters, not everything will do.
            (Some("string"), _)
                if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("0-9")) =>
            {
                schema["example"].clone()
            }
            (Some("string"), _) => json!("PRO"),
            (Some("integer"), _) => json!(1),
            (Some("object"), _) => json!({}),
            (Some("array"), _) => schema["example"].clone(),
            other => panic!("nobody knows a sample of {}: {other:?}", self.name),
        }
    }
}

/// An organisation with room for more, and what only its founder sees: where its log ends.
pub(crate) async fn organisation(app: &TestApp) -> Organisation {
    app.organisation("Acme").with_admin("bo").with_member("mia").on_plan("ENTERPRISE").create().await
}

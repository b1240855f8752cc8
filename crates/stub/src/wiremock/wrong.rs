//! What is wrong with what a client of WireMock's API sent, in the form in which WireMock says it.

use seam_value::{Map, Value};

/// Why something is refused: the HTTP status and the list of errors that is its body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Wrong {
    /// 422 for input that can't be used, 404 for what isn't there, 400 for an id that is none.
    pub status: u16,
    /// What is wrong.
    pub errors: Vec<Mistake>,
}

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// WireMock's number for this kind of error.
    pub code: u16,
    /// `source.pointer`: where in the JSON that was sent.
    pub pointer: Option<String>,
    /// The title by which clients know it.
    pub title: String,
    /// What exactly is wrong.
    pub detail: Option<String>,
}

impl Wrong {
    /// Something in the JSON that was sent, at a place.
    pub(crate) fn at(pointer: &str, detail: impl Into<String>) -> Self {
        let pointer = if pointer.is_empty() { "/" } else { pointer };
        Self::of(422, 10, Some(pointer.to_owned()), "Error parsing JSON", Some(detail.into()))
    }

    /// With a title alone.
    pub(crate) fn titled(status: u16, code: u16, title: impl Into<String>) -> Self {
        Self::of(status, code, None, title, None)
    }

    /// With another word in what exactly is wrong.
    pub(crate) fn saying(mut self, word: &str, instead: &str) -> Self {
        for mistake in &mut self.errors {
            mistake.detail = mistake.detail.take().map(|detail| detail.replace(word, instead));
        }
        self
    }

    /// With a title and the name of the parameter that it is about.
    pub(crate) fn pointed(status: u16, code: u16, pointer: &str, title: impl Into<String>) -> Self {
        Self::of(status, code, Some(pointer.to_owned()), title, None)
    }

    /// With title and detail.
    pub(crate) fn detailed(status: u16, code: u16, title: &str, detail: impl Into<String>) -> Self {
        Self::of(status, code, None, title, Some(detail.into()))
    }

    /// There is no such thing; WireMock answers with an empty body.
    pub(crate) fn missing() -> Self {
        Self { status: 404, errors: Vec::new() }
    }

    fn of(
        status: u16,
        code: u16,
        pointer: Option<String>,
        title: impl Into<String>,
        detail: Option<String>,
    ) -> Self {
        Self { status, errors: vec![Mistake { code, pointer, title: title.into(), detail }] }
    }

    /// The body that tells it; nothing where WireMock's is empty.
    pub fn to_value(&self) -> Option<Value> {
        let errors: Vec<Value> = self.errors.iter().map(Mistake::to_value).collect();
        (!errors.is_empty()).then(|| Value::map([("errors", Value::List(errors))]))
    }

    fn text(&self) -> String {
        let one = |mistake: &Mistake| {
            let at = mistake.pointer.as_ref().map(|pointer| format!(" at {pointer}")).unwrap_or_default();
            let detail = mistake.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{}{at}{detail}", mistake.title)
        };
        if self.errors.is_empty() {
            return "not there".to_owned();
        }
        self.errors.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

impl Mistake {
    fn to_value(&self) -> Value {
        let mut map = Map::default();
        map.insert("code".to_owned(), Value::from(self.code));
        if let Some(pointer) = &self.pointer {
            map.insert("source".to_owned(), Value::map([("pointer", Value::text(pointer))]));
        }
        map.insert("title".to_owned(), Value::text(&self.title));
        if let Some(detail) = &self.detail {
            map.insert("detail".to_owned(), Value::text(detail));
        }
        Value::Map(map)
    }
}

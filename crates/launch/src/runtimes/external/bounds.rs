//! What may be asked of somebody else's component: how often, and which operations.

use super::ExternalAddress;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Field, Fields, Shape, Spanned};

/// How often.
pub(super) const BUDGET: Field = Field::optional(
    "budget",
    Shape::Integer,
    "how many requests a run may send there; any number where nothing is said",
);

/// What.
pub(super) const OPERATIONS: Field = Field::optional(
    "operations",
    Shape::List(&Shape::Text),
    "what may be asked of it: `GET /rates/{currency}`; anything where nothing is said",
);

/// Limits on what is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How many requests; none for any number.
    pub budget: Option<u64>,
    /// Which requests; none for any.
    pub operations: Option<Vec<Operation>>,
}

impl Bounds {
    /// Takes `budget` and `operations` from among these fields.
    pub fn read(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Self {
        let budget = fields.integer(BUDGET.name, found);
        let operations = fields.take(OPERATIONS.name).is_some().then(|| {
            let texts = fields.texts(OPERATIONS.name, found);
            texts.iter().filter_map(|text| Operation::read(text, found)).collect()
        });
        Self { budget, operations }
    }

    /// Can they be kept at this address? The error says why not, to stand beneath a caret.
    pub fn check(&self, address: &ExternalAddress) -> Result<(), String> {
        if self.is_free() || address.speaks_http() {
            return Ok(());
        }
        let scheme = &address.scheme;
        Err(format!("`budget` and `operations` need http or https; of {scheme}:// only bytes are passed on"))
    }

    /// Do they limit nothing?
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }

    /// May this be asked? The path begins behind that of the external's own address, and has no query.
    pub fn allow(&self, method: &str, path: &str) -> bool {
        let Some(operations) = &self.operations else { return true };
        operations.iter().any(|operation| operation.is(method, path))
    }
}

/// One operation: `GET /rates/{currency}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    method: String,
    /// Between the slashes; none stands for any one segment.
    segments: Vec<Option<String>>,
}

impl Operation {
    fn read(text: &Spanned<String>, found: &mut Diagnostics) -> Option<Self> {
        let mut words = text.value.split_whitespace();
        let (Some(method), Some(path), None) = (words.next(), words.next(), words.next()) else {
            found.push(no_operation(text));
            return None;
        };
        let is_method = method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let Some(path) = path.strip_prefix('/').filter(|path| is_method && !path.contains(['?', '#'])) else {
            found.push(no_operation(text));
            return None;
        };
        let stands_for_any =
            |segment: &str| segment == "*" || (segment.starts_with('{') && segment.ends_with('}'));
        let segments = path.split('/').map(|segment| (!stands_for_any(segment)).then(|| segment.to_owned()));
        Some(Self { method: method.to_owned(), segments: segments.collect() })
    }

    fn is(&self, method: &str, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let n_segments = path.split('/').count();
        method == self.method
            && n_segments == self.segments.len()
            && self.segments.iter().zip(path.split('/')).all(|(wanted, segment)| match wanted {
                Some(wanted) => wanted == segment,
                None => !segment.is_empty() && !leads_elsewhere(segment),
            })
    }
}

/// Is this a segment that a server may read as a step to another folder (`..`, `%2e%2E`, `a%2F..`)?
fn leads_elsewhere(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".." || plain.contains("%2f") || plain.contains("%5c") || plain.contains('\\')
}

fn no_operation(text: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(format!("`{}` is no operation", text.value))
        .at(text.span, "expected a method and a path, such as `GET /rates/{currency}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::{FileId, Span};

    const HERE: Span = Span { file: FileId(0), start: 0, end: 0 };

    fn operation(text: &str) -> Option<Operation> {
        Operation::read(&Spanned::new(text.to_owned(), HERE), &mut Diagnostics::default())
    }

    #[test]
    fn operations_take_what_they_name() {
        for (text, method, path, holds) in [
            ("GET /rates", "GET", "/rates", true),
            ("GET /rates", "POST", "/rates", false),
            ("GET /rates", "GET", "/rates/", false),
            ("GET /rates", "GET", "/rates/eur", false),
            ("GET /rates/{currency}", "GET", "/rates/eur", true),
            ("GET /rates/*", "GET", "/rates/eur", true),
            ("GET /rates/*", "GET", "/rates/", false),
            ("GET /rates/*", "GET", "/rates/eur/usd", false),
            ("GET /rates/*", "GET", "/rates/..", false),
            ("GET /rates/*", "GET", "/rates/%2E.", false),
            ("GET /rates/*", "GET", "/rates/a%2fb", false),
            ("GET /*/eur", "GET", "/rates/eur", true),
            ("GET /", "GET", "/", true),
            ("GET /", "GET", "", true),
        ] {
            assert_eq!(operation(text).unwrap().is(method, path), holds, "{text}: {method} {path}");
        }
    }

    #[test]
    fn what_is_no_operation_is_told() {
        for text in ["", "GET", "/rates", "get /rates", "GET rates", "GET /a b", "GET /a?b=c"] {
            assert_eq!(operation(text), None, "{text}");
        }
    }

    #[test]
    fn no_operations_are_not_any() {
        assert!(Bounds::default().allow("GET", "/a"));
        assert!(!Bounds { operations: Some(Vec::new()), ..Bounds::default() }.allow("GET", "/a"));
    }
}

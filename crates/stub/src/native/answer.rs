//! One answer of a stub: prepared where nothing in it depends on the request, worked out where something does.

use super::scope::Scope;
use crate::delay::Delay;
use seam_expr::{EvalError, NameUse, Path, Segment, Template};
use seam_value::{Map, Value};
use seam_wire::{Callback, Say};
use std::sync::Arc;

/// One answer with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) says: Says,
    pub(super) delay: Delay,
    /// What is remembered afterwards: paths below `state`; an empty one is all of it.
    pub(super) then: Vec<(Vec<String>, Template)>,
    pub(super) callbacks: Vec<CallBack>,
    /// How often in a row, among `replies`.
    pub(super) times: u64,
    /// Between the parts of what is said bit by bit, where they are drawn.
    pub(super) pauses: Vec<Pause>,
}

/// A pause before one part of an answer, drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pause {
    /// The field with the list of parts.
    pub(super) list: &'static str,
    pub(super) index: usize,
    pub(super) delay: Delay,
}

/// What is said.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// Always the same.
    Prepared(Arc<Value>),
    /// What comes of this, and further fields as they are.
    Template(Template, Map),
    /// Nothing: the provider is asked.
    Pass,
}

/// A callback as declared.
#[derive(Clone, Debug)]
pub(super) struct CallBack {
    pub(super) after: Delay,
    pub(super) method: Template,
    pub(super) url: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Body,
}

/// A callback's body as declared.
#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Json(Template),
    Form(Template),
    Text(Template),
}

impl Answer {
    /// What is said now.
    pub(super) fn say(&self, scope: &Scope<'_>) -> Say {
        let value = match &self.says {
            Says::Prepared(value) if self.pauses.is_empty() => return Say::Answer(Arc::clone(value)),
            Says::Prepared(value) => Value::clone(value),
            Says::Pass => return Say::Pass,
            Says::Template(template, files) => match template.render(scope) {
                Ok(value) => with(value, files),
                Err(error) => return Say::Cannot(error.message),
            },
        };
        Say::Answer(Arc::new(self.paused(value, scope)))
    }

    /// With the pauses that are drawn now.
    fn paused(&self, mut value: Value, scope: &Scope<'_>) -> Value {
        for Pause { list, index, delay } in &self.pauses {
            if let Value::Map(fields) = &mut value
                && let Some(Value::List(parts)) = fields.get_mut(*list)
                && let Some(Value::Map(part)) = parts.get_mut(*index)
            {
                let micros = delay.draw(scope.outer.chance()).as_micros();
                part.insert("after".to_owned(), Value::Text(format!("{micros}us")));
            }
        }
        value
    }

    /// The callbacks that follow.
    pub(super) fn callbacks(&self, scope: &Scope<'_>) -> Result<Vec<Callback>, EvalError> {
        self.callbacks.iter().map(|one| one.render(scope)).collect()
    }

    /// What is remembered afterwards.
    pub(super) fn state_after(&self, scope: &Scope<'_>) -> Result<Option<Value>, EvalError> {
        if self.then.is_empty() {
            return Ok(None);
        }
        let mut state = scope.state.clone();
        for (path, template) in &self.then {
            let value = template.render(scope)?;
            set(&mut state, path, value);
        }
        Ok(Some(state))
    }

    /// Does it depend on nothing, and does nothing follow?
    pub(super) fn is_plain(&self) -> bool {
        !matches!(self.says, Says::Template(..)) && self.then.is_empty() && self.callbacks.is_empty()
    }

    /// Does it let the request pass?
    pub(super) fn is_pass(&self) -> bool {
        matches!(self.says, Says::Pass)
    }

    pub(super) fn uses_state(&self) -> bool {
        !self.then.is_empty() || self.names().iter().any(|used| used.name == "state")
    }

    pub(super) fn names(&self) -> Vec<NameUse> {
        let mut all = match &self.says {
            Says::Template(template, _) => template.names(),
            Says::Prepared(_) | Says::Pass => Vec::new(),
        };
        all.extend(self.then.iter().flat_map(|(_, template)| template.names()));
        for callback in &self.callbacks {
            all.extend(callback.names());
        }
        all
    }
}

impl CallBack {
    fn render(&self, scope: &Scope<'_>) -> Result<Callback, EvalError> {
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            headers.push((name.clone(), template.render_text(scope)?));
        }
        let (content_type, body) = self.body.render(scope)?;
        if let Some(content_type) = content_type
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        Ok(Callback {
            after: self.after.draw(scope.outer.chance()),
            method: self.method.render_text(scope)?,
            url: self.url.render_text(scope)?,
            headers,
            body,
        })
    }

    fn names(&self) -> Vec<NameUse> {
        let body = match &self.body {
            Body::None => Vec::new(),
            Body::Json(template) | Body::Form(template) | Body::Text(template) => template.names(),
        };
        let headers = self.headers.iter().flat_map(|(_, template)| template.names());
        self.method.names().into_iter().chain(self.url.names()).chain(headers).chain(body).collect()
    }
}

impl Body {
    fn render(&self, scope: &Scope<'_>) -> Result<(Option<&'static str>, Vec<u8>), EvalError> {
        Ok(match self {
            Self::None => (None, Vec::new()),
            Self::Json(template) => {
                (Some("application/json"), template.render(scope)?.to_string().into_bytes())
            }
            Self::Form(template) => {
                let value = template.render(scope)?;
                (Some("application/x-www-form-urlencoded"), form(value.as_map().unwrap_or(&Map::default())))
            }
            Self::Text(template) => {
                (Some("text/plain; charset=utf-8"), template.render_text(scope)?.into_bytes())
            }
        })
    }
}

/// A map as a form; a list is the key again and again.
fn form(map: &Map) -> Vec<u8> {
    let mut out = String::new();
    for (key, value) in map {
        for value in value.as_list().unwrap_or(std::slice::from_ref(value)) {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(&escape(key));
            out.push('=');
            out.push_str(&escape(&value.to_plain_text()));
        }
    }
    out.into_bytes()
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Sets a part of what is remembered; whatever is in the way and is no map becomes one.
fn set(state: &mut Value, path: &[String], value: Value) {
    let mut at = state;
    for name in path {
        if at.as_map().is_none() {
            *at = Value::Map(Map::default());
        }
        let Value::Map(map) = at else { return };
        at = map.entry(name.clone()).or_default();
    }
    *at = value;
}

/// A map with further fields.
pub(super) fn with(mut value: Value, further: &Map) -> Value {
    if let Value::Map(map) = &mut value {
        map.extend(further.clone());
    }
    value
}

/// The names of a path below `state`; none where it begins with something else or has a `*`.
pub(super) fn below_state(path: &Path) -> Option<Vec<String>> {
    let names = path.segments().iter().map(|segment| match segment {
        Segment::Name(name) => Some(name.clone()),
        Segment::Every => None,
    });
    let names: Vec<String> = names.collect::<Option<_>>()?;
    (names.first().map(String::as_str) == Some("state")).then(|| names[1..].to_vec())
}

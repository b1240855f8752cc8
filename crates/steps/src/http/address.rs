//! Where a request goes: `gateway/orders/$order?full=$full`, or a whole address that the system gave.

use crate::action::{StepContext, Target, Trouble};
use crate::input::{Part, Piece};
use crate::kind::Reading;
use crate::subject::{self, Subject};
use seam_diag::{Diagnostic, Span};
use seam_expr::NameUse;
use seam_model::Node;
use seam_value::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

/// An address as written.
pub(crate) struct Address {
    begin: Begin,
    /// What follows, beginning with `/` or `?` where there is anything.
    rest: Vec<Piece>,
    span: Span,
}

enum Begin {
    Named(Subject),
    /// A whole address, or a component's name, in a variable.
    Variable(Part),
}

/// An address worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) component: String,
    pub(crate) endpoint: String,
    pub(crate) socket: SocketAddr,
    /// Whose cookies it takes.
    pub(crate) host: Arc<str>,
    /// The path with which the component's own address begins.
    pub(crate) base: Arc<str>,
    /// Path and query, encoded, beginning with `/`.
    pub(crate) path: String,
}

impl Address {
    /// Reads the pieces that follow the method in the node's text.
    pub(crate) fn read(mut pieces: Vec<Piece>, node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let span = node.span;
        if let Some(Piece::Fixed { text, .. }) = pieces.last_mut() {
            let length = text.trim_end().len();
            text.truncate(length);
        }
        let mut pieces = pieces.into_iter();
        let first = pieces.next();
        let mut rest: Vec<Piece> = pieces.collect();
        let begin = match first {
            Some(Piece::Part(part)) => Begin::Variable(part),
            Some(Piece::Fixed { text, offset }) => {
                let end = text.find(['/', '?', '#']).unwrap_or(text.len());
                let name = &text[..end];
                if text.contains("://") {
                    reading.found.push(
                        Diagnostic::error("an address begins with a component")
                            .at(node.part(offset, text.len()), "")
                            .hint(
                                "declare it in seam.yaml (`external: …`) and write its name: `GET api/path`",
                            ),
                    );
                    return None;
                }
                if end == text.len() && !rest.is_empty() {
                    reading.found.push(
                        Diagnostic::error("a component's name can't be put together from parts")
                            .at(span, "")
                            .hint("write the name, or one variable for all of it"),
                    );
                    return None;
                }
                let subject = subject::speaking("http", name, node.part(offset, end), reading)?;
                if end < text.len() {
                    rest.insert(0, Piece::Fixed { text: text[end..].to_owned(), offset: offset + end });
                }
                Begin::Named(subject)
            }
            None => {
                let error = Diagnostic::error("an address is missing here").at(span, "");
                reading.found.push(error.hint("write a component and a path: `GET gateway/orders`"));
                return None;
            }
        };
        check_beginning(&begin, &rest, span, reading)?;
        Some(Self { begin, rest, span })
    }

    /// Does a path or a query follow the component?
    pub(crate) fn has_path(&self) -> bool {
        !self.rest.is_empty()
    }

    pub(crate) fn target(&self) -> Target {
        match &self.begin {
            Begin::Named(subject) => subject.target(),
            Begin::Variable(part) => Target::Unknown { span: part.span() },
        }
    }

    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        if let Begin::Variable(part) = &self.begin {
            part.uses(into);
        }
        for piece in &self.rest {
            if let Piece::Part(part) = piece {
                part.uses(into);
            }
        }
    }

    /// Works it out.
    pub(crate) fn place(&self, cx: &StepContext<'_>) -> Result<Place, Trouble> {
        let mut place = match &self.begin {
            Begin::Named(subject) => named(&subject.component, &subject.endpoint, cx)?,
            Begin::Variable(part) => {
                let text = part.value(cx.names)?.to_plain_text();
                let mut place = whole(&text, cx).map_err(|trouble| trouble.at(part.span()))?;
                // `$base/users` means one slash, also where `$base` ends with one.
                if !self.rest.is_empty() && place.path.ends_with('/') {
                    place.path.pop();
                }
                place
            }
        };
        for piece in &self.rest {
            match piece {
                Piece::Fixed { text, .. } => push_fixed(text, &mut place.path),
                Piece::Part(part) => push_segment(part, cx, &mut place.path)?,
            }
        }
        Ok(place.rooted())
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }
}

impl Place {
    /// As it is dialled.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{}{}", self.socket, self.base, self.path)
    }

    /// With a path that begins with a slash, as it has to.
    pub(crate) fn rooted(mut self) -> Self {
        if !self.path.starts_with('/') {
            self.path.insert(0, '/');
        }
        self
    }

    /// The path without the query, for cookies.
    pub(crate) fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// Puts what a `query:` says behind what stands there already.
    pub(crate) fn add_query(&mut self, query: &str) {
        if !query.is_empty() {
            self.path.push(if self.path.contains('?') { '&' } else { '?' });
            self.path.push_str(query);
        }
    }
}

/// Behind a variable nothing but a path may follow, or `http://…` would swallow it.
fn check_beginning(begin: &Begin, rest: &[Piece], span: Span, reading: &mut Reading<'_>) -> Option<()> {
    let goes_on = match rest.first() {
        None => true,
        Some(Piece::Fixed { text, .. }) => text.starts_with(['/', '?', '#']),
        Some(Piece::Part(_)) => false,
    };
    if goes_on || matches!(begin, Begin::Named(_)) {
        return Some(());
    }
    let error = Diagnostic::error("a path must follow the variable, beginning with `/`").at(span, "");
    reading.found.push(error);
    None
}

/// A component and an endpoint, with an empty path.
pub(crate) fn named(component: &str, endpoint: &str, cx: &StepContext<'_>) -> Result<Place, Trouble> {
    let address = cx.bench.address(component, endpoint)?;
    Ok(Place {
        component: component.to_owned(),
        endpoint: endpoint.to_owned(),
        socket: address.socket,
        host: address.host,
        base: address.base,
        path: String::new(),
    })
}

/// A text that the system or the file gave: `http://127.0.0.1:4711/x`, or `gateway/x`.
pub(crate) fn whole(text: &str, cx: &StepContext<'_>) -> Result<Place, Trouble> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let end = text.find(['/', '?', '#']).unwrap_or(text.len());
        let (component, endpoint) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
        if component.is_empty() {
            return Err(Trouble::failed(format!(
                "`{text}` is no address: a path alone is written with `path:`, as in `http: GET gateway` and `path: {text}`"
            )));
        }
        let mut place = named(component, endpoint, cx)?;
        push_fixed(&text[end..], &mut place.path);
        return Ok(place);
    };
    if !matches!(scheme, "http" | "https") {
        return Err(Trouble::failed(format!("`{text}` is no address of HTTP")));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
    let authority = match (authority.rsplit_once(':'), scheme) {
        (Some((_, port)), _) if port.bytes().all(|byte| byte.is_ascii_digit()) => authority.to_owned(),
        (_, "https") => format!("{authority}:443"),
        _ => format!("{authority}:80"),
    };
    let Some((component, endpoint)) = cx.bench.owner(&authority) else {
        return Err(Trouble::failed(format!("`{authority}` is the address of no component")));
    };
    let mut place = named(&component, &endpoint, cx)?;
    push_fixed(&rest[end..], &mut place.path);
    // An address with the whole path of an external already has what its own address ends with.
    if let Some(inside) = place.path.strip_prefix(&*place.base)
        && !place.base.is_empty()
    {
        place.path = inside.to_owned();
    }
    Ok(place)
}

/// Text of an address as it is; only what can't stand there at all is encoded, and a fragment is left out.
pub(crate) fn push_fixed(text: &str, into: &mut String) {
    let text = text.split('#').next().unwrap_or_default();
    for character in text.chars() {
        if character.is_ascii_graphic()
            && !matches!(character, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
        {
            into.push(character);
        } else {
            push_encoded(character, into);
        }
    }
}

/// The value of a variable as one segment, whatever is in it.
fn push_segment(part: &Part, cx: &StepContext<'_>, into: &mut String) -> Result<(), Trouble> {
    let value = part.value(cx.names)?;
    let text = match &value {
        Value::Null | Value::List(_) | Value::Map(_) => {
            let kind = seam_expr::kind_name(&value);
            let written = part.written();
            return Err(Trouble::failed(format!("`{written}` is {kind}, which can't stand in an address"))
                .at(part.span()));
        }
        plain => plain.to_plain_text(),
    };
    if matches!(text.as_str(), "." | "..") {
        // These two would be walked along, not sent: even encoded they mean the same to many servers.
        let written = part.written();
        return Err(
            Trouble::failed(format!("`{written}` is `{text}`, which can't be a segment")).at(part.span())
        );
    }
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~') {
            into.push(character);
        } else {
            push_encoded(character, into);
        }
    }
    Ok(())
}

fn push_encoded(character: char, into: &mut String) {
    let mut buffer = [0; 4];
    for byte in character.encode_utf8(&mut buffer).bytes() {
        // Writing to a text can't fail.
        let _ = write!(into, "%{byte:02X}");
    }
}

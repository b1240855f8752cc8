//! Response templates: Handlebars with WireMock's helpers.
//!
//! The interpreter is ours, because what stands in such a template is not JSON: a query parameter is a list that prints
//! as its first value, header names ignore case, a date stays a date from one helper to the next, and the path is a
//! text, a list and a map at once. Texts are not escaped, which is WireMock's setting too.

mod helpers;
mod item;
mod model;
mod parse;
mod render;
#[cfg(test)]
mod tests;

pub(crate) use item::Item;
pub use item::jackson;
pub(crate) use model::{model, webhook_model};

use crate::surroundings::Surroundings;
use jiff::Timestamp;
use parse::Node;

/// A template that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// What a template may ask besides its model.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) now: Timestamp,
}

impl Template {
    /// Reads a template; the error says what is wrong and where, in one line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Behind the last `}}` everything is text, whatever it opens, and no white space is taken away.
        let end =
            text.rfind("}}").filter(|end| text[..*end].contains("{{")).map_or(text.len(), |end| end + 2);
        let mut nodes = parse::parse(&text[..end])?;
        if end < text.len() {
            nodes.push(Node::Text(text[end..].to_owned()));
        }
        Ok(Self { nodes })
    }

    /// Does it always give the text from which it was read? One with a comment does not.
    pub(crate) fn says(&self, source: &str) -> bool {
        let mut rest = Some(source);
        for node in &self.nodes {
            rest = match node {
                Node::Text(text) => rest.and_then(|rest| rest.strip_prefix(text.as_str())),
                _ => None,
            };
        }
        rest == Some("")
    }

    /// Works it out.
    pub(crate) fn render(&self, model: &Item, world: World<'_>) -> Result<String, String> {
        render::render(&self.nodes, model, world)
    }
}

//! XML as WireMock sees it: read with or without namespaces, compared, searched.

mod compare;
mod search;
mod tree;

pub(crate) use compare::{Comparison, Namespaces, Placeholders, Rules};
pub(crate) use search::{XPath, XmlPart};
pub(crate) use tree::Element;

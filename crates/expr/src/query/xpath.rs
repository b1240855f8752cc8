//! XPath 1.0 on XML, and on HTML as a browser would read it.
//!
//! Prefixes are those that the document itself declares, and elements of a default namespace are found by their plain
//! names: nobody who tests a SOAP answer wants to write `local-name()` at each step.

use super::{Mistake, one_or_list};
use scraper::{Html, Node as HtmlNode};
use seam_value::{Number, Value};
use sxd_document::Package;
use sxd_document::dom::{ChildOfElement, ChildOfRoot, Document, Element};
use sxd_xpath::{Context, Factory, Value as Found};

/// How deep elements may nest: more than any document does, less than exhausts the stack of the XPath machine.
const MAX_DEPTH: usize = 256;

/// The question as text: a compiled XPath can't be kept across threads, and compiling takes microseconds.
#[derive(Clone, Debug)]
pub(super) struct Question {
    text: String,
    /// The prefixes that it uses. The XPath machine panics at one that is not declared, so we look first.
    prefixes: Vec<String>,
}

impl Question {
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        match Factory::new().build(text) {
            Ok(Some(_)) => Ok(Self { text: text.to_owned(), prefixes: prefixes(text) }),
            Ok(None) => Err(Mistake { offset: 0, message: "it is empty".to_owned() }),
            Err(error) => Err(Mistake { offset: 0, message: error.to_string() }),
        }
    }

    pub(super) fn find(&self, text: &str) -> Result<Option<Value>, String> {
        let package = if is_html(text) { from_html(text)? } else { from_xml(text)? };
        let document = package.as_document();
        let mut context = Context::new();
        let declared = plain_names_for_default_namespaces(&document)?;
        for prefix in &self.prefixes {
            if !declared.iter().any(|(known, _)| known == prefix) {
                return Err(format!("the document declares no prefix `{prefix}`"));
            }
        }
        for (prefix, uri) in &declared {
            context.set_namespace(prefix, uri);
        }
        let xpath = Factory::new().build(&self.text).ok().flatten().ok_or("the question is empty")?;
        match xpath.evaluate(&context, document.root()) {
            Ok(Found::Boolean(flag)) => Ok(Some(Value::Bool(flag))),
            Ok(Found::Number(number)) => Ok(number_of(number)),
            Ok(Found::String(text)) => Ok(Some(Value::Text(text))),
            Ok(Found::Nodeset(nodes)) => {
                let texts =
                    nodes.document_order().iter().map(|node| Value::Text(node.string_value())).collect();
                Ok(one_or_list(texts))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The names before a single colon, outside of quotes: `p` in `//p:state`, nothing in `child::a`.
fn prefixes(question: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut name = String::new();
    let mut characters = question.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, ':') if characters.next_if_eq(&':').is_some() => name.clear(),
            (None, ':') => found.push(std::mem::take(&mut name)),
            (None, part) if is_of_a_name(part) => name.push(part),
            (None, _) => name.clear(),
        }
    }
    found.retain(|prefix| !prefix.is_empty());
    found
}

/// Beyond ASCII names may hold more than letters and digits, and what they may not hold can't be compiled anyway.
fn is_of_a_name(part: char) -> bool {
    part.is_alphanumeric() || !part.is_ascii() || matches!(part, '-' | '_' | '.')
}

fn number_of(float: f64) -> Option<Value> {
    let text = format!("{float}");
    Number::parse(&text).or_else(|| Number::from_f64(float)).map(Value::Number)
}

fn is_html(text: &str) -> bool {
    let begin: String = text.trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
    begin.starts_with("<!doctype html") || begin.starts_with("<html")
}

fn from_xml(text: &str) -> Result<Package, String> {
    sxd_document::parser::parse(text.trim_start())
        .map_err(|error| format!("the text is no XML: {error}").trim_end().to_owned())
}

/// Renames the elements of default namespaces to their plain names; gives the prefixes that the document declares.
fn plain_names_for_default_namespaces(document: &Document<'_>) -> Result<Vec<(String, String)>, String> {
    let mut prefixes = vec![("xml".to_owned(), "http://www.w3.org/XML/1998/namespace".to_owned())];
    let mut open: Vec<(Element<'_>, usize)> =
        document.root().children().iter().filter_map(|child| child.element()).map(|root| (root, 0)).collect();
    while let Some((element, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err("the document is too deeply nested".to_owned());
        }
        for namespace in element.namespaces_in_scope() {
            let known = |(prefix, _): &(String, String)| prefix == namespace.prefix();
            if !prefixes.iter().any(known) {
                prefixes.push((namespace.prefix().to_owned(), namespace.uri().to_owned()));
            }
        }
        let children = element.children();
        if element.name().namespace_uri().is_some() && element.preferred_prefix().is_none() {
            element.set_name(element.name().local_part());
        }
        open.extend(children.iter().filter_map(|child| child.element()).map(|child| (child, depth + 1)));
    }
    Ok(prefixes)
}

/// Reads HTML by the rules of browsers and builds the same tree as XML.
fn from_html(text: &str) -> Result<Package, String> {
    let html = Html::parse_document(text);
    let package = Package::new();
    {
        let document = package.as_document();
        let mut open = vec![(html.tree.root(), None::<Element<'_>>, 0)];
        while let Some((node, parent, depth)) = open.pop() {
            if depth > MAX_DEPTH {
                return Err("the document is too deeply nested".to_owned());
            }
            let parent = match (node.value(), parent) {
                (HtmlNode::Element(element), parent) => {
                    let made = document.create_element(element.name());
                    for (name, value) in element.attrs() {
                        made.set_attribute_value(name, value);
                    }
                    match parent {
                        Some(parent) => parent.append_child(ChildOfElement::Element(made)),
                        None => document.root().append_child(ChildOfRoot::Element(made)),
                    }
                    Some(made)
                }
                (HtmlNode::Text(text), Some(parent)) => {
                    parent.append_child(ChildOfElement::Text(document.create_text(text)));
                    None
                }
                (_, parent) => parent,
            };
            // The last child is pushed first, so that the first is built first.
            open.extend(node.children().rev().map(|child| (child, parent, depth + 1)));
        }
    }
    Ok(package)
}

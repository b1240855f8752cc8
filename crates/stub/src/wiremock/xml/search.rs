//! XPath as WireMock asks it: without namespaces elements are found by their plain names, whatever their prefix.

use super::tree::{Child, Element};
use std::collections::BTreeMap;
use sxd_document::Package;
use sxd_document::dom::{ChildOfElement, Document, Element as SxdElement};
use sxd_xpath::nodeset::Node;
use sxd_xpath::{Context, Factory, Value as Found};

/// How long a question may be, and how deep its brackets may nest: the library goes down the stack for each.
const MAX_LENGTH: usize = 2_000;
const MAX_NESTING: usize = 8;

/// A question that has been read.
#[derive(Clone, Debug)]
pub(crate) struct XPath {
    text: String,
    namespaces: BTreeMap<String, String>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct XmlPart {
    /// As it stands in a text: an element written again, anything else its text.
    pub(crate) shown: String,
    /// Its text alone.
    pub(crate) text: String,
    /// An element's name; empty for anything else.
    pub(crate) name: String,
    /// An element's attributes.
    pub(crate) attributes: Vec<(String, String)>,
}

impl XPath {
    /// Reads a question; the error says in one line what is wrong.
    pub(crate) fn parse(text: &str, namespaces: BTreeMap<String, String>) -> Result<Self, String> {
        if text.len() > MAX_LENGTH || nesting(text) > MAX_NESTING {
            return Err("the expression is too long or too deeply nested".to_owned());
        }
        match Factory::new().build(text) {
            Ok(Some(_)) => Ok(Self { text: text.to_owned(), namespaces }),
            Ok(None) => Err("the expression is empty".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The name in `//name` without anything more. In WireMock this one form, and no other, does not find elements that
    /// have a prefix.
    fn lone_name(&self) -> Option<&str> {
        let name = self.text.trim().strip_prefix("//")?;
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        (self.namespaces.is_empty() && !name.is_empty() && name.chars().all(is_plain)).then_some(name)
    }

    /// Asks it of a document. The error says why it can't be asked.
    pub(crate) fn find(&self, root: &Element) -> Result<Vec<XmlPart>, String> {
        if let Some(prefix) =
            prefixes(&self.text).into_iter().find(|prefix| !self.namespaces.contains_key(prefix))
        {
            return Err(format!("Prefix must resolve to a namespace: {prefix}"));
        }
        if let Some(name) = self.lone_name() {
            let mut found = Vec::new();
            named(root, name, &mut found);
            return Ok(found);
        }
        let package = Package::new();
        let document = package.as_document();
        let uses_namespaces = !self.namespaces.is_empty();
        let made = build(&document, root, &BTreeMap::new(), uses_namespaces);
        document.root().append_child(made);
        let mut context = Context::new();
        for (prefix, uri) in &self.namespaces {
            context.set_namespace(prefix, uri);
        }
        let xpath = Factory::new().build(&self.text).ok().flatten().ok_or("the expression is empty")?;
        match xpath.evaluate(&context, document.root()).map_err(|error| error.to_string())? {
            Found::Nodeset(nodes) => Ok(nodes.document_order().into_iter().map(part).collect()),
            Found::Boolean(flag) => Ok(vec![plain(flag.to_string())]),
            Found::Number(number) => Ok(vec![plain(shown_number(number))]),
            Found::String(text) => Ok(vec![plain(text)]),
        }
    }
}

/// Elements of this very name, prefixes included.
fn named(element: &Element, name: &str, found: &mut Vec<XmlPart>) {
    if element.name == name {
        found.push(XmlPart {
            shown: element.to_pretty().trim_end().to_owned(),
            text: element.text(),
            name: element.name.clone(),
            attributes: element.attributes.clone(),
        });
    }
    for child in &element.children {
        if let Child::Element(child) = child {
            named(child, name, found);
        }
    }
}

/// A number as WireMock shows it: with at most three digits behind the point.
fn shown_number(number: f64) -> String {
    let text = format!("{number:.3}");
    if number.is_finite() {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        number.to_string()
    }
}

fn plain(text: String) -> XmlPart {
    XmlPart { shown: text.clone(), text, name: String::new(), attributes: Vec::new() }
}

fn part(node: Node<'_>) -> XmlPart {
    match node {
        Node::Element(element) => {
            let read = back(element);
            XmlPart {
                shown: read.to_pretty().trim_end().to_owned(),
                text: read.text(),
                name: read.name,
                attributes: read.attributes,
            }
        }
        Node::Root(root) => {
            let element = root.children().iter().find_map(|child| child.element());
            element.map_or_else(|| plain(String::new()), |element| part(Node::Element(element)))
        }
        other => plain(other.string_value()),
    }
}

/// The tree that the library searches, of ours.
fn build<'d>(
    document: &Document<'d>,
    element: &Element,
    known: &BTreeMap<String, String>,
    uses_namespaces: bool,
) -> SxdElement<'d> {
    let mut known = known.clone();
    for (name, value) in &element.attributes {
        if name == "xmlns" {
            known.insert(String::new(), value.clone());
        } else if let Some(prefix) = name.strip_prefix("xmlns:") {
            known.insert(prefix.to_owned(), value.clone());
        }
    }
    let uri = known.get(element.prefix()).filter(|uri| uses_namespaces && !uri.is_empty());
    let made = match uri {
        Some(uri) => document.create_element((uri.as_str(), element.local_name())),
        None => document.create_element(element.local_name()),
    };
    if uri.is_some() && !element.prefix().is_empty() {
        made.set_preferred_prefix(Some(element.prefix()));
    }
    for (name, value) in &element.attributes {
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        let uri = name.split_once(':').and_then(|(prefix, _)| known.get(prefix)).filter(|_| uses_namespaces);
        let local = super::tree::local(name);
        match uri {
            Some(uri) => made.set_attribute_value((uri.as_str(), local), value),
            None => made.set_attribute_value(local, value),
        };
    }
    for child in &element.children {
        match child {
            Child::Element(child) => made.append_child(build(document, child, &known, uses_namespaces)),
            Child::Text(text) | Child::Cdata(text) => made.append_child(document.create_text(text)),
        }
    }
    made
}

/// Our tree, of what was found.
fn back(element: SxdElement<'_>) -> Element {
    let name = match element.preferred_prefix() {
        Some(prefix) => format!("{prefix}:{}", element.name().local_part()),
        None => element.name().local_part().to_owned(),
    };
    let attributes = element.attributes();
    let mut attributes: Vec<(String, String)> =
        attributes.iter().map(|one| (one.name().local_part().to_owned(), one.value().to_owned())).collect();
    attributes.sort();
    let children = element.children().into_iter().filter_map(|child| match child {
        ChildOfElement::Element(element) => Some(Child::Element(back(element))),
        ChildOfElement::Text(text) => Some(Child::Text(text.text().to_owned())),
        ChildOfElement::Comment(_) | ChildOfElement::ProcessingInstruction(_) => None,
    });
    Element { name, attributes, children: children.collect() }
}

/// How deep brackets nest, those in texts included: an upper bound is enough.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_a_row) = (0_usize, 0, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        in_a_row = if matches!(byte, b'-' | b'!' | b'+') { in_a_row + 1 } else { 0 };
        deepest = deepest.max(depth).max(in_a_row / 8);
    }
    deepest
}

/// The names before a single colon, outside of quotes: `p` in `//p:state`, nothing in `child::a`.
fn prefixes(question: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut name = String::new();
    let mut letters = question.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, ':') if letters.next_if_eq(&':').is_some() => name.clear(),
            (None, ':') => found.push(std::mem::take(&mut name)),
            (None, part) if part.is_alphanumeric() || matches!(part, '-' | '_' | '.') => name.push(part),
            (None, _) => name.clear(),
        }
    }
    found.retain(|prefix| !prefix.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_plain_names_or_in_namespaces() {
        let xml = "<s:Envelope xmlns:s='urn:s' xmlns='urn:d'><s:Body><item id='7'>a</item><item id='8'><b>c</b></item></s:Body></s:Envelope>";
        let root = Element::parse(xml).unwrap();
        let named: BTreeMap<String, String> =
            [("q", "urn:s"), ("d", "urn:d")].map(|(prefix, uri)| (prefix.to_owned(), uri.to_owned())).into();
        for (question, namespaces, expect) in [
            ("//item/@id", BTreeMap::new(), "7,8"),
            ("/Envelope/Body/item[1]/text()", BTreeMap::new(), "a"),
            ("//item[2]", BTreeMap::new(), "<item id=\"8\">\n  <b>c</b>\n</item>"),
            ("count(//item)", BTreeMap::new(), "2"),
            ("1 div 3", BTreeMap::new(), "0.333"),
            ("//Envelope", BTreeMap::new(), ""),
            ("count(//Envelope/Body)", BTreeMap::new(), "1"),
            ("//q:Body/d:item[@id='7']/text()", named.clone(), "a"),
            ("//item", named.clone(), ""),
            ("//item[@id='9']", BTreeMap::new(), ""),
            ("string(//item[1])", BTreeMap::new(), "a"),
        ] {
            let xpath = XPath::parse(question, namespaces).unwrap();
            let found: Vec<String> = xpath.find(&root).unwrap().into_iter().map(|part| part.shown).collect();
            assert_eq!(found.join(","), expect, "{question}");
        }
        assert!(XPath::parse("//[", BTreeMap::new()).is_err());
        assert!(XPath::parse("//s:Body", BTreeMap::new()).unwrap().find(&root).is_err());
    }
}

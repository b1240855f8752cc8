//! XML text to a tree with names as written, prefixes included: what they mean depends on who asks.
//!
//! The library that searches (`sxd`) refuses prefixes that nobody declares, and WireMock doesn't; so the text is read
//! here. No external entity is ever looked up, and only the five that XML itself knows are read.

use std::fmt::Write as _;

/// How deep elements may nest.
const MAX_DEPTH: usize = 256;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// `soap:Envelope`
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Child>,
}

/// What stands in an element. Comments and processing instructions are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    Element(Element),
    Text(String),
    /// Text that was marked to be no markup.
    Cdata(String),
}

impl Element {
    /// Reads a document; the error says in one line what is wrong and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        reader.between()?;
        if !reader.rest().starts_with('<') {
            return Err(reader.wrong("Content is not allowed in prolog."));
        }
        let root = reader.element(0)?;
        reader.between()?;
        if reader.rest().is_empty() {
            Ok(root)
        } else {
            Err(reader.wrong("The markup in the document following the root element must be well-formed."))
        }
    }

    /// The name without its prefix.
    pub(crate) fn local_name(&self) -> &str {
        local(&self.name)
    }

    /// The prefix; empty where there is none.
    pub(crate) fn prefix(&self) -> &str {
        self.name.split_once(':').map_or("", |(prefix, _)| prefix)
    }

    /// All text in it.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.add_text(&mut out);
        out
    }

    fn add_text(&self, out: &mut String) {
        for child in &self.children {
            match child {
                Child::Element(element) => element.add_text(out),
                Child::Text(text) | Child::Cdata(text) => out.push_str(text),
            }
        }
    }

    /// Written again, an element that holds elements over several lines.
    pub(crate) fn to_pretty(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out.push('\n');
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        let _ = write!(out, "<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escape(value).replace('"', "&quot;"));
        }
        let is_blank = |child: &Child| matches!(child, Child::Text(text) if text.trim().is_empty());
        let holds_text = self
            .children
            .iter()
            .any(|child| matches!(child, Child::Text(_) | Child::Cdata(_)) && !is_blank(child));
        if self.children.iter().all(is_blank) {
            let text = self.text();
            if text.is_empty() {
                out.push_str("/>");
            } else {
                let _ = write!(out, ">{text}</{}>", self.name);
            }
            return;
        }
        out.push('>');
        for child in self.children.iter().filter(|child| holds_text || !is_blank(child)) {
            match child {
                Child::Text(text) => out.push_str(&escape(text)),
                Child::Cdata(text) => drop(write!(out, "<![CDATA[{text}]]>")),
                Child::Element(element) => {
                    if !holds_text {
                        out.push('\n');
                        out.extend(std::iter::repeat_n("  ", depth + 1));
                    }
                    element.write(depth + 1, out);
                }
            }
        }
        if !holds_text {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
        let _ = write!(out, "</{}>", self.name);
    }
}

/// A name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn wrong(&self, what: &str) -> String {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{what}; line {line}; column {column}")
    }

    /// What may stand before and after the root: white space, declarations, comments, a type.
    fn between(&mut self) -> Result<(), String> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            if rest.starts_with("<?xml ") && self.at > 0 {
                return Err(
                    self.wrong("The processing instruction target matching \"[xX][mM][lL]\" is not allowed.")
                );
            }
            if rest.starts_with("<?") {
                self.skip_to("?>")?;
            } else if rest.starts_with("<!--") {
                self.skip_to("-->")?;
            } else if rest.starts_with("<!DOCTYPE") {
                self.doctype()?;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_to(&mut self, end: &str) -> Result<(), String> {
        match self.rest().find(end) {
            Some(at) => {
                self.at += at + end.len();
                Ok(())
            }
            None => Err(self.wrong("XML document structures must start and end within the same entity.")),
        }
    }

    fn doctype(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        for (at, letter) in self.rest().char_indices() {
            match letter {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                '>' if depth == 0 => {
                    self.at += at + 1;
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(self.wrong("The document type declaration must end with '>'."))
    }

    fn name(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.');
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let starts_well = rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':'));
        if length == 0 || !starts_well {
            return Err(
                self.wrong("The content of elements must consist of well-formed character data or markup.")
            );
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    fn space(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start().len();
        self.at += length;
        length > 0
    }

    fn element(&mut self, depth: usize) -> Result<Element, String> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("The document is too deeply nested."));
        }
        self.at += 1;
        let mut element = Element { name: self.name()?, ..Element::default() };
        loop {
            let spaced = self.space();
            let rest = self.rest();
            if rest.starts_with("/>") {
                self.at += 2;
                return Ok(element);
            }
            if rest.starts_with('>') {
                self.at += 1;
                break;
            }
            if rest.is_empty() {
                return Err(self.wrong("XML document structures must start and end within the same entity."));
            }
            if !spaced {
                return Err(self.wrong(&format!(
                    "Element type \"{}\" must be followed by either attribute specifications, \">\" or \"/>\".",
                    element.name
                )));
            }
            let attribute = self.attribute()?;
            if element.attributes.iter().any(|(name, _)| *name == attribute.0) {
                return Err(self.wrong(&format!("Attribute \"{}\" was already specified.", attribute.0)));
            }
            element.attributes.push(attribute);
        }
        self.content(&mut element, depth)?;
        Ok(element)
    }

    fn attribute(&mut self) -> Result<(String, String), String> {
        let name = self.name()?;
        self.space();
        if !self.rest().starts_with('=') {
            return Err(
                self.wrong(&format!("Attribute name \"{name}\" must be followed by the ' = ' character."))
            );
        }
        self.at += 1;
        self.space();
        let Some(quote @ ('"' | '\'')) = self.rest().chars().next() else {
            return Err(self.wrong(&format!("Open quote is expected for attribute \"{name}\".")));
        };
        self.at += 1;
        let Some(length) = self.rest().find(quote) else {
            return Err(self.wrong("The value of an attribute is not closed."));
        };
        let raw = &self.rest()[..length];
        if raw.contains('<') {
            return Err(self.wrong("The value of an attribute must not contain the '<' character."));
        }
        let value = self.unescape(raw)?.replace(['\n', '\t', '\r'], " ");
        self.at += length + 1;
        Ok((name, value))
    }

    /// What stands in an element, its end included.
    fn content(&mut self, element: &mut Element, depth: usize) -> Result<(), String> {
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(length) = rest.find('<') else {
                return Err(self.wrong("XML document structures must start and end within the same entity."));
            };
            text.push_str(&self.unescape(&rest[..length])?);
            self.at += length;
            let rest = self.rest();
            if rest.starts_with("<!--") {
                self.skip_to("-->")?;
            } else if rest.starts_with("<?") {
                self.skip_to("?>")?;
            } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
                let Some(length) = data.find("]]>") else {
                    return Err(self.wrong("The CDATA section is not closed."));
                };
                if !text.is_empty() {
                    element.children.push(Child::Text(std::mem::take(&mut text)));
                }
                element.children.push(Child::Cdata(data[..length].to_owned()));
                self.at += 9 + length + 3;
            } else {
                if !text.is_empty() {
                    element.children.push(Child::Text(std::mem::take(&mut text)));
                }
                if rest.starts_with("</") {
                    return self.end(&element.name);
                }
                element.children.push(Child::Element(self.element(depth + 1)?));
            }
        }
    }

    fn end(&mut self, name: &str) -> Result<(), String> {
        self.at += 2;
        let found = self.name()?;
        self.space();
        if found != name || !self.rest().starts_with('>') {
            return Err(self.wrong(&format!(
                "The element type \"{name}\" must be terminated by the matching end-tag \"</{name}>\"."
            )));
        }
        self.at += 1;
        Ok(())
    }

    fn unescape(&self, raw: &str) -> Result<String, String> {
        if !raw.contains('&') {
            return Ok(raw.to_owned());
        }
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.find('&') {
            out.push_str(&rest[..at]);
            let Some((name, after)) = rest[at + 1..].split_once(';') else {
                return Err(self.wrong("The reference to an entity must end with the ';' delimiter."));
            };
            let letter = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => {
                    let hex = name.strip_prefix("#x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
                    let code = hex.or_else(|| name.strip_prefix('#').and_then(|digits| digits.parse().ok()));
                    code.and_then(char::from_u32)
                }
            };
            match letter {
                Some(letter) => out.push(letter),
                // An entity of the document's own type is not looked up.
                None if !name.starts_with('#') => {}
                None => return Err(self.wrong("That is no character.")),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_read_as_written() {
        for (text, pretty) in [
            ("<a/>", "<a/>\n"),
            (
                "<?xml version='1.0'?><!-- x --><a x='1' y=\"&lt;\"><b>t &amp; u</b><c/></a>",
                "<a x=\"1\" y=\"&lt;\">\n  <b>t &amp; u</b>\n  <c/>\n</a>\n",
            ),
            ("<s:a xmlns:s='u'><![CDATA[<x>]]></s:a>", "<s:a xmlns:s=\"u\"><![CDATA[<x>]]></s:a>\n"),
            ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;&#65;</a>", "<a>A</a>\n"),
        ] {
            assert_eq!(Element::parse(text).map(|root| root.to_pretty()).as_deref(), Ok(pretty), "{text}");
        }
        for text in [
            "",
            "a",
            "<a",
            "<a>",
            "<a></b>",
            "<a><b></a></b>",
            "<a/><b/>",
            "<a x=1/>",
            "<a x='1' x='2'/>",
            "<a>&#xZZ;</a>",
            "<a>&amp</a>",
        ] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
        assert!(Element::parse(&"<a>".repeat(100_000)).is_err());
    }
}

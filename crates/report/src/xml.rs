//! Texts made fit for XML, which forbids most control characters even as references.

use crate::clean::{block, line};

/// Fit for an attribute: on one line.
pub(crate) fn attribute(text: &str) -> String {
    escape(&line(text))
}

/// Fit for the content of an element: line ends and tabs stay.
pub(crate) fn content(text: &str) -> String {
    escape(&block(text))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Two characters that are none, and no XML.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_becomes_xml_that_others_read() {
        let all: String = (0..0x3000).chain(0xfff0..0x1_0100).filter_map(char::from_u32).collect();
        let text = format!("<a b=\"{}\">{}</a>", attribute(&all), content(&all));
        let package = sxd_document::parser::parse(&text).unwrap();
        let root = package.as_document().root().children()[0].element().unwrap();
        assert!(
            root.attribute_value("b").is_some_and(|value| value.contains("\\x1b")
                && value.contains("%&'")
                && value.contains("<=>"))
        );
        assert_eq!(attribute("a\n\u{0}\u{1b}]]>"), "a\\n\\x00\\x1b]]&gt;");
        assert_eq!(content("a\n\tb\u{7}"), "a\n\tb\\x07");
    }
}

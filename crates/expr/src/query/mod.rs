//! Questions to a document in the languages that people know for it: JSONPath, XPath (XML and HTML), CSS selectors
//! (HTML). Each language is one file.

mod css;
mod json_path;
mod xpath;

use crate::find::Missing;
use seam_diag::{Diagnostic, Span};
use seam_value::Value;

/// Longer questions are not asked.
const MAX_LENGTH: usize = 2_000;
/// How deep brackets may nest. The libraries go down the stack for each, and look at the whole document for each that is a
/// condition in a condition.
const MAX_NESTING: usize = 8;

/// A question that has been read.
#[derive(Clone, Debug)]
pub struct Query {
    language: Language,
    text: String,
    asked: Asked,
}

/// In which language a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `$.items[*].sku` (RFC 9535), about any value.
    JsonPath,
    /// `//order/@id` (XPath 1.0), about a text that is XML or HTML.
    XPath,
    /// `a.confirm`, `a.confirm@href`, about a text that is HTML.
    Css,
}

#[derive(Clone, Debug)]
enum Asked {
    JsonPath(json_path::Question),
    XPath(xpath::Question),
    Css(css::Question),
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::JsonPath, Self::XPath, Self::Css];

    /// The key that it has in `expect` and `save`.
    pub fn key(self) -> &'static str {
        match self {
            Self::JsonPath => "jsonpath",
            Self::XPath => "xpath",
            Self::Css => "css",
        }
    }

    /// The part of a result that a question is about where nothing is said: `body` for JSONPath, `text` for the
    /// others; all of the result where it has no such part.
    pub fn subject(self, result: &Value) -> &Value {
        let name = if self == Self::JsonPath { "body" } else { "text" };
        result.get(name).unwrap_or(result)
    }
}

impl Query {
    /// Reads a question; `place` says where its parts stand (offset and length in bytes).
    pub fn parse(
        language: Language,
        text: &str,
        place: &dyn Fn(usize, usize) -> Span,
    ) -> Result<Self, Box<Diagnostic>> {
        let asked = match language {
            _ if text.len() > MAX_LENGTH || nesting(text) > MAX_NESTING => {
                Err(Mistake { offset: 0, message: "it is too long or too deeply nested".to_owned() })
            }
            Language::JsonPath => json_path::Question::parse(text).map(Asked::JsonPath),
            Language::XPath => xpath::Question::parse(text).map(Asked::XPath),
            Language::Css => css::Question::parse(text).map(Asked::Css),
        };
        match asked {
            Ok(asked) => Ok(Self { language, text: text.to_owned(), asked }),
            Err(mistake) => {
                let offset = mistake.offset.min(text.len());
                let span = if offset == 0 { place(0, text.len()) } else { place(offset, 1) };
                let title = format!("this is no {}", language.key());
                Err(Diagnostic::error(title).at(span, mistake.message).into())
            }
        }
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Can it find several things, and is its answer therefore a list?
    pub fn is_many(&self) -> bool {
        match &self.asked {
            Asked::JsonPath(question) => question.is_many(),
            Asked::XPath(_) | Asked::Css(_) => false,
        }
    }

    /// Why it finds nothing: where the way to the one thing that it asks for stops, as far as that can be said.
    pub fn missing(&self, value: &Value) -> Missing {
        let stopped = match &self.asked {
            Asked::JsonPath(question) => question.missing(value),
            Asked::XPath(_) | Asked::Css(_) => None,
        };
        stopped.unwrap_or_else(|| Missing::nowhere("this finds nothing"))
    }

    /// Asks it. None where nothing is found; the error says why the value can't be asked.
    pub fn find(&self, value: &Value) -> Result<Option<Value>, String> {
        match &self.asked {
            Asked::JsonPath(question) => Ok(question.find(value)),
            Asked::XPath(question) => question.find(document(value)?),
            Asked::Css(question) => question.find(document(value)?),
        }
    }
}

/// How deep brackets nest and signs stand in a row, those in texts included: an upper bound is enough.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_a_row) = (0_usize, 0, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        in_a_row = if matches!(byte, b'-' | b'!' | b'+') { in_a_row + 1 } else { 0 };
        deepest = deepest.max(depth).max(in_a_row / 8);
    }
    deepest
}

/// Why a text is no question.
struct Mistake {
    /// The byte that it is about; 0 where that is not known.
    offset: usize,
    message: String,
}

/// The text of a document.
fn document(value: &Value) -> Result<&str, String> {
    value.as_text().ok_or_else(|| {
        let kind = crate::expression::item::kind_name(value);
        format!("only a text can be searched, this is {kind}")
    })
}

/// What was found: one thing as it is, several as a list.
fn one_or_list(mut found: Vec<Value>) -> Option<Value> {
    match found.len() {
        0 => None,
        1 => found.pop(),
        _ => Some(Value::List(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::FileId;

    fn read(language: Language, text: &str) -> Result<Query, Box<Diagnostic>> {
        let place = |from: usize, length: usize| Span {
            file: FileId(0),
            start: u32::try_from(from).unwrap(),
            end: u32::try_from(from + length).unwrap(),
        };
        Query::parse(language, text, &place)
    }

    fn asked(language: Language, question: &str, value: &Value) -> String {
        let query = read(language, question).unwrap_or_else(|error| panic!("{question}: {error:?}"));
        match query.find(value) {
            Ok(Some(found)) => found.to_string(),
            Ok(None) => "nothing".to_owned(),
            Err(reason) => reason,
        }
    }

    #[test]
    fn json_path() {
        let body = seam_value::parse(
            r#"{"total":19.90,"id":12345678901234567890123,"items":[{"sku":"A1","n":2},{"sku":"B2","n":3}]}"#,
        )
        .unwrap();
        for (question, expect) in [
            ("$.total", "19.90"),
            ("$.id", "12345678901234567890123"),
            ("$.items[0].sku", "\"A1\""),
            ("$['items'][-1]['sku']", "\"B2\""),
            ("$.items[*].sku", "[\"A1\",\"B2\"]"),
            ("$.items[?@.n > 2].sku", "[\"B2\"]"),
            ("$..n", "[2,3]"),
            ("$.nothing", "nothing"),
            ("$.nothing[*]", "[]"),
            ("$.items[0]", "{\"sku\":\"A1\",\"n\":2}"),
        ] {
            assert_eq!(asked(Language::JsonPath, question, &body), expect, "{question}");
        }
    }

    #[test]
    fn xpath_on_xml() {
        let xml = r#"<?xml version="1.0"?>
            <orders xmlns="urn:shop" xmlns:p="urn:pay"><order id="7"><total>19.90</total></order>
            <order id="8"><total>5</total><p:state>paid &amp; done</p:state></order></orders>"#;
        for (question, expect) in [
            ("//order/@id", "[\"7\",\"8\"]"),
            ("/orders/order[@id='7']/total", "\"19.90\""),
            ("count(//order)", "2"),
            ("sum(//total)", "24.9"),
            ("//p:state", "\"paid & done\""),
            ("//order[2]/total > 4", "true"),
            ("string(//order[1]/@id)", "\"7\""),
            ("//nothing", "nothing"),
        ] {
            assert_eq!(asked(Language::XPath, question, &Value::text(xml)), expect, "{question}");
        }
        // Marks are no letters, and names have them all the same: the second is a vowel sign of Siddham.
        for prefix in ["q", "\u{115bf}", "été-1"] {
            assert_eq!(
                asked(Language::XPath, &format!("//{prefix}:x"), &Value::text("<a/>")),
                format!("the document declares no prefix `{prefix}`")
            );
        }
        assert!(asked(Language::XPath, "//a", &Value::text("<a><b></a>")).starts_with("the text is no XML"));
        assert_eq!(
            asked(Language::XPath, "//a", &Value::from(5_i64)),
            "only a text can be searched, this is a number"
        );
    }

    const PAGE: &str = r#"<!doctype html><html><head><title>Shop</title></head><body>
        <p class="price">19.90 <b>EUR</b><br><a class=confirm href="/c?a=1&amp;b=2">confirm</a>
        <ul><li>one<li>two</ul></body></html>"#;

    #[test]
    fn css_and_xpath_on_html() {
        for (question, expect) in [
            ("title", "\"Shop\""),
            ("p.price b", "\"EUR\""),
            ("li", "[\"one\",\"two\"]"),
            ("a.confirm@href", "\"/c?a=1&b=2\""),
            ("a.confirm @href", "\"/c?a=1&b=2\""),
            ("li@id", "nothing"),
            (".nothing", "nothing"),
        ] {
            assert_eq!(asked(Language::Css, question, &Value::text(PAGE)), expect, "{question}");
        }
        for (question, expect) in
            [("//title", "\"Shop\""), ("//a[@class='confirm']/@href", "\"/c?a=1&b=2\""), ("count(//li)", "2")]
        {
            assert_eq!(asked(Language::XPath, question, &Value::text(PAGE)), expect, "{question}");
        }
        assert_eq!(
            asked(Language::Css, "a", &Value::text("<?xml version='1.0'?><a/>")),
            "`css` reads HTML; ask XML with `xpath`"
        );
    }

    #[test]
    fn what_is_no_question_is_told() {
        for (language, text) in [
            (Language::JsonPath, "items"),
            (Language::JsonPath, "$.items["),
            (Language::XPath, "//["),
            (Language::XPath, ""),
            (Language::Css, "a["),
            (Language::Css, ""),
            (Language::Css, "@href"),
        ] {
            let error = read(language, text).expect_err(text);
            assert_eq!(error.title, format!("this is no {}", language.key()), "{text}");
        }
    }

    #[test]
    fn odd_documents_do_no_harm() {
        let deep = "<a>".repeat(4_000) + &"</a>".repeat(4_000);
        for text in ["", "<", "<a", "&", "\u{0}", "<a>&nothing;</a>", "<!DOCTYPE html>", deep.as_str()] {
            for (language, question) in
                [(Language::XPath, "//a"), (Language::XPath, "string(/)"), (Language::Css, "a")]
            {
                let _ = asked(language, question, &Value::text(text));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_question_makes_it_panic(
            parts in proptest::collection::vec(proptest::sample::select(&[
                "/", "//", "a", "order", "@", "id", "[", "]", "1", "'x'", "=", "*", "::", "child", "p:", "xml:lang",
                "count(", "string(", ")", "|", "..", ".", "$v", "text()", "position()", " and ", "-", "<", "q:", "node()",
                "substring(", ",", "concat(", "$", "?", "name()", "..*", ":", ">", "+", " ", "#", "not(",
            ][..]), 0..8)
        ) {
            let text = parts.concat();
            let documents = [Value::text("<a xmlns:p='urn:p' id='1'><p:order xml:lang='x'>1</p:order>t</a>"), Value::text(PAGE),
                seam_value::parse(r#"{"a":[1,{"order":"x"}]}"#).unwrap()];
            for language in Language::ALL {
                if let Ok(query) = read(language, &text) {
                    for document in &documents {
                        let _ = query.find(document);
                    }
                }
            }
        }
    }
}

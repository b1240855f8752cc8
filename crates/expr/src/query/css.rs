//! CSS selectors on HTML, with `@name` at the end for an attribute: `a.confirm@href`.

use super::{Mistake, one_or_list};
use scraper::{Html, Selector};
use seam_value::Value;

#[derive(Clone, Debug)]
pub(super) struct Question {
    selector: Selector,
    attribute: Option<String>,
}

impl Question {
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        let (selector, attribute) = match text.rsplit_once('@') {
            Some((selector, name)) if is_attribute(name) => {
                (selector.trim_end(), Some(name.trim().to_owned()))
            }
            _ => (text, None),
        };
        match Selector::parse(selector) {
            Ok(selector) => Ok(Self { selector, attribute }),
            Err(error) => Err(Mistake { offset: 0, message: told(&error.to_string()) }),
        }
    }

    /// The text of the elements (all texts inside, as they stand), or the attribute of those that have it.
    pub(super) fn find(&self, text: &str) -> Result<Option<Value>, String> {
        if text.trim_start().starts_with("<?xml") {
            return Err("`css` reads HTML; ask XML with `xpath`".to_owned());
        }
        let html = Html::parse_document(text);
        let found = html.select(&self.selector).filter_map(|element| match &self.attribute {
            Some(name) => element.attr(name).map(Value::text),
            None => Some(Value::Text(element.text().collect())),
        });
        Ok(one_or_list(found.collect()))
    }
}

/// The reason of the reader, where it gives one; what it calls unexpected is a selector that is none at all.
fn told(reason: &str) -> String {
    match reason.lines().next() {
        Some(line) if !line.starts_with("Unexpected error") => line.to_owned(),
        _ => "expected a selector such as `p.total`".to_owned(),
    }
}

fn is_attribute(name: &str) -> bool {
    let name = name.trim();
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':'))
}

//! What works on XML.

use super::Helper;
use crate::wiremock::template::item::Item;
use crate::wiremock::template::render::{Called, error};
use crate::wiremock::xml::{Element, XPath};
use std::collections::BTreeMap;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("xPath", |called| search(&called, "")),
    ("soapXPath", |called| search(&called, "/Envelope/Body/")),
    ("formatXml", |mut called| {
        let text = match called.block {
            Some(_) => called.body()?,
            None => called.context.as_text().unwrap_or_default().to_owned(),
        };
        if text.trim().is_empty() {
            return error(
                "formatXml should take a block of XML to format or a single parameter of type String",
            );
        }
        let is_pretty = match called.named_text("format").as_deref() {
            None | Some("pretty") => true,
            Some("compact") => false,
            Some(other) => {
                return error(format!("formatXml: format [{other}] should be one of [pretty, compact]"));
            }
        };
        let Ok(root) = Element::parse(text.trim()) else { return error("Input is not valid XML") };
        let lines = root.to_pretty();
        Ok(Item::text(if is_pretty { lines } else { lines.lines().map(str::trim).collect() }))
    }),
];

fn search(called: &Called<'_, '_>, before: &str) -> Result<Item, String> {
    let text = called.context.print();
    if called.context == Item::Nothing {
        return Ok(Item::text(""));
    }
    let Some(question) = called.parameter(0).map(Item::print) else {
        return error("The XPath expression cannot be empty");
    };
    let Ok(root) = Element::parse(text.trim()) else { return error(format!("{text} is not valid XML")) };
    let found =
        XPath::parse(&format!("{before}{question}"), BTreeMap::new()).and_then(|path| path.find(&root));
    match found {
        Err(_) => error(format!("{question} is not a valid XPath expression")),
        Ok(parts) if parts.is_empty() => Ok(Item::text("")),
        Ok(parts) => Ok(Item::Many(parts.into_iter().map(Item::Xml).collect())),
    }
}

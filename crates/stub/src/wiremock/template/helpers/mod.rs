//! The helpers that templates may call, by what they work on: one line in a table each.
#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "all helpers have one signature"
)]

mod chance;
mod dates;
mod decimal;
mod json;
mod lists;
mod logic;
mod numbers;
mod text;
mod xml;

use super::item::Item;
use super::render::Called;

/// What a helper does.
pub(super) type Helper = fn(Called<'_, '_>) -> Result<Item, String>;

/// All of them. One signature serves those that may fail and those that can't, those that change what is given and those
/// that only look.
pub(super) const HELPERS: &[&[(&str, Helper)]] = &[
    logic::HELPERS,
    text::OF_HANDLEBARS,
    text::HELPERS,
    json::HELPERS,
    xml::HELPERS,
    lists::HELPERS,
    dates::HELPERS,
    numbers::HELPERS,
    chance::HELPERS,
];

/// Does a helper say its next parameter where it is given nothing?
pub(super) fn passes_on_nothing(name: &str) -> bool {
    text::OF_HANDLEBARS.iter().any(|(known, _)| *known == name)
}

//! The helpers that templates may call, by what they work on: one line in a table each.

mod chance;
mod dates;
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

/// All of them.
pub(super) const HELPERS: &[&[(&str, Helper)]] = &[
    logic::HELPERS,
    text::HELPERS,
    json::HELPERS,
    xml::HELPERS,
    lists::HELPERS,
    dates::HELPERS,
    numbers::HELPERS,
    chance::HELPERS,
];

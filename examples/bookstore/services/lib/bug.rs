//! The bugs that can be switched on, one at a time, with `BUG=B01` and so on.
//!
//! The environment is read once and nothing is ever logged about it, so that a bug shows only by what it does.

use std::sync::OnceLock;

/// One seeded bug; the table in the example's README gives the class of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Pricing answers euros, orders cuts off cents.
    B01,
    /// Notify writes mails in ASCII.
    B02,
    /// Orders counts a reservation's time in seconds.
    B03,
    /// Cart renames `qty`.
    B05,
    /// Orders writes states in capitals.
    B06,
    /// Pricing needs its cache.
    B07,
    /// Payments trusts the status line.
    B08,
    /// Notify takes a refused mail for sent.
    B09,
    /// Gateway repeats an order without its key.
    B10,
    /// Gateway is less patient than orders.
    B11,
    /// Inventory reads, then writes.
    B13,
    /// Cart reads, then writes.
    B14,
    /// Orders tells notify without the outbox.
    B16,
    /// Orders keeps the reservation when payments is cut off.
    B17,
    /// Payments keeps its token too long.
    B19,
    /// Gateway reads one page.
    B20,
}

const NAMES: [(&str, Bug); 16] = [
    ("B01", Bug::B01),
    ("B02", Bug::B02),
    ("B03", Bug::B03),
    ("B05", Bug::B05),
    ("B06", Bug::B06),
    ("B07", Bug::B07),
    ("B08", Bug::B08),
    ("B09", Bug::B09),
    ("B10", Bug::B10),
    ("B11", Bug::B11),
    ("B13", Bug::B13),
    ("B14", Bug::B14),
    ("B16", Bug::B16),
    ("B17", Bug::B17),
    ("B19", Bug::B19),
    ("B20", Bug::B20),
];

/// Whether this bug is switched on.
pub fn on(bug: Bug) -> bool {
    static SWITCH: OnceLock<Option<Bug>> = OnceLock::new();
    let switch = SWITCH.get_or_init(|| {
        let wanted = std::env::var("BUG").ok()?;
        NAMES.iter().find(|(name, _)| *name == wanted).map(|(_, bug)| *bug)
    });
    *switch == Some(bug)
}

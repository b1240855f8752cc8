//! The group `spine`: standing on seams, running steps, raising PostgreSQL, restoring its state, the whole example.

mod bookstore;
mod load;
mod postgres;
mod restore;
mod rivals;
mod run;
mod runner;
mod seams;

use crate::ground::Ground;
use crate::row::Row;

/// A part of the group and what measures it.
type Measured = (&'static str, fn(&Ground) -> Result<Vec<Row>, String>);

const PARTS: &[Measured] = &[
    ("seam http", seams::http),
    ("seam postgres", seams::postgres),
    ("runner", runner::measure),
    ("postgres start", postgres::measure),
    ("restore", restore::measure),
    ("bookstore", bookstore::measure),
];

/// Measures the whole group; what can't be measured says why and stops nothing.
pub(crate) fn run(ground: &Ground) -> Vec<Row> {
    let wanted = PARTS.iter().filter(|(name, _)| ground.wants(name));
    wanted
        .flat_map(|(name, measure)| {
            eprintln!("measuring {name}");
            measure(ground).unwrap_or_else(|why| vec![Row::not_measured(*name, why)])
        })
        .collect()
}

//! Whatever a decoder tells of stands in its protocol's table: people look fields up there, and a `where` that asks for
//! another is refused.

use crate::capture::replay;
use crate::captures::all;
use seam_model::{Field, Shape};
use seam_value::{Value, parse};
use seam_wire::Limits;
use std::collections::BTreeSet;

#[test]
fn every_field_stands_in_the_table_of_its_protocol() {
    let mut stray = BTreeSet::new();
    for case in all() {
        let outcome = replay(case.protocol, &case.pieces, Limits::default(), &mut |n_left| n_left);
        for line in outcome.lines {
            let told = parse(&line).expect("a line of JSON");
            for part in ["request", "reply", "message"] {
                let Some(value) = told.get(part) else { continue };
                let path = format!("{}: {part}", case.protocol.name());
                unknown(&case.protocol.fields_of(part), value, &path, &mut stray);
            }
        }
    }
    assert!(stray.is_empty(), "{stray:#?}");
}

/// The paths of what is told and stands nowhere.
fn unknown(fields: &[&Field], value: &Value, path: &str, stray: &mut BTreeSet<String>) {
    for (name, value) in value.as_map().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match fields.iter().find(|field| field.name == name).map(|field| field.shape) {
            Some(Shape::Fields(fields)) => {
                unknown(&fields.iter().collect::<Vec<_>>(), value, &path, stray);
            }
            Some(_) => {}
            None => drop(stray.insert(path)),
        }
    }
}

//! Every matcher: one file and one line here.

mod above;
mod after;
mod any;
mod at;
mod at_least;
mod at_most;
mod before;
mod below;
mod bounds;
mod contains;
mod elements;
mod empty;
mod ends_with;
pub(crate) mod equals;
mod every;
mod exists;
mod in_any_order;
mod like;
mod matches;
mod near;
mod not;
mod one_of;
mod schema;
mod size;
mod snapshot;
mod sorted;
mod starts_with;
pub(crate) mod that;
mod times;
mod r#type;
mod unique;

use crate::kind::Kind;

/// Every matcher that may stand right of a path.
pub static MATCHERS: &[Kind] = &[
    equals::KIND,
    not::KIND,
    r#type::KIND,
    contains::KIND,
    starts_with::KIND,
    ends_with::KIND,
    matches::KIND,
    one_of::KIND,
    above::KIND,
    below::KIND,
    at_least::KIND,
    at_most::KIND,
    near::KIND,
    size::KIND,
    empty::KIND,
    exists::KIND,
    like::KIND,
    in_any_order::KIND,
    any::KIND,
    every::KIND,
    unique::KIND,
    sorted::KIND,
    schema::KIND,
    snapshot::KIND,
    before::KIND,
    after::KIND,
    at::KIND,
    that::KIND,
];

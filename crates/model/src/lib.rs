//! What the user declares, as plain values with their places in the files.
//!
//! Nothing here acts. A [`Node`] is a piece of YAML with its place; [`System`] and [`TestFile`] are what the two
//! kinds of file say; a [`Word`] documents one kind (a step, a matcher, a service) and is where help, schema and
//! reference come from. Kinds read their own fields from nodes with [`Fields`].
#![forbid(unsafe_code)]

mod fields;
mod node;
mod quantity;
mod system;
mod test;
mod word;

pub use fields::Fields;
pub use node::{Entry, Form, Node, NodeKind, Piece, Spanned};
pub use quantity::{duration, size};
pub use system::{Component, Deadlines, Invariant, Prepare, Secret, System};
pub use test::{
    Each, Expectation, Fails, Fixture, Flow, Included, Need, Pacing, Save, Scope, Step, Take, Test,
    TestDefaults, TestFile,
};
pub use word::{Field, Need as FieldNeed, Shape, Word};

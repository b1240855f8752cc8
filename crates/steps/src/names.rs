//! Stands in for the crate `expr` until that has landed: variables as steps ask for them.

use seam_diag::Span;
use seam_value::Value;

/// A variable that is used, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameUse {
    /// Its name, without path.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// The variables of a test, as they stand now.
pub trait Names: Send + Sync {
    /// The value of a name.
    fn value(&self, name: &str) -> Option<Value>;
}

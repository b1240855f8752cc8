//! What varies from run to run: paths with `*` for every element, and what they cover.

use seam_expr::{Path, Segment};
use std::fmt;

/// A path that varies: `reply.body.items.*.id`, `reply.headers.date`. Below `request.path` the names are the parts
/// between its slashes, from 0. With a `?` behind it (`reply.body.next?`) it may be missing, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Volatile {
    /// The path.
    pub path: Path,
    /// May it be missing?
    pub may_be_absent: bool,
}

impl Volatile {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, seam_expr::PathError> {
        let (path, may_be_absent) = match text.strip_suffix('?') {
            Some(path) => (path, true),
            None => (text, false),
        };
        Ok(Self { path: Path::parse(path)?, may_be_absent })
    }

    /// Of names as they stand in a value; `*` is every element.
    pub(crate) fn of(names: &[String], may_be_absent: bool) -> Self {
        let text = names.iter().fold(String::new(), |path, name| match name.as_str() {
            "*" => format!("{path}.*"),
            name => seam_expr::below(&path, name),
        });
        let path = Path::parse(&text).unwrap_or_else(|_| Path::of_names(names.iter().cloned()));
        Self { path, may_be_absent }
    }

    fn covers(&self, at: &[String]) -> bool {
        let segments = self.path.segments();
        segments.len() == at.len()
            && segments.iter().zip(at).all(|(segment, name)| match segment {
                Segment::Every => true,
                Segment::Name(own) => own == name,
            })
    }

    fn is_below(&self, at: &[String]) -> bool {
        let segments = self.path.segments();
        segments.len() > at.len()
            && segments.iter().zip(at).all(|(segment, name)| match segment {
                Segment::Every => true,
                Segment::Name(own) => own == name,
            })
    }
}

impl fmt::Display for Volatile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.may_be_absent { "?" } else { "" })
    }
}

/// All that varies in one interaction.
#[derive(Clone, Debug, Default)]
pub struct Mask<'a> {
    lists: Vec<&'a [Volatile]>,
}

impl<'a> Mask<'a> {
    /// Of a recording's own list and an interaction's.
    pub fn new(all: &'a [Volatile], own: &'a [Volatile]) -> Self {
        Self { lists: vec![all, own] }
    }

    /// What covers this place, if anything does.
    pub(crate) fn at(&self, at: &[String]) -> Option<&'a Volatile> {
        self.lists.iter().flat_map(|list| list.iter()).find(|one| one.covers(at))
    }

    /// Does anything vary somewhere below this place?
    pub(crate) fn is_below(&self, at: &[String]) -> bool {
        self.lists.iter().flat_map(|list| list.iter()).any(|one| one.is_below(at))
    }
}

/// The parts of an address' path, which have numbers for names: `/orders/7` is `orders` and `7`.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Is this the place of an address' path?
pub(crate) fn is_address(at: &[String]) -> bool {
    matches!(at, [part, name] if part == "request" && name == "path")
}

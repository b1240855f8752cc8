//! Places in the user's files, for forms that want file, line and column apart.

use seam_diag::Sources;
use seam_event::Place;

/// A place as people and programs count: path, line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Where a place is; none where its file is not among the sources.
pub(crate) fn spot(sources: &Sources, place: Place) -> Option<Spot> {
    let location = sources.location(place.span())?;
    let path = location.path.to_string_lossy().replace('\\', "/");
    Some(Spot { path, line: location.line, column: location.column })
}

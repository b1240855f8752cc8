//! Places in the user's files, for forms that want file, line and column apart.

use crate::Options;
use seam_diag::Sources;
use seam_event::Place;
use seam_history::History;

/// A place as people and programs count: path, line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The user's files, and where their project lies in the repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files<'a> {
    sources: &'a Sources,
    folder: &'a str,
}

impl<'a> Files<'a> {
    pub(crate) fn of(history: &'a History, options: &'a Options) -> Self {
        Self { sources: &history.sources, folder: options.folder.trim_matches('/') }
    }

    /// Where a place is, as seen from the repository's root; none where its file is not among the sources.
    pub(crate) fn spot(self, place: Place) -> Option<Spot> {
        let location = self.sources.location(place.span())?;
        let path = location.path.to_string_lossy().replace('\\', "/");
        let path = if self.folder.is_empty() { path } else { format!("{}/{path}", self.folder) };
        Some(Spot { path, line: location.line, column: location.column })
    }
}

//! The user's files as they were read, and places in them.
//!
//! A place is a file and a range of bytes; line and column are worked out only when somebody has to see them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One of the files in [`Sources`], by its order of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// Where a place is, as people count: from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as the user would name it.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// One file with its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as shown to people: relative to where they stand, where that is shorter.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
    /// Where each line ends, once somebody has asked: thousands of mistakes in one file each ask for their line.
    line_ends: OnceLock<Vec<usize>>,
}

impl SourceFile {
    /// The number of the line in which a byte stands, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let ends = self.line_ends.get_or_init(|| {
            self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect()
        });
        1 + ends.partition_point(|end| *end < offset)
    }
}

/// All files that were read, by id.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Span {
    /// A place of no length at the beginning of a file.
    pub fn at_start(file: FileId) -> Self {
        Self { file, start: 0, end: 0 }
    }

    /// The part of this place that begins `from` bytes in and is `length` bytes long; never beyond its end.
    #[must_use]
    pub fn part(self, from: usize, length: usize) -> Self {
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let start = self.start.saturating_add(from).min(self.end);
        Self { file: self.file, start, end: start.saturating_add(length).min(self.end) }
    }

    /// From the beginning of this place to the end of the other.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { end: other.end.max(self.end), ..self }
    }
}

impl Sources {
    /// Keeps a file and gives it an id; one that is kept already has its own. Files beyond four thousand million are not
    /// read at all.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> FileId {
        let (path, text) = (path.into(), text.into());
        let known = self.files().find(|(_, file)| file.path == path && file.text == text);
        if let Some((id, _)) = known {
            return id;
        }
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile { path, text, line_ends: OnceLock::new() });
        id
    }

    /// The file of an id; `None` for an id of other sources.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(usize::try_from(id.0).ok()?)
    }

    /// All files in the order of reading.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0..).map(FileId).zip(&self.files)
    }

    /// The id of a file by its path.
    pub fn find(&self, path: &Path) -> Option<FileId> {
        self.files().find(|(_, file)| file.path == path).map(|(id, _)| id)
    }

    /// The text of a place; empty where the place is not in these sources.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file)
            .and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
    }

    /// Line and column of a place's beginning.
    pub fn location(&self, span: Span) -> Option<Location> {
        let file = self.file(span.file)?;
        let start = floor_to_character(&file.text, span.start as usize);
        let before = &file.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(Location {
            path: file.path.clone(),
            line: file.line(start),
            column: before[line_start..].chars().count() + 1,
        })
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// The nearest boundary of a character at or before `offset`.
pub(crate) fn floor_to_character(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "erste: ä\n  zweite: ö!\n");
        for (start, line, column) in
            [(0, 1, 1), (7, 1, 8), (10, 2, 1), (12, 2, 3), (22, 2, 12), (9_999, 3, 1)]
        {
            let location = sources.location(Span { file, start, end: start }).unwrap();
            assert_eq!((location.line, location.column), (line, column), "byte {start}");
        }
    }

    #[test]
    fn a_part_stays_inside() {
        let span = Span { file: FileId(0), start: 10, end: 20 };
        assert_eq!(span.part(3, 4), Span { start: 13, end: 17, ..span });
        assert_eq!(span.part(8, 9), Span { start: 18, end: 20, ..span });
        assert_eq!(span.part(50, 1), Span { start: 20, end: 20, ..span });
    }
}

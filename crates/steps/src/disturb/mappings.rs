//! A folder of WireMock's, or one of its mapping files, in a provider's place on a seam.

use crate::files::reason;
use crate::kind::Reading;
use seam_diag::{Diagnostic, Span};
use seam_stub::Source;
use seam_stub::wiremock::{BodyFiles, MappingFile, Mappings, body_path};
use seam_wire::Protocol;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where something is written that stands in a provider's place.
pub(super) struct Written<'a> {
    /// The path as it was written.
    pub(super) path: &'a str,
    /// Where it leads.
    pub(super) meant: &'a Path,
    /// The place of the path itself.
    pub(super) span: Span,
}

/// Reads a folder with `mappings` and `__files`, or with mapping files.
pub(super) fn read_folder(
    written: &Written<'_>,
    protocol: &dyn Protocol,
    reading: &mut Reading<'_>,
) -> Option<Source> {
    let inner = written.meant.join("mappings");
    let from = if inner.is_dir() { inner } else { written.meant.to_owned() };
    let mut paths = Vec::new();
    walk(&from, &mut paths);
    let (mut files, before) = (Vec::new(), reading.found.n_errors());
    for path in paths {
        let shown = match path.strip_prefix(written.meant) {
            Ok(below) => Path::new(written.path).join(below),
            Err(_) => path.clone(),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => files.push((shown.display().to_string(), text)),
            Err(error) => {
                let title = format!("`{}` can't be read", shown.display());
                reading.found.push(Diagnostic::error(title).at(written.span, reason(&error)));
            }
        }
    }
    if files.is_empty() && reading.found.n_errors() == before {
        let error = Diagnostic::error("there are no stubs in this folder").at(written.span, "");
        reading.found.push(error.hint(
            "a folder is WireMock's, with `mappings/*.json` and `__files`; stubs of our own stand in one file",
        ));
    }
    if reading.found.n_errors() > before {
        return None;
    }
    read(files, written.meant, (protocol, written.span), reading)
}

/// Reads one file of mappings; the files that it names lie in `__files` beside `mappings`, or beside itself.
pub(super) fn read_one(
    written: &Written<'_>,
    text: String,
    protocol: &dyn Protocol,
    reading: &mut Reading<'_>,
) -> Option<Source> {
    let is_mappings = |folder: &&Path| folder.file_name().is_some_and(|name| name == "mappings");
    let around = written.meant.ancestors().skip(1).find(is_mappings).and_then(Path::parent);
    let root = around.or(written.meant.parent()).unwrap_or(Path::new(""));
    read(vec![(written.path.to_owned(), text)], root, (protocol, written.span), reading)
}

fn read(
    files: Vec<(String, String)>,
    root: &Path,
    (protocol, span): (&dyn Protocol, Span),
    reading: &mut Reading<'_>,
) -> Option<Source> {
    if protocol.name() != "http" {
        let title = format!(
            "these are WireMock's mappings, which answer http; the seam speaks `{}`",
            protocol.name()
        );
        reading.found.push(Diagnostic::error(title).at(span, ""));
        return None;
    }
    let mut sources = reading.sources.borrow_mut();
    let files = files
        .into_iter()
        .map(|(path, text)| MappingFile { id: sources.add(&path, text.clone()), path, text })
        .collect();
    drop(sources);
    Mappings::read(files, bodies(root.join("__files")), reading.found).map(Source::WireMock)
}

/// The files that mappings answer with; none of them lies elsewhere.
fn bodies(folder: PathBuf) -> BodyFiles {
    Arc::new(move |name| {
        let path = folder.join(body_path(name).ok_or_else(|| format!("{name} is not below __files"))?);
        std::fs::read(&path).map_err(|error| format!("{}: {}", path.display(), reason(&error)))
    })
}

/// All files in JSON below a folder, in the order of their paths, but for those that are answered with.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "__files") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            found.push(path);
        }
    }
}

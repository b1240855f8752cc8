//! A path that is not there, with the name in its folder that may be meant.

use seam_diag::{Diagnostic, did_you_mean};
use std::path::Path;

/// How many names of a folder are looked at.
const MAX_NAMES: usize = 10_000;

/// Adds what the path's folder holds that is near it.
pub(crate) fn near_path(diagnostic: Diagnostic, path: &Path) -> Diagnostic {
    // The deepest folder that exists, and the part of the path that it does not hold.
    let Some((folder, missing)) = path.ancestors().find_map(|ancestor| {
        let folder = ancestor.parent()?;
        folder.is_dir().then_some((folder, ancestor.file_name()?.to_string_lossy().into_owned()))
    }) else {
        return diagnostic;
    };
    let names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries.take(MAX_NAMES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
        })
        .unwrap_or_default();
    match did_you_mean(&missing, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None if path.file_name().is_some_and(|name| name.to_string_lossy() != missing) => {
            diagnostic.note("", format!("`{missing}` is not in {}", crate::project::shown(folder).display()))
        }
        None => diagnostic,
    }
}

//! Paths as people write them.

use std::path::{Component, Path, PathBuf};

/// A path without `.` and `..`. Links are not followed, so that messages name what the user wrote.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            _ => normal.push(part),
        }
    }
    normal
}

/// The path from a folder, with `..` where need be, if that is shorter than the path itself.
pub(crate) fn relative(path: &Path, from: &Path) -> PathBuf {
    let shared = path.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let mut relative = PathBuf::new();
    for _ in from.components().skip(shared) {
        relative.push("..");
    }
    relative.extend(path.components().skip(shared));
    if relative.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    if relative.as_os_str().len() < path.as_os_str().len() { relative } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_from_where_people_stand() {
        for (path, from, expect) in [
            ("/home/ann/shop/seam.yaml", "/home/ann/shop", "seam.yaml"),
            ("/home/ann/shop/seam.yaml", "/home/ann", "shop/seam.yaml"),
            ("/home/ann/shop/seam.yaml", "/home/ann/shop/tests", "../seam.yaml"),
            ("/a", "/home/ann/shop/tests", "/a"),
            ("/home/ann", "/home/ann", "."),
        ] {
            assert_eq!(relative(Path::new(path), Path::new(from)), Path::new(expect), "{path} from {from}");
        }
    }

    #[test]
    fn dots_are_taken_out() {
        assert_eq!(normal(Path::new("/a/./b/../c")), Path::new("/a/c"));
    }
}

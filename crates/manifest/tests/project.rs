//! Which project, and which files of tests, the paths of a command line mean.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use seam_manifest::find_project_from;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Two projects, one inside the other, with folders that are to be passed over.
fn folders() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "shop/seam.yaml",
        "shop/tests/orders.seam.yaml",
        "shop/tests/cart/add.seam.yaml",
        "shop/tests/cart/notes.yaml",
        "shop/tests/.hidden/a.seam.yaml",
        "shop/tests/node_modules/a.seam.yaml",
        "shop/tests/target/a.seam.yaml",
        "shop/tests/other/seam.yaml",
        "shop/tests/other/tests/a.seam.yaml",
        "shop/elsewhere/b.seam.yaml",
        "shop/.seam/runs/c.seam.yaml",
        "bare/d.seam.yaml",
        "bare/readme.txt",
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    folder
}

fn found(current: &str, paths: &[&str]) -> Result<(String, Vec<String>), String> {
    let folder = folders();
    let root = folder.path().canonicalize().unwrap();
    let below = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    match find_project_from(&root.join(current), &paths) {
        Ok(project) => Ok((below(&project.root), project.tests.iter().map(|path| below(path)).collect())),
        Err(error) => {
            let diagnostic = error.diagnostic();
            let text = format!("{} / {}", diagnostic.title, diagnostic.hint.unwrap_or_default());
            Err(text.replace(root.to_str().unwrap(), "ROOT"))
        }
    }
}

#[test]
fn paths_mean_what_people_expect() {
    let all = ["shop/tests/cart/add.seam.yaml", "shop/tests/orders.seam.yaml"];
    let add = &all[..1];
    for (current, paths, root, tests) in [
        ("shop", &[][..], "shop", &all[..]),
        ("shop/tests/cart", &[], "shop", &all),
        ("shop/tests/cart", &["."], "shop", add),
        ("", &["shop"], "shop", &all),
        ("", &["shop/seam.yaml"], "shop", &all),
        ("shop", &["."], "shop", &all),
        ("shop", &["tests"], "shop", &all),
        ("shop", &["tests/cart"], "shop", add),
        ("shop", &["tests/cart/add.seam.yaml"], "shop", add),
        ("shop/tests", &["../elsewhere/b.seam.yaml"], "shop", &["shop/elsewhere/b.seam.yaml"]),
        ("shop", &["tests/cart", "tests/cart/add.seam.yaml"], "shop", add),
        ("shop", &["tests/other"], "shop/tests/other", &["shop/tests/other/tests/a.seam.yaml"]),
    ] {
        let tests: Vec<String> = tests.iter().map(ToString::to_string).collect();
        assert_eq!(found(current, paths), Ok((root.to_owned(), tests)), "in {current:?}: {paths:?}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    for (current, paths, expect) in [
        ("shop", &["tests/crat"][..], "there is no `ROOT/shop/tests/crat` / did you mean `cart`?"),
        (
            "shop",
            &["tests/cart/notes.yaml"],
            "`ROOT/shop/tests/cart/notes.yaml` is no file of tests / name seam.yaml, a file that ends with .seam.yaml, or a folder",
        ),
        (
            "bare",
            &[],
            "there is no seam.yaml in ROOT/bare or any folder above it / `seam init` writes a first one",
        ),
        (
            "bare",
            &["d.seam.yaml"],
            "there is no seam.yaml in ROOT/bare or any folder above it / `seam init` writes a first one",
        ),
        (
            "shop",
            &["tests/other", "."],
            "the paths belong to different projects: ROOT/shop/tests/other/seam.yaml and ROOT/shop/seam.yaml / run them one after the other",
        ),
    ] {
        assert_eq!(found(current, paths), Err(expect.to_owned()), "in {current:?}: {paths:?}");
    }
}

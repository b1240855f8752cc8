//! The pages of the project, and the blocks of code in them.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// One page.
pub(crate) struct Page {
    /// From the root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A block between two lines of three backticks.
pub(crate) struct Block<'a> {
    /// What stands behind the first backticks: `yaml`.
    pub(crate) language: &'a str,
    /// Page and line, for messages.
    pub(crate) place: String,
    pub(crate) text: String,
}

/// All pages that people read, the generated one excepted.
pub(crate) fn pages() -> Vec<Page> {
    let root = root();
    let mut paths = Vec::new();
    for folder in ["", "docs", "examples/bookstore", "examples/hello"] {
        let here = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(here.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.sort();
    let page = |path: PathBuf| Page {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(),
    };
    paths.into_iter().map(page).filter(|page| page.path != "docs/reference.md").collect()
}

impl Page {
    /// Its blocks of code.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        let mut is_open = false;
        for (number, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), is_open) {
                (Some(language), false) => {
                    let place = format!("{}:{}", self.path, number + 1);
                    blocks.push(Block { language, place, text: String::new() });
                    is_open = true;
                }
                (Some(_), true) => is_open = false,
                (None, true) => {
                    let block = blocks.last_mut().unwrap();
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, false) => {}
            }
        }
        assert!(!is_open, "{}: a block has no end", self.path);
        blocks
    }

    /// What is not in blocks, with its lines.
    pub(crate) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut is_open = false;
        self.text.lines().enumerate().filter_map(move |(number, line)| {
            if line.starts_with("```") {
                is_open = !is_open;
                return None;
            }
            (!is_open).then_some((number + 1, line))
        })
    }
}

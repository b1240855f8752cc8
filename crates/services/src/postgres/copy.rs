//! Copies a data directory as fast as the machine can, and counts what it copied.

use crate::places::Places;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

/// What a tree of files amounts to; a cached one that amounts to something else is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Is a tree in use while it is copied?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Still,
    /// A server is at work on it: files come and go that nobody misses, those of temporary tables among them.
    Living,
}

/// Copies a tree; the copy belongs to whom servers run as. Blocks.
pub(super) fn copy_tree(from: &Path, to: &Path, source: Source, places: &Places) -> io::Result<Amount> {
    let mut files = Vec::new();
    make_folders(from, to, places, &mut files)?;
    if source == Source::Living {
        files.retain(|(file, _)| !is_passing(file));
    }
    // The kernel does most of the work, so more threads than this only wait for each other.
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(4);
    let total = Mutex::new(Ok(Amount::default()));
    let (left, right) = (&files, &total);
    thread::scope(|scope| {
        for nth in 0..n_threads {
            scope.spawn(move || {
                let copied = copy_files(left.iter().skip(nth).step_by(n_threads), source, places);
                let mut total = right.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *total = match (std::mem::replace(&mut *total, Ok(Amount::default())), copied) {
                    (Ok(one), Ok(other)) => Ok(one.and(other)),
                    (Err(error), _) | (_, Err(error)) => Err(error),
                };
            });
        }
    });
    total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a tree amounts to. Blocks.
pub(super) fn measure(folder: &Path) -> io::Result<Amount> {
    let mut amount = Amount::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        amount = amount.and(if found.is_dir() {
            measure(&entry.path())?
        } else {
            Amount { files: 1, bytes: found.len() }
        });
    }
    Ok(amount)
}

impl Amount {
    fn and(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes + other.bytes }
    }
}

fn make_folders(
    from: &Path,
    to: &Path,
    places: &Places,
    files: &mut Vec<(PathBuf, PathBuf)>,
) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    places.hand_over(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            make_folders(&entry.path(), &target, places, files)?;
        } else {
            files.push((entry.path(), target));
        }
    }
    Ok(())
}

fn copy_files<'f>(
    files: impl Iterator<Item = &'f (PathBuf, PathBuf)>,
    source: Source,
    places: &Places,
) -> io::Result<Amount> {
    let mut amount = Amount::default();
    for (from, to) in files {
        // Where the file system can share the blocks of two files, this does.
        amount.bytes += match fs::copy(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && source == Source::Living => continue,
            copied => copied?,
        };
        amount.files += 1;
        places.hand_over(to)?;
    }
    Ok(amount)
}

/// Files of temporary tables (`t3_16384`), and what the server makes anew when it is not there.
fn is_passing(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("pg_internal.init") || (name.starts_with('t') && name.contains('_'))
}

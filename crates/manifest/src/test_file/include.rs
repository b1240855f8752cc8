//! Brings fixtures and flows of other files into a file of tests.

use super::resolve::check;
use super::{Written, read_written};
use crate::load::load;
use crate::near::near_path;
use crate::paths::normal;
use crate::project::shown;
use crate::vocabulary::Vocabulary;
use seam_diag::{Diagnostic, Diagnostics, FileId, Sources, Span};
use seam_model::{Fixture, Flow, Included, Spanned, TestFile};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Reads files of tests. A file that several include is read once, and its mistakes are told once.
pub struct TestFiles<'a> {
    /// The folder of `seam.yaml`, where paths begin.
    root: &'a Path,
    vocabulary: &'a Vocabulary<'a>,
    /// What stands in each file that was read, by its path; none where it could not be read.
    written: HashMap<PathBuf, Option<Rc<Written>>>,
    /// What was told of files that several include, so that it is told once.
    told: HashSet<(Option<Span>, String)>,
}

/// What files that are included bring, in order.
#[derive(Default)]
struct Brought {
    fixtures: Vec<Fixture>,
    flows: Vec<Flow>,
    files: Vec<Included>,
    /// Where each name was first seen.
    names: HashMap<(&'static str, String), Span>,
}

impl<'a> TestFiles<'a> {
    /// Reads in the project of this folder.
    pub fn new(root: &'a Path, vocabulary: &'a Vocabulary<'a>) -> Self {
        Self { root, vocabulary, written: HashMap::new(), told: HashSet::new() }
    }

    /// Reads one file of tests with all that it includes; none where it could not be read. `path` is absolute.
    pub fn read(&mut self, path: &Path, sources: &mut Sources, found: &mut Diagnostics) -> Option<TestFile> {
        let path = normal(path);
        let written = self.written(&path, sources, found)?;
        Some(self.with_included(&path, &written, sources, found))
    }

    /// Reads a file whose text is among the sources already, as if it stood at that path.
    pub fn read_source(
        &mut self,
        path: &Path,
        file: FileId,
        sources: &mut Sources,
        found: &mut Diagnostics,
    ) -> Option<TestFile> {
        let written = read_written(file, &sources.file(file)?.text, self.vocabulary, found)?;
        Some(self.with_included(&normal(path), &Rc::new(written), sources, found))
    }

    fn with_included(
        &mut self,
        path: &Path,
        written: &Rc<Written>,
        sources: &mut Sources,
        found: &mut Diagnostics,
    ) -> TestFile {
        let mut brought = Brought::default();
        let mut told = Diagnostics::default();
        brought.add(written, false, &mut told);
        self.tell_once(told, found);
        self.bring(written, &mut vec![path.to_owned()], (&mut brought, sources, found));
        let mut told = Diagnostics::default();
        check(&brought.fixtures, &written.tests, &mut told);
        self.tell_once(told, found);
        let below = path.strip_prefix(self.root).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        TestFile {
            file: written.file,
            path: parts.join("/"),
            vars: written.vars.clone(),
            defaults: written.defaults.clone(),
            fixtures: brought.fixtures,
            flows: brought.flows,
            tests: written.tests.clone(),
            included: brought.files,
        }
    }

    fn written(
        &mut self,
        path: &Path,
        sources: &mut Sources,
        found: &mut Diagnostics,
    ) -> Option<Rc<Written>> {
        if let Some(written) = self.written.get(path) {
            return written.clone();
        }
        let written = load(path, &shown(path), sources, found).and_then(|file| {
            let text = &sources.file(file)?.text;
            read_written(file, text, self.vocabulary, found).map(Rc::new)
        });
        self.written.insert(path.to_owned(), written.clone());
        written
    }

    /// Brings what the file includes, and what those include in turn; `way` are the files on the way here.
    fn bring(
        &mut self,
        written: &Written,
        way: &mut Vec<PathBuf>,
        (brought, sources, found): (&mut Brought, &mut Sources, &mut Diagnostics),
    ) {
        for include in &written.include {
            let from = way.last().cloned().unwrap_or_default();
            let path = normal(&self.target(&from, &include.value));
            if way.contains(&path) {
                found.push(
                    Diagnostic::error("files include each other in a circle")
                        .at(include.span, "this leads back to where it came from"),
                );
                continue;
            }
            if !path.is_file() {
                found.push(near_path(
                    Diagnostic::error(format!("there is no file `{}`", include.value)).at(include.span, ""),
                    &path,
                ));
                continue;
            }
            let Some(other) = self.written(&path, sources, found) else { continue };
            if brought.files.iter().any(|file| file.file == other.file) {
                continue;
            }
            let mut told = Diagnostics::default();
            brought.add(&other, true, &mut told);
            self.tell_once(told, found);
            way.push(path);
            self.bring(&other, way, (brought, sources, found));
            way.pop();
        }
    }

    fn tell_once(&mut self, told: Diagnostics, found: &mut Diagnostics) {
        for diagnostic in told {
            let place = diagnostic.place.as_ref().map(|(span, _)| *span);
            if self.told.insert((place, diagnostic.title.clone())) {
                found.push(diagnostic);
            }
        }
    }

    /// Paths begin at the project's folder; with `./` or `../` at the file itself.
    fn target(&self, from: &Path, include: &str) -> PathBuf {
        let relative = include.starts_with("./") || include.starts_with("../");
        let folder = if relative { from.parent().unwrap_or(self.root) } else { self.root };
        folder.join(include)
    }
}

impl Brought {
    /// Takes over what stands in one file; tells names that are there already.
    fn add(&mut self, written: &Written, is_included: bool, found: &mut Diagnostics) {
        for fixture in &written.fixtures {
            if self.is_new("fixtures", &fixture.name, found) {
                self.fixtures.push(fixture.clone());
            }
        }
        for flow in &written.flows {
            if self.is_new("flows", &flow.name, found) {
                self.flows.push(flow.clone());
            }
        }
        if is_included {
            let (vars, defaults) = (written.vars.clone(), written.defaults.clone());
            self.files.push(Included { file: written.file, vars, defaults });
        }
    }

    fn is_new(&mut self, what: &'static str, name: &Spanned<String>, found: &mut Diagnostics) -> bool {
        let Some(first) = self.names.insert((what, name.value.clone()), name.span) else { return true };
        found.push(
            Diagnostic::error(format!("two {what} are named `{}`", name.value))
                .at(name.span, "")
                .also(first, "the other one"),
        );
        false
    }
}

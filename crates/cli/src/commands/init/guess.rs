//! What was found lying about, as components that it could be.

use super::signs::SIGNS;
use super::variables::{self, Variables};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How far below the project's folder signs are looked for: `services/orders/package.json`.
const DEPTH: usize = 2;

/// More folders than this are no project that somebody wants to have guessed.
const MOST_FOLDERS: usize = 300;

/// Folders that hold what others wrote, or what was built.
const PASSED_OVER: &[&str] = &[
    "node_modules",
    "target",
    "vendor",
    "venv",
    "dist",
    "build",
    "__pycache__",
    "tests",
    "test",
    "examples",
    "docs",
];

/// A component that something could be.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    /// Its name.
    pub(super) name: String,
    /// What makes it.
    pub(super) made: Made,
    /// Where it is started, relative to the project; empty for its own folder.
    pub(super) dir: String,
    /// Variables of its environment with their values.
    pub(super) env: Vec<(String, String)>,
    /// What it reads besides, of which nobody knows where it comes from.
    pub(super) unknown: BTreeSet<String>,
    /// The variables that its code reads.
    pub(super) variables: Variables,
    /// From what it was guessed.
    pub(super) why: String,
}

/// What makes a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// A command.
    Run(String),
    /// One of the catalogue, with its databases, and the files that fill the first of them.
    Service { name: &'static str, databases: Vec<String>, seeds: Vec<String> },
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// The project's folder.
    pub(super) root: PathBuf,
    /// Components, services first.
    pub(super) list: Vec<Guess>,
    /// Commands to be run before the start.
    pub(super) prepare: Vec<String>,
    /// What was seen and could not be used.
    pub(super) aside: Vec<String>,
    /// A path that can be asked for without anything: of an OpenAPI description.
    pub(super) path: Option<String>,
    /// Environments that Compose files give to programs of the user's: folder, name, variables.
    pub(super) composed: Vec<Composed>,
    /// Folders whose programs a Procfile names.
    pub(super) proclaimed: BTreeSet<PathBuf>,
}

/// A service of a Compose file that is built from the user's code.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) env: Vec<(String, String)>,
    /// The command that it is started with, where the file says one.
    pub(super) run: Option<String>,
    /// Does it say something that is not understood here?
    pub(super) is_unclear: bool,
    /// Where it stands.
    pub(super) why: String,
}

impl Guesses {
    /// Looks through a project.
    pub(super) fn look(root: &Path) -> Self {
        let mut guesses = Self { root: root.to_owned(), ..Self::default() };
        let mut folders = Vec::new();
        collect(root, DEPTH, &mut folders);
        for sign in SIGNS {
            for folder in &folders {
                let file = folder.join(sign.file);
                if file.is_file() {
                    (sign.look)(&file, &mut guesses);
                }
            }
        }
        guesses.take_composed();
        guesses.list.sort_by_key(|guess| matches!(guess.made, Made::Run(_)));
        variables::resolve(&mut guesses);
        guesses
    }

    /// Keeps a guess under a name that no other has.
    pub(super) fn add(&mut self, mut guess: Guess) {
        let name = named(&guess.name);
        let mut number = 2;
        guess.name.clone_from(&name);
        while self.list.iter().any(|other| other.name == guess.name) {
            guess.name = format!("{name}-{number}");
            number += 1;
        }
        self.list.push(guess);
    }

    /// Adds a service of the catalogue, once; a further mention adds its databases.
    pub(super) fn service(&mut self, kind: &str, name: &str, database: Option<String>, why: &str) {
        let Some(service) = seam_services::find(kind) else {
            let line = format!("{why}: this version has no `{kind}`");
            if !self.aside.contains(&line) {
                self.aside.push(line);
            }
            return;
        };
        let kind = service.word().name;
        let there = self.list.iter_mut().find_map(|guess| match &mut guess.made {
            Made::Service { name, databases, .. } if *name == kind => Some(databases),
            _ => None,
        });
        match (there, database) {
            (Some(databases), Some(database)) if !databases.contains(&database) => databases.push(database),
            (Some(_), _) => {}
            (None, database) => {
                let databases = database.into_iter().collect();
                let made = Made::Service { name: kind, databases, seeds: Vec::new() };
                self.add(Guess::new(name, made, why));
            }
        }
    }

    /// Gives a service of this kind files that fill its database.
    pub(super) fn seed(&mut self, kind: &str, files: &[String]) {
        for guess in &mut self.list {
            if let Made::Service { name, databases, seeds } = &mut guess.made
                && *name == kind
                && !files.is_empty()
            {
                if databases.is_empty() {
                    databases.push("app".to_owned());
                }
                seeds.extend(files.iter().cloned());
            }
        }
    }

    /// The path of a folder as it stands in the file.
    pub(super) fn relative(&self, folder: &Path) -> String {
        folder.strip_prefix(&self.root).unwrap_or(folder).to_string_lossy().into_owned()
    }

    /// What a file is called when it is told.
    pub(super) fn shown(&self, file: &Path) -> String {
        self.relative(file)
    }

    /// What Compose files say of programs that were found by other signs: their names and environments. Several services
    /// that are built from one folder are several components, which differ in what they are started with.
    fn take_composed(&mut self) {
        let all = std::mem::take(&mut self.composed);
        let found = self.list.clone();
        let mut taken = vec![false; found.len()];
        for one in &all {
            let (dir, name) = (self.relative(&one.folder), named(&one.name));
            let is_program = |guess: &Guess| matches!(guess.made, Made::Run(_));
            let free = |fits: &dyn Fn(&Guess) -> bool| {
                (0..found.len())
                    .find(|place| !taken[*place] && is_program(&found[*place]) && fits(&found[*place]))
            };
            let place = free(&|guess| guess.name == name).or_else(|| free(&|guess| guess.dir == dir));
            let shares = all.iter().filter(|other| other.folder == one.folder).count() > 1;
            let run = one.run.clone().filter(|_| shares).map(Made::Run);
            if let Some(place) = place {
                taken[place] = true;
                let is_free = !self.list.iter().any(|guess| guess.name == name);
                let guess = &mut self.list[place];
                if is_free {
                    guess.name = name;
                }
                guess.variables.given.extend(one.env.iter().cloned());
                guess.made = run.unwrap_or_else(|| guess.made.clone());
            } else if let Some(same) =
                found.iter().find(|guess| is_program(guess) && guess.dir == dir && !one.is_unclear)
            {
                let mut guess = Guess { name, why: one.why.clone(), ..same.clone() };
                guess.variables.given.extend(one.env.iter().cloned());
                guess.made = run.unwrap_or(guess.made);
                self.add(guess);
            } else {
                self.aside.push(format!(
                    "{} of a Compose file: it is built from {}; say with `run` how it is started without a container",
                    one.name,
                    if dir.is_empty() { "this folder" } else { &dir },
                ));
            }
        }
    }
}

impl Guess {
    pub(super) fn new(name: &str, made: Made, why: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            made,
            dir: String::new(),
            env: Vec::new(),
            unknown: BTreeSet::new(),
            variables: Variables::default(),
            why: why.into(),
        }
    }

    /// A program with where it is started and what it reads.
    pub(super) fn program(
        name: &str,
        run: impl Into<String>,
        dir: String,
        variables: Variables,
        why: String,
    ) -> Self {
        Self { dir, variables, ..Self::new(name, Made::Run(run.into()), why) }
    }
}

/// A name as components have it: letters, digits, `-` and `_`.
pub(super) fn named(text: &str) -> String {
    let last = text.rsplit('/').next().unwrap_or(text);
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_lowercase();
    // `self`, `env`, `secret` and `test` mean something else where components are named.
    match name.as_str() {
        "" => "app".to_owned(),
        "self" | "env" | "secret" | "secrets" | "test" => format!("{name}-app"),
        _ => name,
    }
}

/// The folder and those below it, in order.
fn collect(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) {
    if into.len() >= MOST_FOLDERS {
        return;
    }
    into.push(folder.to_owned());
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut folders: Vec<PathBuf> = entries.flatten().filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort();
    for below in folders {
        let name = below.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') && !PASSED_OVER.contains(&name.as_ref()) {
            collect(&below, depth, into);
        }
    }
}

//! A key that is not known here, with what may be meant: a near name, or what another tool's word is called here.

use seam_diag::{Diagnostic, Diagnostics, did_you_mean};
use seam_model::{Entry, Field};

/// What people who come from elsewhere write, with what to write here. Used only where nothing here is near.
const FOREIGN: &[(&str, &str)] = &[
    ("depends_on", "an address in `env` is enough; an order that no address shows is `needs`"),
    ("command", "the command is what stands right of `run`"),
    ("entrypoint", "the command is what stands right of `run`"),
    ("working_dir", "it is called `dir`"),
    ("cwd", "it is called `dir`"),
    ("ports", "a port is chosen where `${self.address}` or `${self.port}` stands in `env`"),
    ("port", "a port is chosen where `${self.address}` or `${self.port}` stands in `env`"),
    ("healthcheck", "it is called `ready`"),
    ("volumes", "files are rendered with `files`; databases are filled with `seed`"),
    ("description", "it is called `name`"),
    ("title", "it is called `name`"),
    ("setup", "what a test needs before it is a fixture, named in `needs`"),
    ("before", "what a test needs before it is a fixture, named in `needs`"),
    ("teardown", "in a fixture it is called `cleanup`, in a test `finally`"),
    ("after", "in a fixture it is called `cleanup`, in a test `finally`"),
    ("parameters", "cases stand under `each`"),
    ("cases", "cases stand under `each`"),
    ("examples", "cases stand under `each`"),
    ("matrix", "cases stand under `each`"),
    ("body", "it is called `json`, `form`, `text` or `body_file`, by what it is"),
    ("data", "it is called `json`, `form`, `text` or `body_file`, by what it is"),
    ("assert", "it is called `expect`"),
    ("check", "it is called `expect`"),
    ("then", "it is called `expect`"),
    ("status", "write `expect: { status: 200 }`"),
    ("capture", "it is called `save`"),
    ("extract", "it is called `save`"),
    ("register", "it is called `save`"),
    ("if", "it is called `when`"),
    ("retry", "`within: 10s` tries again until the expectations hold"),
    ("retries", "`within: 10s` tries again until the expectations hold"),
    ("until", "`within: 10s` tries again until the expectations hold"),
    (
        "sleep",
        "nothing sleeps here: `within: 10s` on the step that waits tries again until its expectations hold",
    ),
    (
        "delay",
        "nothing sleeps here: `within: 10s` on the step that waits tries again until its expectations hold",
    ),
    (
        "pause",
        "nothing sleeps here: `within: 10s` on the step that waits tries again until its expectations hold",
    ),
    ("params", "it is called `query`"),
    ("auth", "it is called `bearer` or `basic`"),
    ("request", "it is called `http`: `http: GET web/path`"),
    ("url", "it is called `http`: `http: GET web/path`"),
    ("shell", "it is called `exec`: `exec: [program, argument]`"),
    ("cmd", "it is called `exec`: `exec: [program, argument]`"),
];

/// Tells keys that are not known; `owner` says where: the step `http`.
pub(crate) fn tell_keys<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    owner: &str,
    known: &[&[Field]],
    found: &mut Diagnostics,
) {
    for entry in entries {
        let names = known.iter().flat_map(|fields| fields.iter()).map(|field| field.name);
        let title = format!("unknown key `{}` in {owner}", entry.key.value);
        let diagnostic = Diagnostic::error(title).at(entry.key.span, "");
        found.push(suggest(diagnostic, &entry.key.value, names));
    }
}

/// Adds what may be meant by a word.
pub(crate) fn suggest<'a>(
    diagnostic: Diagnostic,
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().collect();
    let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == word);
    match foreign {
        Some((_, hint)) if did_you_mean(word, known.iter().copied()).is_none() => diagnostic.hint(*hint),
        _ => diagnostic.suggest(word, known),
    }
}

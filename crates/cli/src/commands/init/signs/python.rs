//! Programs of Python: a project of Django, or the module in which an application of a known framework is made.

use super::{folder_name, libraries, read};
use crate::commands::init::guess::{Guess, Guesses};
use crate::commands::init::source::variables_in;
use crate::commands::init::variables::Variables;
use std::path::Path;

/// Files in which an application usually is.
const MODULES: &[&str] = &["main", "app", "server", "wsgi", "asgi", "api"];

/// How an application of a framework is recognised and started.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("FastAPI(", "python3 -m uvicorn {module}:{app} --host ${self.host} --port ${self.port}"),
    ("Starlette(", "python3 -m uvicorn {module}:{app} --host ${self.host} --port ${self.port}"),
    ("Flask(", "python3 -m flask --app {module}:{app} run --host ${self.host} --port ${self.port}"),
];

/// `manage.py`
pub(in super::super) fn django(file: &Path, guesses: &mut Guesses) {
    let folder = file.parent().unwrap_or(file);
    if guesses.proclaimed.contains(folder) {
        return;
    }
    let run = "python3 manage.py runserver --noreload ${self.address}";
    let (why, dir) = (guesses.shown(file), guesses.relative(folder));
    let name = name(file, guesses);
    guesses.add(Guess::program(&name, run, dir, variables_in(folder), format!("{why}: a project of Django")));
    guesses.proclaimed.insert(folder.to_owned());
}

/// `pyproject.toml` and `requirements.txt`
pub(in super::super) fn project(file: &Path, guesses: &mut Guesses) {
    let Some(text) = read(file) else { return };
    let folder = file.parent().unwrap_or(file);
    let why = guesses.shown(file);
    let names = text
        .split(['"', '\'', '\n'])
        .map(|part| part.split(['=', '<', '>', '~', '!', ';', ' ']).next().unwrap_or(part));
    let names: Vec<String> = names.map(|name| name.trim().to_lowercase()).collect();
    libraries(names.iter().map(String::as_str), &why, guesses);
    if guesses.proclaimed.contains(folder) {
        return;
    }
    let Some((run, module)) = application(folder) else { return };
    let listens = !run.contains("${self.");
    let variables = Variables { listens, ..variables_in(folder) };
    let name = name(file, guesses);
    let (why, dir) = (format!("{why} and {module}.py"), guesses.relative(folder));
    guesses.add(Guess::program(&name, run, dir, variables, why));
    guesses.proclaimed.insert(folder.to_owned());
}

/// The command that starts the application of a folder, and the module that it is in.
fn application(folder: &Path) -> Option<(String, &'static str)> {
    let modules =
        || MODULES.iter().filter_map(|module| Some((*module, read(&folder.join(format!("{module}.py")))?)));
    for (module, text) in modules() {
        for (made, run) in FRAMEWORKS {
            let line = text.lines().find(|line| !line.starts_with(' ') && line.contains(made));
            if let Some((app, _)) = line.and_then(|line| line.split_once('=')) {
                let app = app.split(':').next().unwrap_or(app).trim();
                return Some((run.replace("{module}", module).replace("{app}", app), module));
            }
        }
    }
    let (module, _) = modules().find(|(_, text)| text.contains("__main__"))?;
    Some((format!("python3 {module}.py"), module))
}

fn name(file: &Path, guesses: &Guesses) -> String {
    if file.parent() == Some(&guesses.root) { "app".to_owned() } else { folder_name(file) }
}

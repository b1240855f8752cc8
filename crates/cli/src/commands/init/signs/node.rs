//! `package.json`: the start script of a package of Node.

use super::{folder_name, libraries, read};
use crate::commands::init::guess::{Guess, Guesses};
use crate::commands::init::source::variables_in;
use crate::commands::init::variables::Variables;
use seam_value::Value;
use std::path::Path;

pub(in super::super) fn look(file: &Path, guesses: &mut Guesses) {
    let Some(package) = read(file).and_then(|text| seam_value::parse(&text).ok()) else { return };
    let folder = file.parent().unwrap_or(file);
    let why = guesses.shown(file);
    let start = package.get("scripts").and_then(|scripts| scripts.get("start")).and_then(Value::as_text);
    let main = ["server.js", "index.js", "app.js"].into_iter().find(|main| folder.join(main).is_file());
    let is_private_root = package.get("workspaces").is_some();
    let run = match (start, main) {
        (Some(script), _) if is_plain(script) => script.to_owned(),
        (Some(_), _) => "npm start --silent".to_owned(),
        (None, Some(main)) if !is_private_root => format!("node {main}"),
        _ => return,
    };
    if guesses.proclaimed.contains(folder) {
        return;
    }
    let name = package.get("name").and_then(Value::as_text).map_or_else(|| folder_name(file), str::to_owned);
    let why_run = if start.is_some() { format!("{why}: its start script") } else { format!("{why}: {run}") };
    let variables = Variables { listens: true, ..variables_in(folder) };
    let dir = guesses.relative(folder);
    guesses.add(Guess::program(&name, run, dir, variables, why_run));
    let uses = package.get("dependencies").and_then(Value::as_map);
    libraries(uses.into_iter().flat_map(|map| map.keys().map(String::as_str)), &why, guesses);
}

/// A script that needs neither a shell nor npm's own path of programs: `node server.js`.
fn is_plain(script: &str) -> bool {
    script.starts_with("node ") && !script.contains(['$', '|', '&', ';', '<', '>', '`', '*', '"', '\''])
}

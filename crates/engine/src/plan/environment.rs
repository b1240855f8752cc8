//! What `${env.NAME}` gives: the environment of `seam`, and `.env` beside `seam.yaml` for what is not set there.

use std::collections::BTreeMap;
use std::path::Path;

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process, with `.env` of a project's folder beneath it.
    pub fn of_project(root: &Path) -> Self {
        let file = std::fs::read_to_string(root.join(".env")).unwrap_or_default();
        let mut variables = parse(&file);
        // Names and values that are no text can't stand in a YAML file either.
        variables.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Self(variables)
    }

    /// The value of a variable; an empty one counts as set.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// `NAME=value` lines, as the usual tools read them: comments, `export`, quotes around a value.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            if line.starts_with('#') {
                return None;
            }
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), unquote(value.trim()).to_owned()))
        })
        .collect()
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value.split(" #").next().unwrap_or(value).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_env_file() {
        let read = parse("# c\nA=1\n export B = \"two words\" \nC='x # y'\nD=z # said\nE=\nnonsense\n");
        let pairs: Vec<(&str, &str)> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "two words"), ("C", "x # y"), ("D", "z"), ("E", "")]);
    }
}

//! `seam schema [system|tests]`: JSON Schema for editors, of both kinds of file.

use crate::commands::Act;
use crate::screen::Screen;
use crate::vocabulary::protocols;
use clap::{Args, ValueEnum};
use seam_engine::Words;
use seam_judge::Exit;
use seam_manifest::{Vocabulary, system_schema, tests_schema};
use seam_value::{Map, Value};

/// Write JSON Schema of the files, so that editors complete and check while you write
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam schema > seam.schema.json            for both kinds of file
  seam schema tests > tests.schema.json     for *.seam.yaml only

With the YAML extension of an editor, say at the top of a file
  # yaml-language-server: $schema=./seam.schema.json
or, in the settings of VS Code,
  \"yaml.schemas\": { \"./seam.schema.json\": [\"seam.yaml\", \"*.seam.yaml\"] }")]
pub(crate) struct Schema {
    /// Which kind of file; both where nothing is said
    which: Option<Which>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// seam.yaml
    System,
    /// *.seam.yaml
    Tests,
}

impl Act for Schema {
    fn act(self, screen: &mut Screen) -> Exit {
        let (words, protocols) = (Words::gather(), protocols());
        let vocabulary = Vocabulary { protocols: &protocols, ..words.vocabulary() };
        let schema = match self.which {
            Some(Which::System) => system_schema(&vocabulary),
            Some(Which::Tests) => tests_schema(&vocabulary),
            None => both(system_schema(&vocabulary), tests_schema(&vocabulary)),
        };
        screen.say(&(schema.to_pretty() + "\n"));
        Exit::Passed
    }
}

/// One schema for both kinds of file, told apart by `system`, which only one of them has. What they refer to is the
/// same in both, so that it can stand once.
fn both(system: Value, tests: Value) -> Value {
    let (Value::Map(mut system), Value::Map(mut tests)) = (system, tests) else { return Value::Null };
    let mut whole = Map::default();
    let mut definitions = Map::default();
    for schema in [&mut tests, &mut system] {
        if let Some(dialect) = schema.shift_remove("$schema") {
            whole.insert("$schema".to_owned(), dialect);
        }
        if let Some(Value::Map(own)) = schema.shift_remove("$defs") {
            definitions.extend(own);
        }
    }
    whole.insert("title".to_owned(), "Files of Seamwork: seam.yaml and *.seam.yaml".into());
    whole.insert("if".to_owned(), Value::map([("required", Value::List(vec!["system".into()]))]));
    whole.insert("then".to_owned(), Value::Map(system));
    whole.insert("else".to_owned(), Value::Map(tests));
    whole.insert("$defs".to_owned(), Value::Map(definitions));
    Value::Map(whole)
}

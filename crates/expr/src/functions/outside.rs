//! What comes from outside the tests: `file('data/order.json')`, `env('HOME')`.

use super::Function;
use crate::expression::item::{Item, Problem};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_model::{Field, Shape, Word};

pub(super) const FILE: Function = Function {
    word: Word {
        text: "The path is relative to the folder of `seam.yaml`; `./x` begins at the file itself. A file that is no \
               UTF-8 text must be asked for as `'base64'`.",
        fields: &[
            Field::required("path", Shape::Text, "the file"),
            Field::optional("as", Shape::OneOf(&["text", "base64"]), "how its bytes are given; else `text`"),
        ],
        example: "${file('data/note.txt')}  # \"a note\"\n${file('data/note.txt', 'base64')}  # \"YSBub3Rl\"",
        ..Word::new("file", "the content of a file")
    },
    run: |called| {
        let path = called.text(0)?;
        let bytes = called
            .names
            .file(path)
            .map_err(|reason| Problem::new(format!("`{path}` can't be read: {reason}")).of_argument(0))?;
        match if called.has(1) { called.text(1)? } else { "text" } {
            "text" => String::from_utf8(bytes).map(Item::from).map_err(|_| {
                Problem::new(format!("`{path}` is no text"))
                    .hint("write `file(path, 'base64')`")
                    .of_argument(0)
            }),
            "base64" => Ok(Item::from(STANDARD.encode(bytes))),
            other => Err(Problem::new(format!("`{other}` is no way to give a file"))
                .hint("there are `text` and `base64`")
                .of_argument(1)),
        }
    },
};

pub(super) const ENV: Function = Function {
    word: Word {
        text: "A variable that is not set is an error, unless a second argument says what it is then. `.env` beside \
               `seam.yaml` counts as set.",
        fields: &[
            Field::required("name", Shape::Text, "the variable"),
            Field::optional("default", Shape::Any, "what it is where it is not set"),
        ],
        example: "${env('STAGE')}  # \"local\"\n${env('NOT_SET', 'none')}  # \"none\"",
        ..Word::new("env", "a variable of the environment")
    },
    run: |called| {
        let name = called.text(0)?;
        match called.names.env(name) {
            Some(value) => Ok(Item::from(value)),
            None if called.has(1) => called.item(1).cloned(),
            None => Err(Problem::new(format!("the environment has no `{name}`"))
                .hint(format!("write `env('{name}', 'otherwise')`, or set it in `.env`"))
                .of_argument(0)),
        }
    },
};

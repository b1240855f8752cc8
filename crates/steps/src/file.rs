//! `file: out/report.csv`: reads a file, writes one, or removes one.

use crate::action::{Action, StepContext, Trouble, Unsaid};
use crate::files;
use crate::input::Input;
use crate::kind::{Kind, Reading};
use futures_util::future::BoxFuture;
use seam_diag::Diagnostic;
use seam_expr::NameUse;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;
use std::path::{Path, PathBuf};

/// The kind.
pub(crate) struct FileStep;

static WORD: Word = Word {
    text: "Without further fields it reads the file. `write` makes the file anew with this text; a list or a map is \
           written as JSON. `remove: true` removes it, and is content where it is not there. The path is meant from the \
           folder of `seam.yaml`, `./x` from the test's own file; `${orders.dir}/export.csv` is a file in a \
           component's folder. Writing and removing is possible only below the project and the folders of the run.\n\n\
           A file that is read and not there fails the step, unless it expects something at `exists`.",
    subject: Shape::Text,
    fields: &[
        Field::optional("write", Shape::Any, "what to write: a text, or a list or map as JSON"),
        Field::optional("remove", Shape::Boolean, "removes the file"),
    ],
    results: &[
        Field::optional("exists", Shape::Boolean, "whether it is there, after the step"),
        Field::optional("size", Shape::Integer, "its bytes; null where it is not there"),
        Field::optional("text", Shape::Text, "its text; null where it is none"),
        Field::optional("json", Shape::Any, "its JSON; null where it is none"),
    ],
    example: "\
- file: .seam/request.json
  write: { isbn: \"978-0\", copies: 3 }
- file: .seam/request.json
  expect:
    json.copies: 3
    size: { below: 100 }
- file: .seam/request.json
  remove: true
  expect: { exists: false }
",
    ..Word::new("file", "reads, writes or removes a file")
};

impl Kind for FileStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `file` step");
        let write = fields.take("write");
        let remove = fields.take_entry("remove");
        let removes = match remove {
            Some(entry) if entry.node.kind == seam_model::NodeKind::Bool(true) => true,
            Some(entry) => {
                let label = format!("this is {}", entry.node.kind_name());
                reading.found.push(Diagnostic::error("`remove` must be `true`").at(entry.node.span, label));
                return None;
            }
            None => false,
        };
        fields.finish(reading.found);
        if let (Some(write), true) = (write, removes) {
            let error = Diagnostic::error("a `file` step writes or removes, not both").at(write.span, "");
            reading.found.push(error.hint("make two steps of it"));
            return None;
        }
        crate::subject::text(&step.subject, "out/report.csv", reading)?;
        let path = Input::read(&step.subject, reading.found);
        let doing = match (write, removes) {
            (Some(node), _) => Doing::Write(Input::read(node, reading.found)),
            (None, true) => Doing::Remove,
            (None, false) => Doing::Read,
        };
        Some(Box::new(FileAction { path, folder: reading.folder.to_owned(), doing }))
    }
}

struct FileAction {
    path: Input,
    folder: PathBuf,
    doing: Doing,
}

enum Doing {
    Read,
    Write(Input),
    Remove,
}

impl Action for FileAction {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.path.uses(&mut uses);
        if let Doing::Write(input) = &self.doing {
            input.uses(&mut uses);
        }
        uses
    }

    fn only_reads(&self) -> bool {
        matches!(self.doing, Doing::Read)
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let is_missing = result.get("exists") == Some(&Value::Bool(false));
        if !is_missing || !matches!(self.doing, Doing::Read) {
            return Vec::new();
        }
        vec![Unsaid {
            path: "exists",
            message: "the file is not there".to_owned(),
            expected: Some(Value::Bool(true)),
            actual: Some(Value::Bool(false)),
            details: Vec::new(),
        }]
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let written = self.path.text(cx.names)?;
            let path = files::resolve(&written, cx.bench.root(), &self.folder);
            match &self.doing {
                Doing::Read => {}
                Doing::Write(input) => {
                    self.check_change(&path, &written, cx)?;
                    write(&path, &input.value(cx.names)?)
                        .map_err(|error| self.failed("write", &written, &error))?;
                }
                Doing::Remove => {
                    self.check_change(&path, &written, cx)?;
                    match std::fs::remove_file(&path) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(self.failed("remove", &written, &error));
                        }
                        _ => {}
                    }
                }
            }
            match std::fs::read(&path) {
                Ok(bytes) => Ok(result(&bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(missing()),
                Err(error) => Err(self.failed("read", &written, &error)),
            }
        })
    }
}

impl FileAction {
    fn check_change(&self, path: &Path, written: &str, cx: &StepContext<'_>) -> Result<(), Trouble> {
        if files::may_change(path, cx.bench) {
            return Ok(());
        }
        let reason = format!(
            "`{written}` is outside of the project and of the run's folders: steps change nothing there"
        );
        Err(Trouble::errored(reason).at(self.path.span()))
    }

    fn failed(&self, what: &str, written: &str, error: &std::io::Error) -> Trouble {
        let reason = files::reason(error);
        Trouble::errored(format!("failed to {what} `{written}`: {reason}")).at(self.path.span())
    }
}

fn write(path: &Path, value: &Value) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let text = match value {
        Value::List(_) | Value::Map(_) => value.to_pretty(),
        plain => plain.to_plain_text(),
    };
    std::fs::write(path, text)
}

fn result(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).ok();
    let json = text.and_then(|text| seam_value::parse(text).ok());
    Value::map([
        ("exists", Value::Bool(true)),
        ("size", Value::from(bytes.len())),
        ("text", text.map_or(Value::Null, Value::text)),
        ("json", json.unwrap_or_default()),
    ])
}

fn missing() -> Value {
    Value::map([
        ("exists", Value::Bool(false)),
        ("size", Value::Null),
        ("text", Value::Null),
        ("json", Value::Null),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, mistakes, run, run_as, step, unsaid};

    #[test]
    fn mistakes_are_told_at_their_place() {
        mistakes(&[
            ("- file: [a]", "expected `out/report.csv` [[a]: this is a list]"),
            ("- file: a\n  remove: no", "`remove` must be `true` [no: this is a text]"),
            (
                "- file: a\n  remove: true\n  write: b",
                "a `file` step writes or removes, not both [b] {make two steps of it}",
            ),
        ]);
        assert!(step("- file: a").only_reads());
        assert!(!step("- file: a\n  remove: true").only_reads());
    }

    #[tokio::test]
    async fn files_are_written_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let bed = Bed { root: folder.path().to_owned(), ..Bed::default() };
        for (yaml, expect) in [
            ("- file: out/${name}.csv", r#"{"exists":false,"size":null,"text":null,"json":null}"#),
            (
                "- file: out/${name}.csv\n  write: a;$n",
                r#"{"exists":true,"size":7,"text":"a;19.90","json":null}"#,
            ),
            ("- file: out/${name}.csv", r#"{"exists":true,"size":7,"text":"a;19.90","json":null}"#),
            (
                "- file: x.json\n  write: { a: [$n] }",
                r#"{"exists":true,"size":26,"text":"{\n  \"a\": [\n    19.90\n  ]\n}","json":{"a":[19.90]}}"#,
            ),
            ("- file: x.json\n  remove: true", r#"{"exists":false,"size":null,"text":null,"json":null}"#),
            ("- file: x.json\n  remove: true", r#"{"exists":false,"size":null,"text":null,"json":null}"#),
        ] {
            let result = run(yaml, &Actor::new(""), &bed, r#"{"name":"report","n":19.90}"#).await;
            assert_eq!(result.to_string(), expect, "{yaml}");
        }
        let reading = step("- file: nothing");
        let result = run_as(reading.as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await.unwrap();
        assert_eq!(unsaid(reading.as_ref(), &result), ["exists: the file is not there"]);
    }

    #[tokio::test]
    async fn nothing_outside_is_changed() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("a"), "a").unwrap();
        std::os::unix::fs::symlink(other.path(), folder.path().join("link")).unwrap();
        let bed = Bed { root: folder.path().to_owned(), ..Bed::default() };
        let outside = other.path().join("a").to_str().unwrap().to_owned();
        let variables = Value::map([("outside", Value::text(&outside))]).to_string();
        for yaml in [
            "- file: $outside\n  write: b",
            "- file: $outside\n  remove: true",
            "- file: ../a\n  write: b",
            "- file: link/a\n  write: b",
            "- file: link/new/a\n  write: b",
            "- file: .\n  remove: true",
        ] {
            let done = run_as(step(yaml).as_ref(), &Actor::new(""), &bed, &variables, LIMIT).await;
            assert!(matches!(done, Err(Trouble::Errored { span: Some(_), .. })), "{yaml}: {done:?}");
        }
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "a");
        assert_eq!(
            run("- file: $outside", &Actor::new(""), &bed, &variables).await.get("text"),
            Some(&Value::text("a"))
        );
    }
}

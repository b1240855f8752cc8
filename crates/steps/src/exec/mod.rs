//! `exec: [./import, --file, $file]`: runs a command-line program to its end.

mod run;

use crate::action::{Action, StepContext, Trouble, Unsaid};
use crate::files;
use crate::input::{Input, Inputs};
use crate::kind::{Kind, Reading};
use crate::words::Words;
use futures_util::future::BoxFuture;
use run::{Command, Ended};
use seam_diag::Diagnostic;
use seam_expr::NameUse;
use seam_launch::{Exit, find_program};
use seam_model::{Field, Fields, NodeKind, Shape, Step, Word};
use seam_value::Value;
use std::path::PathBuf;

/// The kind.
pub(crate) struct ExecStep;

static WORD: Word = Word {
    text: "Runs a program and waits for its end. A list is taken as it is, each element one argument; a text is split \
           at spaces as a shell would, and a variable in it stays one argument whatever is in it. No shell runs: for \
           pipes and the like name one (`[sh, -c, …]`).\n\nA program with a slash in its name is looked up from the \
           project's folder, others in PATH. It starts in the project's folder with PATH, HOME, LANG, TZ, TMPDIR and what \
           `env` names. At the step's `timeout` it is killed with all that it started.\n\nAn exit code other than 0 \
           fails the step, unless it expects something at `exit`.",
    subject: Shape::Either(&[Shape::List(&Shape::Text), Shape::Text]),
    fields: &[
        Field::optional("env", Shape::MapOf(&Shape::Text), "further variables of its environment"),
        Field::optional("dir", Shape::Text, "where it starts; the project's folder if nothing is said"),
        Field::optional(
            "stdin",
            Shape::Any,
            "what it reads as standard input: a text, or a list or map as JSON",
        ),
    ],
    results: &[
        Field::optional(
            "exit",
            Shape::Integer,
            "its exit code, 128 and the signal's number if one ended it; null where it did not end in time",
        ),
        Field::optional("stdout", Shape::Text, "what it wrote to standard output"),
        Field::optional("stderr", Shape::Text, "what it wrote to standard error"),
        Field::optional("json", Shape::Any, "its standard output as JSON; null where that is none"),
        Field::optional("error", Shape::Text, "`timeout` where it did not end in time, else null"),
    ],
    example: "\
- exec: [sh, -c, 'cat; exit 3']
  stdin: hello
  expect:
    exit: 3
    stdout: { contains: hello }
",
    ..Word::new("exec", "runs a command-line program to its end")
};

impl Kind for ExecStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `exec` step");
        let env = fields.map("env", reading.found);
        let dir = fields.take("dir");
        let stdin = fields.take("stdin");
        fields.finish(reading.found);
        let words = Words::read(&step.subject, "`[./import, --file, $file]`", reading)?;
        for entry in env {
            if matches!(entry.node.kind, NodeKind::List(_) | NodeKind::Map(_)) {
                let title = format!("`{}` must be a text", entry.key.value);
                let label = format!("this is {}", entry.node.kind_name());
                reading.found.push(Diagnostic::error(title).at(entry.node.span, label));
            }
        }
        Some(Box::new(Exec {
            words,
            env: Inputs::read(env, reading.found),
            dir: dir.map(|node| Input::read(node, reading.found)),
            stdin: stdin.map(|node| Input::read(node, reading.found)),
            folder: reading.folder.to_owned(),
        }))
    }
}

struct Exec {
    words: Words,
    env: Inputs,
    dir: Option<Input>,
    stdin: Option<Input>,
    folder: PathBuf,
}

impl Action for Exec {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.words.uses(&mut uses);
        self.env.uses(&mut uses);
        for input in self.dir.iter().chain(&self.stdin) {
            input.uses(&mut uses);
        }
        uses
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let exit = result.get("exit");
        let stderr = result.get("stderr").and_then(Value::as_text).unwrap_or_default();
        let details = stderr.lines().rev().take(5).map(|line| format!("stderr: {line}")).collect::<Vec<_>>();
        let unsaid = |path, message: String, expected: Value, actual: Option<&Value>| Unsaid {
            path,
            message,
            expected: Some(expected),
            actual: actual.cloned(),
            details: details.iter().rev().cloned().collect(),
        };
        match (result.get("error"), exit) {
            (Some(error @ Value::Text(_)), _) => {
                vec![unsaid(
                    "error",
                    "it did not end in time and was killed".to_owned(),
                    Value::Null,
                    Some(error),
                )]
            }
            (_, Some(Value::Number(code))) if code.as_i64() != Some(0) => {
                vec![unsaid("exit", format!("it exited with code {code}"), Value::from(0_i64), exit)]
            }
            _ => Vec::new(),
        }
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let command = self.command(cx)?;
            let watcher = cx
                .bench
                .watcher()
                .ok_or_else(|| Trouble::errored("no programs can be started in this run"))?;
            Ok(result(&run::run(command, watcher, cx.deadline).await?))
        })
    }
}

impl Exec {
    fn command(&self, cx: &StepContext<'_>) -> Result<Command, Trouble> {
        let mut words = self.words.texts(cx.names)?.into_iter();
        let program = words.next().ok_or_else(|| Trouble::failed("the program's name is empty"))?;
        let mut env = cx.bench.environment();
        for (name, value) in self.env.values(cx.names)? {
            env.retain(|(known, _)| *known != name);
            match value {
                Value::Null => {}
                value => env.push((name, value.to_plain_text())),
            }
        }
        let path =
            env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()).unwrap_or_default();
        let root = cx.bench.root();
        let program =
            find_program(&program, root, &path).map_err(|error| Trouble::errored(error.to_string()))?;
        let dir = match &self.dir {
            Some(input) => files::resolve(&input.text(cx.names)?, root, &self.folder),
            None => root.to_owned(),
        };
        let input = match &self.stdin {
            Some(input) => input.text(cx.names)?.into_bytes(),
            None => Vec::new(),
        };
        Ok(Command { program, arguments: words.collect(), env, dir, input })
    }
}

fn result(ended: &Ended) -> Value {
    let stdout = String::from_utf8_lossy(&ended.stdout);
    let exit = match ended.exit {
        None => Value::Null,
        Some(Exit::Code(code)) => Value::from(i64::from(code)),
        Some(Exit::Signal(signal)) => Value::from(128 + i64::from(signal)),
    };
    let error = if ended.exit.is_none() { Value::text("timeout") } else { Value::Null };
    Value::map([
        ("exit", exit),
        ("json", seam_value::parse(&stdout).unwrap_or_default()),
        ("stdout", Value::text(stdout)),
        ("stderr", Value::text(String::from_utf8_lossy(&ended.stderr))),
        ("error", error),
    ])
}

#[cfg(test)]
mod tests;

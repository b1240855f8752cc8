//! `redis: redis.11`: one command to Redis, over the test's own seam.

mod commands;
mod session;

pub(crate) use session::Session;

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::answered::words_for;
use crate::kind::{Kind, Reading};
use crate::login::login;
use crate::subject::{self, Subject};
use crate::words::Words;
use futures_util::future::BoxFuture;
use seam_diag::Diagnostic;
use seam_event::InteractionError;
use seam_expr::NameUse;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;
use session::Halt;
use tokio::time::timeout_at;

/// The kind.
pub(crate) struct RedisStep;

/// Commands after which a connection listens and answers nothing any more.
const LISTENING: [&str; 4] = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"];

static WORD: Word = Word {
    text: "Sends one command. `redis: redis.11` is database 11. The command is a list, or words that are split as a shell \
           would; a variable stays one argument whatever is in it. A hash comes as a map, texts are always texts (`\"5\"` is \
           not `5`), and what is not there is null. The actor keeps its connection, so `MULTI` in one step and `EXEC` in a \
           later one work.\n\nAn error fails the step, unless it expects something at `error`.",
    subject: Shape::Component,
    fields: &[Field::required(
        "command",
        Shape::Either(&[Shape::List(&Shape::Any), Shape::Text]),
        "the command with its arguments: `HGETALL cart:$id`, or a list",
    )],
    results: &[
        Field::optional("value", Shape::Any, "the reply; null where there is none"),
        Field::optional(
            "error",
            Shape::Text,
            "what the server says, or `refused`, `reset`, `closed`, `timeout`; else null",
        ),
    ],
    example: "\
- redis: redis
  command: HSET cart:c-1 978-0 2
- redis: redis
  command: [HGETALL, cart:c-1]
  expect: { value: { 978-0: \"2\" } }
",
    ..Word::new("redis", "sends one command to Redis")
};

struct Redis {
    subject: Subject,
    command: Words,
}

impl Kind for RedisStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `redis` step");
        let command = fields.require("command", reading.found);
        fields.finish(reading.found);
        let text = subject::text(&step.subject, "redis", reading)?;
        let subject = subject::speaking("redis", text, step.subject.span, reading);
        let node = command?;
        let command = Words::read(node, "`HGETALL cart:$id`", reading)?;
        let first = command.fixed().first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        if LISTENING.contains(&first.as_str()) {
            let error =
                Diagnostic::error(format!("`{first}` listens, and a `redis` step waits for one reply"));
            reading.found.push(error.at(node.span, "").hint("look at what passes with a `seam` step"));
            return None;
        }
        Some(Box::new(Redis { subject: subject?, command }))
    }
}

impl Action for Redis {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.command.uses(&mut uses);
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.subject.target()]
    }

    fn only_reads(&self) -> bool {
        self.command.fixed().first().is_some_and(|command| commands::only_reads(command))
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let Some(Value::Text(error)) = result.get("error") else { return Vec::new() };
        vec![Unsaid {
            path: "error",
            message: words_for(error).map_or_else(|| error.clone(), str::to_owned),
            expected: Some(Value::Null),
            actual: Some(Value::text(error)),
            details: Vec::new(),
        }]
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let words = self.command.texts(cx.names)?;
            let reply = self.ask(&words, cx).await?;
            let (value, error) = match reply {
                Ok(value) => (value, Value::Null),
                Err(Halt::Server(message)) => (Value::Null, Value::Text(message)),
                Err(Halt::Lost(why)) => (Value::Null, Value::text(why.name())),
                Err(Halt::Malformed(line)) => {
                    return Err(Trouble::failed(format!("the answer is not Redis's protocol: {line}")));
                }
            };
            Ok(Value::map([("value", value), ("error", error)]))
        })
    }
}

impl Redis {
    /// Sends the command in the actor's session, which is opened where there is none.
    async fn ask(&self, words: &[String], cx: &StepContext<'_>) -> Result<Result<Value, Halt>, Trouble> {
        let name = self.subject.name();
        let free = cx.actor.redis.take(&name).filter(Session::is_fresh);
        let mut session = if let Some(session) = free {
            session
        } else {
            let login = login(&self.subject, cx)?;
            match timeout_at(cx.deadline, Session::open(&login)).await {
                Ok(Ok(session)) => session,
                Ok(Err(halt)) => return Ok(Err(halt)),
                Err(_) => return Ok(Err(Halt::Lost(InteractionError::Timeout))),
            }
        };
        let Ok(reply) = timeout_at(cx.deadline, session.ask(words)).await else {
            return Ok(Err(Halt::Lost(InteractionError::Timeout)));
        };
        if matches!(reply, Ok(_) | Err(Halt::Server(_))) {
            cx.actor.redis.put(name, session);
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests;

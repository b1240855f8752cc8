//! Our own API under `/seam/`: seams, rules on them, what has passed, components. `docs/control.openapi.yaml` describes it.

mod har;
mod house;
mod rules;
#[cfg(test)]
mod tests;

pub use house::{ComponentView, House, HouseError, SeamView};
pub(crate) use rules::named;

use crate::answer::{Answer, Asked};
use hyper::{Method, StatusCode};
use rules::Rules;
use seam_event::{Interaction, SeamId};
use seam_stub::wiremock::WireMock;
use seam_wire::Protocol;
use serde_json::{Value, json};
use std::sync::Arc;

/// The description of this API, as it stands in the repository.
const OPENAPI: &str = include_str!("../../../../docs/control.openapi.yaml");

/// What can be done to a component.
const VERBS: [&str; 6] = ["start", "stop", "kill", "restart", "pause", "resume"];

/// How many interactions are told where nothing else is asked for: the newest.
const TOLD: usize = 1_000;

/// Our own API.
pub(crate) struct Own {
    house: Arc<dyn House>,
    /// The mappings of the control address, which an archive may become.
    wiremock: Arc<WireMock>,
    rules: Rules,
}

impl Own {
    pub(crate) fn new(house: Arc<dyn House>, wiremock: Arc<WireMock>) -> Self {
        Self { house, wiremock, rules: Rules::default() }
    }

    /// Answers what lies under `/seam/`; none where the path does not.
    pub(crate) async fn answer(&self, asked: &Asked) -> Option<Answer> {
        let segments = asked.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["seam", rest @ ..] = segments.as_slice() else { return None };
        let (get, post, delete) =
            (asked.method == Method::GET, asked.method == Method::POST, asked.method == Method::DELETE);
        Some(match rest {
            ["openapi.yaml"] if get => Answer::of(StatusCode::OK, "application/yaml", OPENAPI),
            ["health"] if get => self.health(),
            ["seams"] if get => self.seams(),
            ["rules"] if get => Answer::json(StatusCode::OK, &json!({ "rules": self.rules.told() })),
            ["rules"] if post => self.put(asked).await,
            ["rules"] if delete => {
                self.rules.take_all(&*self.house).await;
                Answer::empty(StatusCode::NO_CONTENT)
            }
            ["rules", id] if get => match self.rules.tell(id) {
                Some(rule) => Answer::json(StatusCode::OK, &rule),
                None => no_rule(id),
            },
            ["rules", id] if delete => {
                if self.rules.take(&*self.house, id).await {
                    Answer::empty(StatusCode::NO_CONTENT)
                } else {
                    no_rule(id)
                }
            }
            ["interactions"] if get => self.interactions(asked).await,
            ["push"] if post => self.push(asked).await,
            ["har"] if get => har::tell(&*self.house, &self.wiremock, asked).await,
            ["har"] if post => har::put(&*self.house, (&self.rules, &self.wiremock), asked).await,
            ["components"] if get => self.components(),
            ["components", name, verb] if post => self.act(name, verb).await,
            [
                "openapi.yaml" | "health" | "seams" | "rules" | "interactions" | "push" | "har"
                | "components",
            ]
            | ["rules", _]
            | ["components", _, _] => {
                let message = format!("{} can't be done to {}", asked.method, asked.path);
                Answer::error(StatusCode::METHOD_NOT_ALLOWED, &message, "see /seam/openapi.yaml")
            }
            _ => {
                let message = format!("there is nothing at {}", asked.path);
                Answer::error(StatusCode::NOT_FOUND, &message, "see /seam/openapi.yaml for what there is")
            }
        })
    }

    fn health(&self) -> Answer {
        let components: Vec<Value> = self.told_components();
        let body = json!({
            "status": "up",
            "system": self.house.name(),
            "version": env!("CARGO_PKG_VERSION"),
            "components": components,
        });
        Answer::json(StatusCode::OK, &body)
    }

    fn seams(&self) -> Answer {
        let told = |seam: SeamView| {
            json!({
                "seam": seam.id.to_string(),
                "protocol": seam.protocol.name(),
                "address": seam.listens.map(|address| address.to_string()),
                "leads_to": seam.leads_to,
                "rules": self.rules.on(&seam.id),
            })
        };
        let seams: Vec<Value> = self.house.seams().into_iter().map(told).collect();
        Answer::json(StatusCode::OK, &json!({ "seams": seams }))
    }

    fn told_components(&self) -> Vec<Value> {
        let told = |component: ComponentView| json!({ "name": component.name, "state": component.state });
        self.house.components().into_iter().map(told).collect()
    }

    fn components(&self) -> Answer {
        Answer::json(StatusCode::OK, &json!({ "components": self.told_components() }))
    }

    async fn put(&self, asked: &Asked) -> Answer {
        let Ok(text) = std::str::from_utf8(&asked.body) else {
            return Answer::error(StatusCode::BAD_REQUEST, "the body is no UTF-8", "send JSON");
        };
        match self.rules.put(&*self.house, text).await {
            Ok(rule) => Answer::json(StatusCode::CREATED, &rule),
            Err(answer) => answer,
        }
    }

    async fn interactions(&self, asked: &Asked) -> Answer {
        let seams = self.house.seams();
        let only: Option<Vec<SeamId>> = match asked.queried("seam") {
            None => None,
            Some(written) => match rules::named(&seams, &written) {
                Ok(named) => Some(named.into_iter().map(|seam| seam.id.clone()).collect()),
                Err(error) => return error.answer(),
            },
        };
        let most = match asked.queried("last").map(|last| last.parse::<usize>()) {
            None => TOLD,
            Some(Ok(most)) => most,
            Some(Err(_)) => {
                return Answer::error(StatusCode::BAD_REQUEST, "`last` is a number", "such as last=10");
            }
        };
        let all = self.house.interactions().await;
        let fitting: Vec<&Arc<Interaction>> =
            all.iter().filter(|one| only.as_ref().is_none_or(|only| only.contains(&one.seam))).collect();
        let masker = self.house.masker();
        let masked = |one: &&Arc<Interaction>| {
            let mut one = Interaction::clone(one);
            masker.interaction(&mut one);
            told(&one)
        };
        let told: Vec<Value> = fitting[fitting.len().saturating_sub(most)..].iter().map(masked).collect();
        Answer::json(StatusCode::OK, &json!({ "count": fitting.len(), "interactions": told }))
    }

    /// Says a message to all consumers of a seam.
    async fn push(&self, asked: &Asked) -> Answer {
        const EXAMPLE: &str =
            r#"such as {"seam": "feed -> redis", "message": {"topic": "news", "text": "hello"}}"#;
        let body = seam_value::parse(&String::from_utf8_lossy(&asked.body)).ok();
        let parts = body.as_ref().and_then(|body| {
            Some((
                body.get("seam")?.as_text()?,
                body.get("message").filter(|message| message.as_map().is_some())?,
            ))
        });
        let Some((written, message)) = parts else {
            let wrong = "the body has no `seam` and `message`, which is a map";
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, wrong, EXAMPLE);
        };
        let views = self.house.seams();
        let seams = match rules::named(&views, written) {
            Ok(seams) => seams,
            Err(error) => return error.answer(),
        };
        let fields = body.as_ref().and_then(seam_value::Value::as_map).into_iter().flatten();
        let strange = fields.map(|(name, _)| name.as_str()).find(|name| !["seam", "message"].contains(name));
        if let Some(name) = strange {
            let wrong = format!("the body has `seam` and `message`, and no `{name}`");
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &wrong, EXAMPLE);
        }
        if let Some(wrong) = seams.iter().find_map(|seam| strange_message(message, seam.protocol)) {
            return wrong;
        }
        let mut outcomes = Vec::new();
        for seam in seams {
            match self.house.push(&seam.id, message.clone()).await {
                Ok(told) => outcomes.extend(told),
                Err(error) => return Answer::error(StatusCode::NOT_FOUND, &error.to_string(), ""),
            }
        }
        let n_pushed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let reasons: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        if n_pushed == 0 {
            let message =
                reasons.first().map_or("nobody is connected there that is held", |reason| reason.as_str());
            let hint = "connections are held while a stub or a fault stands on their seam";
            return Answer::error(StatusCode::CONFLICT, message, hint);
        }
        Answer::json(StatusCode::OK, &json!({ "pushed": n_pushed, "not": reasons }))
    }

    async fn act(&self, name: &str, verb: &str) -> Answer {
        if !VERBS.contains(&verb) {
            let message = format!("nothing can be done that is called `{verb}`");
            return Answer::error(
                StatusCode::NOT_FOUND,
                &message,
                &format!("there are {}", VERBS.join(", ")),
            );
        }
        match self.house.act(name, verb).await {
            Ok(()) => Answer::json(StatusCode::OK, &json!({ "name": name, "done": verb })),
            Err(error @ HouseError::Unknown(_)) => {
                Answer::error(StatusCode::NOT_FOUND, &error.to_string(), "GET /seam/components lists all")
            }
            Err(error @ HouseError::Failed(_)) => Answer::error(StatusCode::CONFLICT, &error.to_string(), ""),
        }
    }
}

/// A field that no message of this protocol has.
fn strange_message(message: &seam_value::Value, protocol: &dyn Protocol) -> Option<Answer> {
    let known = protocol.pushed_fields();
    let mut names = message.as_map().into_iter().flatten().map(|(name, _)| name.as_str());
    let strange = names.find(|name| !known.is_empty() && !known.contains(name))?;
    let wrong = format!("a message of {} has no `{strange}`", protocol.name());
    let hint = match seam_diag::did_you_mean(strange, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", known.join(", ")),
    };
    Some(Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &wrong, &hint))
}

fn no_rule(id: &str) -> Answer {
    let message = format!("there is no rule `{id}`");
    Answer::error(StatusCode::NOT_FOUND, &message, "GET /seam/rules lists all")
}

/// An interaction with its fields as tests name them.
fn told(interaction: &Interaction) -> Value {
    let part = |value: &seam_value::Value| -> Value {
        serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
    };
    json!({
        "seam": interaction.seam.to_string(),
        "from": interaction.from.as_str(),
        "to": interaction.to.as_str(),
        "protocol": interaction.protocol,
        "connection": interaction.connection,
        "at": interaction.at.as_secs_f64(),
        "elapsed": interaction.elapsed.map(|elapsed| elapsed.as_secs_f64()),
        "error": interaction.error.map(seam_event::InteractionError::name),
        "answered_by": interaction.answered_by,
        "cut": interaction.cut,
        "request": part(&interaction.request),
        "reply": part(&interaction.reply),
        "message": part(&interaction.message),
    })
}

//! `mail: mail`: the mails that a mailbox got, as a person reads them.

use crate::action::{Action, StepContext, Target, Trouble};
use crate::filter::Clause;
use crate::kind::{Kind, Reading};
use crate::subject;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Span};
use seam_expr::{NameUse, Names};
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct MailStep;

/// What an attachment of a mail has.
const ATTACHMENT: &[Field] = &[
    Field::optional("name", Shape::Text, "its file name; null where it has none"),
    Field::optional("content_type", Shape::Text, "its type in small letters: `application/pdf`"),
    Field::optional(
        "content_id",
        Shape::Text,
        "the id by which the HTML refers to it; null where it has none",
    ),
    Field::optional("content", Shape::Any, "its content as text, or `{ base64: … }` where it is no text"),
    Field::optional("length", Shape::Integer, "how many bytes it has"),
];

/// What a mail has.
const MAIL: &[Field] = &[
    Field::optional("from", Shape::Text, "the address in `From:`, without the name"),
    Field::optional("to", Shape::List(&Shape::Text), "the addresses in `To:`, without the names"),
    Field::optional("subject", Shape::Text, "the subject, decoded"),
    Field::optional("text", Shape::Text, "the plain text, decoded; null where there is none"),
    Field::optional("html", Shape::Text, "the HTML, decoded; null where there is none"),
    Field::optional(
        "headers",
        Shape::MapOf(&Shape::Any),
        "by name, decoded; a list where one comes more than once",
    ),
    Field::optional("attachments", Shape::List(&Shape::Fields(ATTACHMENT)), "what is attached"),
    Field::optional("sender", Shape::Text, "who handed it over, by the envelope"),
    Field::optional(
        "recipients",
        Shape::List(&Shape::Text),
        "who gets it, by the envelope: blind copies included",
    ),
    Field::optional("raw", Shape::Text, "the mail as it came"),
];

static WORD: Word = Word {
    text: "Looks at the mails that a mailbox got since the test's state was set, in the order in which they came, decoded \
           as a person reads them. `to`, `from` and `subject` narrow it, each with a value or with matchers; `to` is \
           about each address that gets the mail, those in blind copy included, and a list is about all addresses in \
           `To:`.\n\n\
           Mails come late: write `within` where one is awaited. A step without it first waits until the test is quiet, \
           so that a count is final.",
    subject: Shape::Component,
    fields: &[
        Field::optional("to", Shape::Matchers, "only mails to this address, or one that this holds of"),
        Field::optional("from", Shape::Matchers, "only mails from this address, or one that this holds of"),
        Field::optional(
            "subject",
            Shape::Matchers,
            "only mails with this subject, or one that this holds of",
        ),
    ],
    results: &[
        Field::optional("count", Shape::Integer, "how many there are"),
        Field::optional("mails", Shape::List(&Shape::Fields(MAIL)), "the mails, the oldest first"),
    ],
    example: "\
- mail: mail
  to: ann@example.test
  subject: { starts_with: Your order }
  within: 10s
  expect:
    count: 1
    mails.0.text: { contains: Thank you }
    mails.0.attachments.0.name: bill.pdf
  save: { link: { from: mails.0.text, matches: 'https?://\\S+' } }
",
    ..Word::new("mail", "looks at the mails that a mailbox got")
};

impl Kind for MailStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `mail` step");
        let [to, from, subject] = ["to", "from", "subject"].map(|key| {
            let entry = fields.take_entry(key);
            entry.map(|entry| Clause::read(entry, reading.found))
        });
        fields.finish(reading.found);
        let name = subject::text(&step.subject, "mail", reading)?;
        let span = step.subject.span;
        let mailbox = subject::component(name, span, reading)?;
        if reading.system.service(&mailbox) != Some("mailbox") {
            let is_mailbox = |name: &&str| reading.system.service(name) == Some("mailbox");
            let known: Vec<String> =
                reading.system.components().into_iter().filter(is_mailbox).map(str::to_owned).collect();
            let error = Diagnostic::error(format!("`{mailbox}` is no mailbox")).at(span, "");
            reading.found.push(match known.as_slice() {
                [] => error.hint("declare one: `mail: { service: mailbox }`, and give components its `url`"),
                [known, ..] => error.hint(format!("did you mean `{known}`?")),
            });
            return None;
        }
        let other = [from, subject].into_iter().flatten().collect();
        Some(Box::new(Mails { mailbox, span, to, other }))
    }
}

struct Mails {
    mailbox: String,
    span: Span,
    to: Option<Clause>,
    /// `from` and `subject`.
    other: Vec<Clause>,
}

impl Mails {
    fn fits(&self, mail: &Value, names: &dyn Names) -> Result<bool, Trouble> {
        for clause in &self.other {
            if !clause.holds(mail, names)? {
                return Ok(false);
            }
        }
        self.to.as_ref().map_or(Ok(true), |clause| goes_to(clause, mail, names))
    }
}

/// Is it a list, all addresses of `To:` are meant; else any one that gets the mail.
fn goes_to(clause: &Clause, mail: &Value, names: &dyn Names) -> Result<bool, Trouble> {
    if clause.wants_list(names)? {
        return clause.holds(mail, names);
    }
    for field in ["to", "recipients"] {
        for address in mail.get(field).and_then(Value::as_list).unwrap_or_default() {
            if clause.holds(&Value::map([("to", address.clone())]), names)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl Action for Mails {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        for clause in self.to.iter().chain(&self.other) {
            clause.uses(&mut uses);
        }
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target::Component { component: self.mailbox.clone(), span: self.span }]
    }

    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            if cx.settle {
                cx.bench.quiet(cx.deadline).await?;
            }
            let mut fitting = Vec::new();
            for mail in cx.bench.mails(&self.mailbox)? {
                if self.fits(&mail, cx.names)? {
                    fitting.push(mail);
                }
            }
            Ok(Value::map([("count", Value::from(fitting.len())), ("mails", Value::List(fitting))]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, mistakes, run, run_as, step};

    fn bed() -> Bed {
        let mails = [
            r#"{"from":"shop@x.test","to":["ann@x.test"],"recipients":["ann@x.test","boss@x.test"],"subject":"Order 7"}"#,
            r#"{"from":"shop@x.test","to":["ann@x.test","bob@x.test"],"recipients":["ann@x.test","bob@x.test"],"subject":"News"}"#,
            r#"{"from":"bank@x.test","to":["bob@x.test"],"recipients":["bob@x.test"],"subject":"Order 8"}"#,
        ];
        Bed { mails: mails.iter().map(|mail| seam_value::parse(mail).unwrap()).collect(), ..Bed::default() }
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        mistakes(&[
            ("- mail: mall", "there is no component `mall` [mall] {did you mean `mail`?}"),
            ("- mail: pg", "`pg` is no mailbox [pg] {did you mean `mail`?}"),
            (
                "- mail: mail\n  subjekt: a",
                "unknown key `subjekt` in the step `mail` [subjekt] {did you mean `subject`?}",
            ),
            (
                "- mail: mail\n  subject: { contain: a }",
                "`contain` is no matcher [contain] {did you mean `contains`?}",
            ),
        ]);
    }

    #[tokio::test]
    async fn mails_are_narrowed_by_values_and_matchers() {
        for (fields, expect) in [
            ("", "Order 7, News, Order 8"),
            ("to: ann@x.test", "Order 7, News"),
            ("to: boss@x.test", "Order 7"),
            ("to: $who", "News, Order 8"),
            ("to: { starts_with: bo, ends_with: x.test }", "Order 7, News, Order 8"),
            ("to: { starts_with: ann, ends_with: y.test }", ""),
            ("to: [ann@x.test, bob@x.test]", "News"),
            ("to: $both", "News"),
            ("to: { not: ann@x.test }", "Order 7, News, Order 8"),
            ("from: bank@x.test", "Order 8"),
            ("from: { not: bank@x.test }", "Order 7, News"),
            ("subject: order", ""),
            ("subject: Order 7", "Order 7"),
            ("subject: { matches: '^Order \\d$' }", "Order 7, Order 8"),
            ("to: ann@x.test\n  subject: { contains: Order }", "Order 7"),
        ] {
            let variables = r#"{"who":"bob@x.test","both":["ann@x.test","bob@x.test"]}"#;
            let yaml = format!("- mail: mail\n  {fields}");
            let bed = bed();
            let result = run(&yaml, &Actor::new(""), &bed, variables).await;
            assert_eq!(bed.asked(), ["quiet"]);
            let Some(Value::List(mails)) = result.get("mails") else { panic!("{result}") };
            let subjects: Vec<_> =
                mails.iter().map(|mail| mail.get("subject").unwrap().to_plain_text()).collect();
            assert_eq!(subjects.join(", "), expect, "{yaml}");
            assert_eq!(result.get("count"), Some(&Value::from(mails.len())));
        }
    }

    #[tokio::test]
    async fn a_variable_that_holds_nothing_is_told() {
        let step = step("- mail: mail\n  to: $ann.email");
        let done = run_as(step.as_ref(), &Actor::new(""), &bed(), r#"{"ann":{}}"#, LIMIT).await;
        assert!(matches!(done, Err(Trouble::Failed { span: Some(_), .. })), "{done:?}");
    }
}

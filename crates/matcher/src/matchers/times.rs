//! What `before`, `after` and `at` share: instants, whatever their offsets.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::literal::Literal;
use crate::moment::{moment, no_instant};
use crate::show;
use jiff::{SignedDuration, Timestamp};
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::{NameUse, instant};
use seam_model::{Node, Shape, Word};
use seam_value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// A kind of matcher that compares instants.
pub(super) const fn kind(
    name: &'static str,
    line: &'static str,
    example: &'static str,
    read: fn(&Node, &mut Diagnostics) -> Option<Arc<dyn Matcher>>,
) -> Kind {
    Kind {
        word: Word {
            text: "Takes an instant (`2026-01-31T12:00Z`, with any offset) or `now`, and a duration before or after it: \
                   `now - 5m`, `$created + 1h`. The value must be a text that is an instant, in the form of RFC 3339 or \
                   of HTTP and mail headers.",
            subject: Shape::Text,
            example,
            ..Word::new(name, line)
        },
        read,
    }
}

#[derive(Debug)]
struct Compared {
    literal: Literal,
    holds: fn(Ordering) -> bool,
}

pub(super) fn read(
    name: &'static str,
    node: &Node,
    found: &mut Diagnostics,
    holds: fn(Ordering) -> bool,
) -> Option<Arc<dyn Matcher>> {
    let literal = Literal::read(node, found);
    match literal.known() {
        Some(Value::Text(text)) => {
            if let Err(reason) = moment(text, Timestamp::UNIX_EPOCH) {
                found.push(Diagnostic::error(format!("`{name}` takes an instant")).at(node.span, reason));
                return None;
            }
        }
        Some(_) => {
            found.push(wrong(name, "an instant, or `now - 5m`", node));
            return None;
        }
        None => {}
    }
    Some(Arc::new(Compared { literal, holds }))
}

impl Matcher for Compared {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let text = match self.literal.template().render_text(scene.names) {
            Ok(text) => text,
            Err(error) => return error.into(),
        };
        let expected = match moment(&text, scene.names.now()) {
            Ok(expected) => expected,
            Err(reason) => return Finding::failed(reason).expecting(text.into()),
        };
        let finding = match actual.as_text().and_then(instant) {
            None => unfit(actual),
            Some(time) => Finding::when((self.holds)(time.cmp(&expected)), || show::actual(actual, None))
                .beside(time.duration_since(expected)),
        };
        finding.expecting(Value::text(expected.to_string()))
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}

/// What is no instant.
pub(super) fn unfit(actual: &Value) -> Finding {
    match actual.as_text() {
        Some(text) => Finding::failed(no_instant(text)),
        None => Finding::failed(show::unfit(actual, "a time")),
    }
}

impl Finding {
    /// Says how much later (or, below zero, earlier) an instant is than the expected one, where it failed.
    pub(super) fn beside(self, length: SignedDuration) -> Self {
        if self.holds() {
            return self;
        }
        let text = seam_expr::length_text(length.abs());
        self.detail(match (length.is_zero(), length.is_negative()) {
            (true, _) => "it is that very instant".to_owned(),
            (_, true) => format!("{text} earlier"),
            (_, false) => format!("{text} later"),
        })
    }
}

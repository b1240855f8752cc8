//! `snapshot: order page`: the same as when it was last looked at and kept.

use crate::diff::{Mode, differences, lines};
use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use seam_expr::{NameUse, Template};
use seam_model::{NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Takes a name, or `true` for the path as the name. The first time, the value is kept and the test is \
               inconclusive: look at what was kept, and from then on it must stay equal.",
        subject: Shape::Either(&[Shape::Text, Shape::Boolean]),
        example: "# body: {\"state\": \"paid\"}\nexpect:\n  body: { snapshot: a paid order }\n",
        ..Word::new("snapshot", "the same as what was kept under this name")
    },
    read: |node, found| match &node.kind {
        NodeKind::Bool(true) => Some(Arc::new(Snapshot { name: None })),
        NodeKind::Text { .. } => Some(Arc::new(Snapshot { name: Some(Template::read(node, found)) })),
        _ => {
            found.push(wrong("snapshot", "a name, or `true`", node));
            None
        }
    },
};

#[derive(Debug)]
struct Snapshot {
    name: Option<Template>,
}

impl Matcher for Snapshot {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let name = match &self.name {
            None => scene.path.to_owned(),
            Some(template) => match template.render_text(scene.names) {
                Ok(name) => name,
                Err(error) => return error.into(),
            },
        };
        let Some(kept) = scene.snapshots.kept(&name) else {
            scene.snapshots.keep(&name, actual);
            return Finding::inconclusive(format!("there was no snapshot `{name}` yet; now it is kept"));
        };
        let found = differences(&kept, actual, Mode::Equal);
        let finding = match found.as_slice() {
            [] => Finding::held(),
            [one] => Finding::failed(format!("differs from the snapshot; {}", one.message())),
            many => Finding::failed(format!("differs from the snapshot in {} places", many.len())),
        };
        Finding { details: lines(&found, scene.path), ..finding }.expecting(kept)
    }

    fn names(&self) -> Vec<NameUse> {
        self.name.as_ref().map(Template::names).unwrap_or_default()
    }
}

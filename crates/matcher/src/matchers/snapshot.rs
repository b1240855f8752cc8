//! `snapshot: order page`: the same as when it was last looked at and kept.

use crate::diff::{Difference, Mode, differences_at, lines};
use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::snapshots::{Offered, SnapshotKey, UPDATE_COMMAND};
use seam_expr::{NameUse, Template};
use seam_model::{NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Takes a name, which is one for the whole project, or `true` for what stands here. Where nothing is kept \
               yet the test is inconclusive; `seam run --update-snapshots` keeps what there is, in the folder \
               `snapshots`, or keeps it anew. Look at what was kept: from then on the value must stay equal to it. \
               Secrets are masked in it.",
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
        let name = match self.name.as_ref().map(|name| name.render_text(scene.names)).transpose() {
            Ok(name) => name,
            Err(error) => return error.into(),
        };
        let key = name.as_deref().map_or(SnapshotKey::At(scene.path), SnapshotKey::Named);
        let shown_name = name.as_deref().unwrap_or(scene.path);
        let actual = scene.snapshots.shown(actual);
        let kept = match scene.snapshots.kept(key) {
            Ok(kept) => kept,
            Err(reason) => {
                return Finding::inconclusive(format!("the snapshot `{shown_name}` can't be read"))
                    .detail(first_line(&reason));
            }
        };
        let found = kept.as_ref().map(|kept| differences_at(scene.case, kept, &actual, Mode::Equal));
        if found.as_ref().is_some_and(Vec::is_empty) {
            return Finding { expected: kept, ..Finding::held() };
        }
        let finding = match (scene.snapshots.offer(key, &actual), &found) {
            // Whoever asked for it has said that this is right.
            (Offered::Kept, _) => return Finding::held().expecting(actual),
            (Offered::Refused(reason), _) => {
                return Finding::inconclusive(format!("the snapshot `{shown_name}` can't be kept"))
                    .detail(first_line(&reason));
            }
            (Offered::NotAsked, None) => {
                return Finding::inconclusive(format!("there is no snapshot `{shown_name}` yet"))
                    .detail(format!("`{UPDATE_COMMAND}` keeps it"));
            }
            (Offered::NotAsked, Some(found)) => told(found, scene.path),
        };
        Finding { expected: kept, ..finding }
    }

    fn names(&self) -> Vec<NameUse> {
        self.name.as_ref().map(Template::names).unwrap_or_default()
    }
}

fn told(found: &[Difference], path: &str) -> Finding {
    let finding = match found {
        [one] => Finding::failed(format!("differs from the snapshot; {}", one.message())),
        many => Finding::failed(format!("differs from the snapshot in {} places", many.len())),
    };
    Finding { details: lines(found, path), ..finding }
        .detail(format!("where that is right, `{UPDATE_COMMAND}` keeps it"))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

//! `exists: false`: is there something at the path?

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::show;
use seam_diag::Diagnostics;
use seam_expr::Missing;
use seam_model::{Node, NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "`false`: the path leads nowhere. `true`: it leads somewhere, were it to null. With `*`: `true` asks it of \
               every element, of which there must be one; `false` of none.",
        subject: Shape::Boolean,
        example: "# body: {\"id\": 17, \"note\": null}\n\
                  expect:\n  body.note: { exists: true }\n  body.password: { exists: false }\n",
        ..Word::new("exists", "is there something at the path?")
    },
    read: |node, found| {
        let expected = read_flag("exists", node, found)?;
        Some(Arc::new(Exists { expected }))
    },
};

/// Reads `true` or `false`.
pub(super) fn read_flag(name: &str, node: &Node, found: &mut Diagnostics) -> Option<bool> {
    if let NodeKind::Bool(flag) = node.kind {
        return Some(flag);
    }
    found.push(wrong(name, "`true` or `false`", node));
    None
}

#[derive(Debug)]
struct Exists {
    expected: bool,
}

impl Matcher for Exists {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        // What can lead to several things and leads to none gives an empty list: no element has it.
        let is_nowhere = scene.is_many && actual.as_list().is_some_and(<[_]>::is_empty);
        Finding::when(is_nowhere != self.expected, || {
            if is_nowhere { "there is no element".to_owned() } else { show::actual(actual, None) }
        })
        .expecting(self.expected.into())
    }

    fn judge_missing(&self, missing: &Missing) -> Option<Finding> {
        let finding = if self.expected {
            let finding = Finding::failed(missing.message.clone());
            match missing.hint() {
                Some(hint) => finding.detail(hint),
                None => finding,
            }
        } else {
            let n = missing.n_elsewhere;
            Finding::when(n == 0, || {
                format!("{n} of the elements {} it", if n == 1 { "has" } else { "have" })
            })
        };
        Some(finding.expecting(self.expected.into()))
    }
}

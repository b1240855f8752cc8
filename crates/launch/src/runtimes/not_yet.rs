//! `image`, `build`, `compose` and `planned`: read and checked now, raised by a later version.

use super::{Ground, Live, Raise, RaiseError, RuntimeKind, There};
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Component, NodeKind, Shape, Spanned, Word};

pub(super) const IMAGE: RuntimeKind = kind(
    Word { subject: Shape::Text, ..Word::new("image", "a container of an image (not there yet)") },
    |component, found| read(component, found, "image"),
);

pub(super) const BUILD: RuntimeKind = kind(
    Word {
        subject: Shape::Text,
        ..Word::new("build", "a container of an image built from a folder (not there yet)")
    },
    |component, found| read(component, found, "build"),
);

pub(super) const COMPOSE: RuntimeKind = kind(
    Word { subject: Shape::Text, ..Word::new("compose", "a service of a Compose file (not there yet)") },
    |component, found| read(component, found, "compose"),
);

pub(super) const PLANNED: RuntimeKind = kind(
    Word {
        subject: Shape::Any,
        text: "Its `stub` answers for it. Without one, a run that needs it says that it is not there yet.",
        ..Word::new("planned", "declared before it exists")
    },
    |component, found| read(component, found, "planned"),
);

type Read = fn(&Component, &mut Diagnostics) -> Option<Box<dyn Raise>>;

const fn kind(word: Word, read: Read) -> RuntimeKind {
    let text = match word.text.len() {
        0 => "This version reads and checks it; a run that needs it says that it is not there yet.",
        _ => word.text,
    };
    RuntimeKind { word: Word { text, ..word }, read, there: There::NotYet }
}

/// A component that this version cannot raise.
#[derive(Debug)]
struct NotYet {
    runtime: &'static str,
}

/// Its further settings are not looked at: the version that raises it knows them.
fn read(component: &Component, found: &mut Diagnostics, runtime: &'static str) -> Option<Box<dyn Raise>> {
    let subject = &component.subject;
    let fits = match &subject.kind {
        NodeKind::Text { text, .. } => !text.trim().is_empty(),
        NodeKind::Map(_) => runtime != "image",
        NodeKind::Null | NodeKind::Bool(true) => runtime == "planned",
        NodeKind::Bool(false) | NodeKind::Number(_) | NodeKind::List(_) => false,
    };
    if !fits {
        let title = format!("`{runtime}` of `{}` must be a text", component.name.value);
        found.push(Diagnostic::error(title).at(subject.span, format!("this is {}", subject.kind_name())));
        return None;
    }
    Some(Box::new(NotYet { runtime }))
}

impl Raise for NotYet {
    fn templates(&self) -> &[Spanned<String>] {
        &[]
    }

    fn raise<'a>(&'a self, ground: &'a Ground<'a>) -> BoxFuture<'a, Result<Box<dyn Live>, RaiseError>> {
        let (component, runtime) = (ground.component.clone(), self.runtime);
        Box::pin(async move { Err(RaiseError::NotYet { component, runtime }) })
    }
}

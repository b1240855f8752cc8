//! `{ seam: worker -> redis, where: { request.command: SUBSCRIBE } }`: an interaction has passed a seam; for what
//! opens no port.

use super::{NotReady, ReadinessKind, Ready, ReadyContext};
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Field, Fields, Node, Shape, Word};

pub(super) const KIND: ReadinessKind = ReadinessKind {
    word: Word {
        text: "Ready when an interaction that fits `where` has passed this seam. For what opens no port: a worker \
               that subscribes, a consumer that polls.",
        subject: Shape::Seam,
        fields: &[Field::optional("where", Shape::Expectations, "which interactions count")],
        example: "system: example\n\
                  components:\n\
                  \x20 cache: { service: redis }\n\
                  \x20 worker:\n\
                  \x20   run: redis-cli -u ${cache.url} subscribe work\n\
                  \x20   ready: { seam: worker -> cache, where: { request.command: SUBSCRIBE } }\n",
        ..Word::new("seam", "ready when something has passed a seam")
    },
    is_text: |_| false,
    read,
};

/// Which interaction is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeamReady {
    /// Who asks.
    pub consumer: String,
    /// Who is asked, with its endpoint or database after a dot where it names one.
    pub provider: String,
    /// Where the seam is written.
    pub span: Span,
    /// Which interactions count: paths with matchers, not read yet.
    pub filter: Option<Node>,
}

/// Who knows what has passed on seams; the engine does.
pub trait SeamsSeen: Send + Sync {
    /// Has such an interaction passed since the component was raised? The error says what there was instead, in a
    /// few words.
    fn has_passed(&self, what: &SeamReady) -> Result<(), String>;
}

fn read(node: &Node, fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    Some(Box::new(SeamReady::read(node, fields, found)?))
}

impl SeamReady {
    /// The provider, and its endpoint where it names one.
    pub fn sides(&self) -> (&str, Option<String>) {
        match self.provider.split_once('.') {
            Some((provider, endpoint)) => (provider, Some(endpoint.to_owned())),
            None => (&self.provider, None),
        }
    }

    /// Reads what stands right of `seam`, and `where` beside it.
    pub fn read(node: &Node, fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Self> {
        let filter = fields.take("where").cloned();
        let sides = node.as_text().and_then(|text| text.split_once("->"));
        let sides = sides.map(|(consumer, provider)| (consumer.trim(), provider.trim()));
        let Some((consumer, provider)) =
            sides.filter(|(consumer, provider)| is_name(consumer) && is_name(provider))
        else {
            let told = Diagnostic::error("`seam` must name a seam").at(node.span, "");
            found.push(told.hint("write who asks and who is asked: `worker -> redis`"));
            return None;
        };
        if let Some(node) = &filter
            && node.as_map().is_none()
        {
            found.push(
                Diagnostic::error("`where` must be a map")
                    .at(node.span, format!("this is {}", node.kind_name())),
            );
            return None;
        }
        Some(Self { consumer: consumer.to_owned(), provider: provider.to_owned(), span: node.span, filter })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

impl Ready for SeamReady {
    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>> {
        let answer = match cx.seams {
            Some(seams) => seams.has_passed(self).map_err(NotReady::NotYet),
            None => Err(NotReady::Never("`seam` as readiness is not there yet".to_owned())),
        };
        Box::pin(async move { answer })
    }

    fn seam(&self) -> Option<&SeamReady> {
        Some(self)
    }
}

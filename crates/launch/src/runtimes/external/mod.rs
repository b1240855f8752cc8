//! `external`: a component that is somebody else's, or already runs elsewhere; nothing is started.

mod address;
mod bounds;

use super::{Ground, Live, LiveError, Raise, RaiseError, RuntimeKind, There};
use crate::watcher::{Death, End, Exit};
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_event::ComponentId;
use seam_model::{Component, Field, Fields, Shape, Spanned, Word};
use std::time::Duration;

pub use address::{ExternalAddress, parse_external};
use bounds::{BUDGET, OPERATIONS};
pub use bounds::{Bounds, Operation};

pub(super) const KIND: RuntimeKind = RuntimeKind {
    word: Word {
        text: "Nothing is started: its seams lead to this address. What is not on loopback is asked only where \
               `live: true` says so; until then connecting to it is refused, and the run says so. `https` and the \
               other schemes that mean TLS have it put on behind the seam, so that the History shows plain HTTP: \
               certificates are judged by what this machine trusts (or by the file that the variable SSL_CERT_FILE \
               of `seam` itself names), and by the authorities in the file `ca`; `Host` and its own `Location` are rewritten. \
               HTTP/2 goes on as such, where it speaks that. \
               Schemes: http, https, ws, wss, tcp, tls, postgresql, mysql, redis, rediss, amqp, amqps, \
               mqtt, nats, kafka, smtp, smtps; \
               `tcp://host:port` with any `protocol` will do where it does not speak HTTP. User and password that stand \
               in such an address stand in what `${x.url}` gives, too. A test may allow it for \
               itself (`live: rates`). What `operations` don't name, and what goes beyond the `budget`, is not \
               passed on: the connection is reset, and the test is inconclusive. Both need `http` or `https`.",
        subject: Shape::Text,
        fields: &[
            Field::optional("live", Shape::Boolean, "may it be asked for real, in all tests"),
            Field::optional(
                "ca",
                Shape::Text,
                "a file (PEM) with certificates of authorities to trust besides this machine's; from the project's folder",
            ),
            Field::optional(
                "client",
                Shape::Fields(CLIENT),
                "a certificate to be shown to it where it asks for one: that of a consumer ends at the seam",
            ),
            BUDGET,
            OPERATIONS,
        ],
        example: "system: example\n\
                  components:\n\
                  \x20 rates: { external: \"https://rates.example.com/v1\" }\n",
        ..Word::new("external", "somebody else's, or running elsewhere")
    },
    read,
    there: There::Now,
};

const CLIENT: &[Field] = &[
    Field::required(
        "certificate",
        Shape::Text,
        "the certificate (PEM), with its chain; from the project's folder",
    ),
    Field::required("key", Shape::Text, "its key (PEM)"),
];

/// An external component as declared.
#[derive(Clone, Debug)]
pub struct External {
    /// Its address, in which references may stand.
    address: [Spanned<String>; 1],
    /// May it be asked although it is not on loopback?
    pub live: bool,
    /// The file with authorities to trust besides the machine's, as written.
    pub ca: Option<Spanned<String>>,
    /// The files with the certificate that it is shown, and with its key, as written.
    pub client: Option<(Spanned<String>, Spanned<String>)>,
    /// What may be asked of it, and how often in a run.
    pub bounds: Bounds,
}

impl External {
    /// Its address as declared: see [`parse_external`] once it is rendered.
    pub fn address(&self) -> &Spanned<String> {
        &self.address[0]
    }
}

fn read(component: &Component, found: &mut Diagnostics) -> Option<Box<dyn Raise>> {
    let name = &component.name.value;
    let mut fields =
        Fields::over(&component.settings, component.name.span, format!("the component `{name}`"));
    let live = fields.boolean("live", found).unwrap_or(false);
    let ca = fields.text("ca", found);
    let client_span = fields.take("client").map(|node| node.span);
    let client = fields.take("client").and_then(|node| {
        let mut fields = Fields::of(node, format!("`client` of `{name}`"), found);
        let mut file = |key| fields.require(key, found).is_some().then(|| fields.text(key, found)).flatten();
        let pair = file("certificate").zip(file("key"));
        fields.finish(found);
        pair
    });
    let bounds = Bounds::read(&mut fields, found);
    fields.finish(found);
    let subject = &component.subject;
    let Some(text) = subject.as_text() else {
        let title = format!("`external` of `{name}` must be an address");
        found.push(Diagnostic::error(title).at(subject.span, format!("this is {}", subject.kind_name())));
        return None;
    };
    // With a reference in it, what it is shows only when that is rendered.
    if !text.contains("${") {
        let wrong = match parse_external(text) {
            Ok(address) => bounds.check(&address).err().map(|reason| ("can't be bounded", reason)),
            Err(reason) => Some(("is no address", reason)),
        };
        if let Some((what, reason)) = wrong {
            let title = format!("`external` of `{name}` {what}");
            found.push(Diagnostic::error(title).at(subject.span, reason));
            return None;
        }
        let of_tls = [("ca", ca.as_ref().map(|ca| ca.span)), ("client", client_span)];
        for (what, span) in of_tls {
            if let (Some(span), Ok(address)) = (span, parse_external(text))
                && !address.tls
            {
                let label = format!("of {}:// no certificate is asked", address.scheme);
                found.push(Diagnostic::error(format!("`{what}` of `{name}` is of no use")).at(span, label));
            }
        }
    }
    let address = [Spanned::new(text.to_owned(), subject.span)];
    Some(Box::new(External { address, live, ca, client, bounds }))
}

impl Raise for External {
    fn templates(&self) -> &[Spanned<String>] {
        &self.address
    }

    fn raise<'a>(&'a self, ground: &'a Ground<'a>) -> BoxFuture<'a, Result<Box<dyn Live>, RaiseError>> {
        Box::pin(async move {
            let component = ground.component.clone();
            let text = ground.texts.first().map_or("", String::as_str);
            match parse_external(text) {
                Ok(_) => {
                    let elsewhere: Box<dyn Live> = Box::new(Elsewhere { component });
                    Ok(elsewhere)
                }
                Err(reason) => Err(RaiseError::Address { component, reason }),
            }
        })
    }

    fn external(&self) -> Option<&External> {
        Some(self)
    }
}

/// Nothing of ours runs of this component: somebody else's, or what only a stub stands for.
pub fn nothing_of(component: ComponentId) -> Box<dyn Live> {
    Box::new(Elsewhere { component })
}

/// What runs without us.
struct Elsewhere {
    component: ComponentId,
}

impl Elsewhere {
    fn refuse<T: Send + 'static>(&self, act: &'static str) -> BoxFuture<'_, Result<T, LiveError>> {
        Box::pin(async move { Err(LiveError::NotOurs { component: self.component.clone(), act }) })
    }
}

impl Live for Elsewhere {
    fn exit(&self) -> Option<Exit> {
        None
    }

    fn died(&self) -> BoxFuture<'_, Result<Death, LiveError>> {
        Box::pin(std::future::pending())
    }

    fn stop(&self, _deadline: Duration) -> BoxFuture<'_, Result<End, LiveError>> {
        self.refuse("stop")
    }

    fn kill(&self) -> BoxFuture<'_, Result<End, LiveError>> {
        self.refuse("kill")
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), LiveError>> {
        self.refuse("pause")
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), LiveError>> {
        self.refuse("resume")
    }
}

//! A real SMTP server that keeps what it gets and sends nothing on: `service: mailbox`.
//!
//! It is built in, so that a system with mails needs no program for it and each mail can be waited for.

mod mail;
mod server;
mod session;
mod store;

pub use mail::Mail;

use crate::service::{Declared, EndpointInfo, RaiseCx, RaiseError, Running, Service, StopHow, Upstream};
use crate::settings;
use crate::state::{Kept, Restored, StateError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_launch::{Running as Process, WatcherGone};
use seam_model::{Component, Field, Fields, Shape, Word};
use session::Rules;
use std::any::Any;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use store::Store;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What most providers take, attachments in base64 included.
const SIZE: u64 = 35 << 20;

static WORD: Word = Word {
    name: "mailbox",
    line: "a real SMTP server, built in, that keeps what it gets",
    text: "Components send their mails to it by SMTP, and `mail:` steps look at them: addresses, subject, text, \
           HTML, headers and attachments, decoded. It sends nothing on, ever.\n\n\
           It takes any user and password; with `user` and `password` it takes only these. TLS is not offered: \
           the connection never leaves the machine. Before each test it holds again what it held when the state \
           was kept.",
    subject: Shape::Nothing,
    fields: &[
        Field::optional("user", Shape::Text, "who may send; anybody where it is not said"),
        Field::optional("password", Shape::Text, "the password of `user`"),
        Field::optional("size", Shape::Size, "the largest mail that it takes; 35 MiB"),
    ],
    results: &[
        Field::optional(
            "url",
            Shape::Text,
            "`smtp://host:port`, with user and password where there are some",
        ),
        Field::optional("address", Shape::Text, "`host:port`"),
        Field::optional("host", Shape::Text, "the host"),
        Field::optional("port", Shape::Integer, "the port"),
        Field::optional("user", Shape::Text, "the user, where there is one"),
        Field::optional("password", Shape::Text, "the password, where there is one"),
    ],
    example: "system: shop\ncomponents:\n  mail: { service: mailbox, size: 1MiB }\n",
};

/// The line in the table of services.
pub struct MailboxService;

impl Service for MailboxService {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn program(&self) -> Option<&'static crate::programs::Program> {
        None
    }

    fn read(
        &self,
        component: &Component,
        _project: &Path,
        found: &mut Diagnostics,
    ) -> Option<Box<dyn Declared>> {
        let owner = format!("the mailbox `{}`", component.name.value);
        let mut fields = Fields::over(&component.settings, component.subject.span, owner);
        let user = fields.text("user", found);
        let password = fields.text("password", found);
        let size = settings::size(&mut fields, "size", found).unwrap_or(SIZE);
        fields.finish(found);
        let sign_in = match (user, password) {
            (Some(user), Some(password)) => Some((user.value, password.value)),
            (Some(one), None) | (None, Some(one)) => {
                found.push(
                    Diagnostic::error("`user` and `password` go together")
                        .at(one.span, "one without the other"),
                );
                None
            }
            (None, None) => None,
        };
        Some(Box::new(DeclaredMailbox { rules: Rules { size, sign_in } }))
    }
}

struct DeclaredMailbox {
    rules: Rules,
}

impl Declared for DeclaredMailbox {
    fn endpoints(&self) -> Vec<EndpointInfo> {
        vec![EndpointInfo { name: String::new(), protocol: "smtp" }]
    }

    fn properties(&self, endpoint: &str) -> &'static [&'static str] {
        match (endpoint, &self.rules.sign_in) {
            ("", Some(_)) => &["url", "address", "host", "port", "user", "password"],
            ("", None) => &["url", "address", "host", "port"],
            _ => &[],
        }
    }

    fn property(&self, endpoint: &str, name: &str, at: SocketAddr) -> Option<String> {
        if !endpoint.is_empty() {
            return None;
        }
        let sign_in = self.rules.sign_in.as_ref();
        match name {
            "url" => Some(format!("smtp://{}{at}", settings::userinfo(sign_in))),
            "user" => sign_in.map(|(user, _)| user.clone()),
            "password" => sign_in.map(|(_, password)| password.clone()),
            _ => settings::address_property(name, at),
        }
    }

    fn secrets(&self) -> Vec<String> {
        self.rules.sign_in.iter().map(|(_, password)| password.clone()).collect()
    }

    fn raise<'a>(&'a self, cx: &'a RaiseCx) -> BoxFuture<'a, Result<Box<dyn Running>, RaiseError>> {
        async move {
            let places = &cx.places;
            let folder = places
                .socket_folder(cx.run.as_str(), cx.component.as_str(), "smtp")
                .map_err(RaiseError::files("make", &places.sockets))?;
            cx.watcher.remove_at_end(&places.sockets.join(cx.run.as_str())).await?;
            let mailbox = Mailbox {
                socket: folder.join("smtp"),
                rules: self.rules.clone(),
                store: Arc::new(Store::new()),
                task: Mutex::new(None),
            };
            mailbox.open()?;
            Ok(Box::new(mailbox) as Box<dyn Running>)
        }
        .boxed()
    }
}

/// A mailbox that takes mails.
#[derive(Debug)]
pub struct Mailbox {
    socket: PathBuf,
    rules: Rules,
    store: Arc<Store>,
    /// Whoever serves; none while it is stopped.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Mailbox {
    /// The mails that came since the state was set, in their order.
    pub fn mails(&self) -> Vec<Arc<Mail>> {
        self.store.mails()
    }

    /// How many mails ever came: changes with each one, so that one can wait for the next.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.store.arrivals()
    }

    fn open(&self) -> Result<(), RaiseError> {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_some() {
            return Ok(());
        }
        // What a stopped mailbox left: a socket nobody listens on.
        let _ = std::fs::remove_file(&self.socket);
        let listener = UnixListener::bind(&self.socket).map_err(RaiseError::files("make", &self.socket))?;
        *task = Some(tokio::spawn(server::serve(listener, self.rules.clone(), Arc::clone(&self.store))));
        Ok(())
    }

    fn close(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.close();
    }
}

impl Running for Mailbox {
    fn upstream(&self, _endpoint: &str) -> Upstream {
        Upstream::Unix(self.socket.clone())
    }

    fn detail(&self) -> String {
        "built in".to_owned()
    }

    fn process(&self) -> Option<Process> {
        None
    }

    fn keep(&self) -> BoxFuture<'_, Result<Kept, StateError>> {
        let began = Instant::now();
        let inner = Box::new(KeptMails(self.mails()));
        let kept = Kept { inner, took: began.elapsed(), held_open: Vec::new(), notes: Vec::new() };
        std::future::ready(Ok(kept)).boxed()
    }

    fn restore<'a>(&'a self, kept: &'a Kept) -> BoxFuture<'a, Result<Restored, StateError>> {
        let began = Instant::now();
        let Some(KeptMails(mails)) = kept.inner.downcast_ref() else {
            return std::future::ready(Err(StateError::Foreign)).boxed();
        };
        let before = self.store.replace(mails.clone());
        let changed = match before.len() {
            n if n == mails.len() => Vec::new(),
            n => vec![format!("{} mails", n.abs_diff(mails.len()))],
        };
        let restored = Restored { took: began.elapsed(), changed, ..Restored::default() };
        std::future::ready(Ok(restored)).boxed()
    }

    fn stop(&self, _how: StopHow) -> BoxFuture<'_, Result<(), WatcherGone>> {
        self.close();
        std::future::ready(Ok(())).boxed()
    }

    fn start(&self) -> BoxFuture<'_, Result<(), RaiseError>> {
        std::future::ready(self.open()).boxed()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The mails of a moment.
struct KeptMails(Vec<Arc<Mail>>);

#[cfg(test)]
mod tests;

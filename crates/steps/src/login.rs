//! Who signs in where: what the address of a service says, as the test gets it.

use crate::action::{StepContext, Trouble};
use crate::subject::Subject;
use percent_encoding::percent_decode_str;
use std::net::SocketAddr;

/// An address of a service, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// Where to dial.
    pub(crate) socket: SocketAddr,
    /// As whom; none where the address names nobody.
    pub(crate) user: Option<String>,
    /// With what.
    pub(crate) password: Option<String>,
    /// What the path names: a database; empty where there is none.
    pub(crate) database: String,
}

/// The address of a component's endpoint as the test dials it.
pub(crate) fn login(subject: &Subject, cx: &StepContext<'_>) -> Result<Login, Trouble> {
    let socket = cx.bench.address(&subject.component, &subject.endpoint)?.socket;
    let reference = format!("{}.url", subject.name());
    let url = cx
        .bench
        .property(&reference)
        .ok_or_else(|| Trouble::errored(format!("`{reference}` is not known")).at(subject.span))?;
    read(&url, socket)
        .ok_or_else(|| Trouble::errored(format!("`{reference}` is no address")).at(subject.span))
}

fn read(url: &str, socket: SocketAddr) -> Option<Login> {
    let url = url::Url::parse(url).ok()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(Login {
        socket,
        user: Some(decoded(url.username())).filter(|user| !user.is_empty()),
        password: url.password().map(decoded),
        database: decoded(url.path().trim_start_matches('/')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let socket: SocketAddr = "127.0.0.1:5555".parse().unwrap();
        for (url, user, password, database) in [
            (
                "postgresql://ann:p%40ss@127.0.0.1:1/orders?sslmode=disable",
                Some("ann"),
                Some("p@ss"),
                "orders",
            ),
            ("redis://127.0.0.1:1/11", None, None, "11"),
            ("redis://:secret@127.0.0.1:1", None, Some("secret"), ""),
        ] {
            let expect = Login {
                socket,
                user: user.map(str::to_owned),
                password: password.map(str::to_owned),
                database: database.to_owned(),
            };
            assert_eq!(read(url, socket), Some(expect), "{url}");
        }
        assert_eq!(read("nothing", socket), None);
    }
}

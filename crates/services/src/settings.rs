//! What the settings of services have in common: sizes, and the properties of an address.

use crate::programs::Requirement;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::Fields;
use std::net::SocketAddr;

/// What need not be encoded in the parts of an address: the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Takes a size such as `10MiB`.
pub(crate) fn size(fields: &mut Fields<'_>, key: &'static str, found: &mut Diagnostics) -> Option<u64> {
    let text = fields.text(key, found)?;
    match seam_model::size(&text.value) {
        Ok(size) => Some(size),
        Err(reason) => {
            found.push(Diagnostic::error(format!("`{key}` is no size")).at(text.span, reason));
            None
        }
    }
}

/// A part of an address, encoded.
pub(crate) fn encoded(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

/// `user:password@`, encoded; empty without them.
pub(crate) fn userinfo(sign_in: Option<&(String, String)>) -> String {
    sign_in.map_or_else(String::new, |(user, password)| format!("{}:{}@", encoded(user), encoded(password)))
}

/// `address`, `host` and `port` of where a seam listens.
pub(crate) fn address_property(name: &str, at: SocketAddr) -> Option<String> {
    match name {
        "address" => Some(at.to_string()),
        "host" => Some(at.ip().to_string()),
        "port" => Some(at.port().to_string()),
        _ => None,
    }
}

/// Takes `version`.
pub(crate) fn requirement(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Requirement {
    let Some(text) = fields.text("version", found) else { return Requirement::default() };
    match Requirement::read(&text.value) {
        Ok(requirement) => requirement,
        Err(reason) => {
            found.push(Diagnostic::error("`version` is no version").at(text.span, reason));
            Requirement::default()
        }
    }
}

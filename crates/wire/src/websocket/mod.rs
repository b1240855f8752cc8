//! WebSocket, once HTTP has changed over to it: one message for each that is sent, either way (RFC 6455).
//!
//! ```text
//! frame    fin, opcode │ mask, length │ key │ payload          a message has one frame or several
//! control  ping, pong, close                                   may stand between the frames of a message
//! ```
//! Messages may be packed (permessage-deflate, RFC 7692), each with what came before it as its dictionary. While the
//! connection is held they go on unpacked, which each receiver must take: one that is left out spoils nothing then.

mod connection;
mod frames;
mod inflate;
mod pushed;
mod reading;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub(crate) use connection::WebSocket;
use sha1::{Digest as _, Sha1};

/// What both sides agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The path that was asked for.
    pub(crate) path: String,
    /// May messages be packed?
    pub(crate) is_packed: bool,
    /// Does each message of the consumer, or of the provider, begin with an empty dictionary?
    pub(crate) forgets: [bool; 2],
}

impl Agreed {
    /// From the value of `sec-websocket-extensions` in the reply.
    pub(crate) fn new(path: &str, extensions: &str) -> Self {
        let mut agreed = Self { path: path.to_owned(), ..Self::default() };
        for extension in extensions.split(',') {
            let mut words = extension.split(';').map(str::trim);
            if words.next() == Some("permessage-deflate") {
                agreed.is_packed = true;
                for word in words {
                    agreed.forgets[0] |= word == "client_no_context_takeover";
                    agreed.forgets[1] |= word == "server_no_context_takeover";
                }
            }
        }
        agreed
    }
}

/// What a provider says to a consumer's key, so that both know that it understood (RFC 6455, 4.2.2).
pub(crate) fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.trim().as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}

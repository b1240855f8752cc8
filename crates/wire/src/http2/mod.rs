//! HTTP/2, within the protocols `http` and `grpc`: one call on each stream.
//!
//! ```text
//! connection   frames and streams: what is a call, and how far has it come
//! lane         one direction as it is read: frames, and the headers that several of them make
//! control      what is said about streams and the connection as such
//! telling      calls to pieces
//! half         what is kept of a request or reply, and how its body is cut into messages
//! flavor       plain HTTP or gRPC: when can a half be told, how is it read, how is a call answered
//! level        how a held connection comes to be only watched again
//! passing      what goes out: pieces as whoever gets them understands them, and what was kept
//! writing      how: numbers of streams, windows
//! hpack, frame the bytes
//! ```
//! While a connection is only watched its bytes pass as they are. While it is held, this is a proxy of its own:
//! headers are written anew without a table, so that a call that is left out spoils nothing for the next; windows
//! are kept to on either side, because what is gathered has to be let in first; and the provider's streams are
//! numbered as they pass. Once nobody has to stand in the way any more both sides are brought to where their bytes can
//! pass as they are again. What is said about priorities is left out, pushed streams pass unseen.

mod connection;
mod control;
mod flavor;
mod frame;
mod half;
pub(crate) mod hpack;
mod lane;
mod level;
mod passing;
mod reading;
mod resuming;
mod said;
mod splitting;
mod telling;
mod version;
mod writing;

pub(crate) use connection::Http2;
pub(crate) use flavor::Flavor;
pub(crate) use half::{Cutter, Kept, MESSAGE_HEAD, Shared, message_length};
pub(crate) use reading::plain;
pub(crate) use said::{Said, push as push_header};
pub(crate) use version::Versions;

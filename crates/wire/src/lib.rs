//! Bytes to Interactions, bodies to values: everything that Seamwork knows of protocols, without a socket.
//!
//! A seam hands the bytes that passed to a [`Conversation`] of its [`Protocol`], which finds out where messages
//! begin and end, and gives finished [`Exchange`]s. Reading them to values happens later ([`Captured`]). Nothing
//! here waits, listens or knows the time, so that every case is a table of bytes and expectation.
#![forbid(unsafe_code)]

mod amqp;
mod anew;
mod answering;
pub mod body;
mod conversation;
pub mod grpc;
mod http;
mod http2;
mod kafka;
mod kept;
pub mod mail;
mod mqtt;
pub mod mysql;
mod nats;
mod pending;
pub mod postgres;
mod protocol;
mod publishing;
pub mod redis;
pub mod scram;
mod smtp;
mod splitter;
mod tcp;
mod unmatched;
mod unrolled;
mod upgrade;
mod watching;
mod websocket;

pub use answering::{Answering, Answers, Asked, AtHead, Callback, Elsewhere, Glance, HeardBy, Say, Then};
pub use conversation::{
    Apart, Captured, Conversation, Direction, End, Exchange, Limits, Parts, Position, Surprise,
};
pub use http::events::events_of;
pub use protocol::{Deed, Order, PROTOCOLS, Protocol, protocol, protocol_of};
pub use publishing::{Came, Publication, Publisher, SignIn};
pub use splitter::{
    Anew, Behind, BrokenOff, Call, Carried, InPart, Of, Passed, Piece, Read, Rest, SaidAnew, Splitter,
    Splitting, Unanswerable, Underway, Ways,
};
pub use unrolled::{Ends, Unrolled, unroll};
pub use upgrade::{NoTls, Turn, Upgrade, Urge};

//! Stands on seams: one listener for each consumer and endpoint, through which every byte between them passes.
//!
//! ```text
//! consumer ──▶ listener of the seam ──▶ relay ──▶ provider       one thread, no locks between two sockets
//!                                         │
//!                                         └▶ conversation (framing only) ──▶ observer ──▶ witness
//!                                                                            away from the path: decoding
//! ```
//!
//! Bytes are written first and looked at afterwards, so watching adds no latency and can change nothing. What a
//! seam does can change at any moment: where it leads, and whether it leads anywhere at all.
#![forbid(unsafe_code)]

mod callbacks;
mod elsewhere;
mod faults;
mod gateway;
mod hold;
mod leads;
mod observer;
mod proxy;
mod pulse;
mod reach;
mod reader;
mod refusals;
mod relay;
mod socket;
#[cfg(target_os = "linux")]
mod splice;
mod stand;
mod switch;
mod tap;
mod tls;
mod toxics;
mod unread;
mod ways;

pub use faults::{Effect, FAULTS, Fault, FaultKind, Moment, Struck, read_fault};
pub use gateway::{Gateway, GatewaySpec, Passing, Patience, Permit, Told, Trust};
pub use hold::{ByHead, Filter, HeadFilter, Kind, Often, Rule, RuleSpec};
pub use observer::{Callers, Dialled, Strangers, Witness};
pub use proxy::{OpenCall, OpenCalls, Proxy, ProxyError, SeamSpec};
pub use pulse::Pulse;
pub use reach::ExternalError;
pub use stand::Upstream;
pub use tls::{Authority, AuthorityError, Encryption, ProviderTls, ProviderTlsSpec, Tunnel};
pub use toxics::{Chains, Counters, Left, TOXICS, Toxic, ToxicKind, ToxicStand, toxic_kind};
pub use unread::Unread;

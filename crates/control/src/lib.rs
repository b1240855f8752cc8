//! The one control address: what a client of Toxiproxy, of WireMock or of our own API does to living seams.
//!
//! ```text
//! client ─▶ front (a seam with stubs) ─┬▶ posted mappings answer
//!                                       └▶ guard ─┬▶ /proxies, /reset, …   Toxiproxy's API
//!          (names of loopback, no foreign page)   ├▶ /__admin/…            WireMock's
//!                                                 └▶ /seam/…               our own
//! ```
//!
//! Nothing here moves bytes of a seam: that is `seam_proxy`'s. What stands behind `/seam/` is whatever is up, a system or
//! a handful of seams; it comes in as a [`House`].
#![forbid(unsafe_code)]

mod answer;
mod front;
mod guard;
mod kept;
mod own;
mod packing;
mod seams;
mod server;
mod sharing;
mod toxiproxy;
mod wiremock;

/// What a [`House`] gives back of what takes time.
pub use futures_util::future::BoxFuture;
pub use own::{ComponentView, House, HouseError, SeamView};
pub use seams::Seams;
pub use server::{Control, ControlError, Manner, Served, serve_wiremock};
pub use toxiproxy::{Populated, Toxiproxy};

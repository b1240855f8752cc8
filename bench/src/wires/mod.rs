//! The group `wires`: stubs beside bare servers and other stubs, and seams of every protocol beside bare relays.

mod bulk;
mod idle;
mod load;
mod question;
mod rivals;
pub(crate) mod seams;
mod servers;
mod stub;

use crate::Part;

/// The parts of the group.
pub(crate) const PARTS: &[Part] = &[
    ("stub 1", stub::of_one),
    ("stub 100", stub::of_a_hundred),
    ("stub 10000", stub::of_ten_thousand),
    ("seam http", seams::http),
    ("seam http2", seams::http2),
    ("seam postgres", seams::postgres),
    ("seam redis", servers::redis),
    ("seam mysql", servers::mysql),
    ("seam nats", servers::nats),
    ("seam mqtt", servers::mqtt),
    ("idle connections", idle::measure),
    ("bulk body", bulk::measure),
];

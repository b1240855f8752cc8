//! What components say: their lines, live for whoever listens, whole in a file, and the last ones for messages.
//!
//! Nothing here ever makes a component wait: a listener who is too slow loses lines, which are counted, and a disk
//! that is too slow or full loses them in the file alone.

mod lines;
mod logs;
mod pump;

pub(crate) use logs::Logs;
pub use logs::{LogTrouble, LogsTo, Mask};
pub use pump::Line;
pub(crate) use pump::{Output, Pump};

//! Dates as Java writes and reads them: patterns such as `yyyy-MM-dd'T'HH:mm:ssZ`, shifts such as `3 days`,
//! truncations such as `first day of month`, and the matchers `before`, `after` and `equalToDateTime`.

mod format;
mod matcher;
mod shift;

pub(crate) use format::JavaFormat;
pub(crate) use matcher::{DateMatcher, How, read_moment};
pub(crate) use shift::{Offset, Truncation};

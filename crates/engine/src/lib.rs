//! Makes the Plan and carries it out. Its parts lie in `plan/`, `testbed/` and `run/`; they are joined once the crates
//! below it have landed.
#![forbid(unsafe_code)]

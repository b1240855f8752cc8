//! The command `seam`: words in, exit code out. Its commands lie in `commands/` and are joined to it once the
//! engine runs.
fn main() {}

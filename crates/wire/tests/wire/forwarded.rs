//! A splitter that stands before another one forwards all that may be asked of a splitter: one method that is forgotten
//! would be answered by its default, and compile.

const SPLITTER: &str = include_str!("../../src/splitter.rs");
const VERSIONS: &str = include_str!("../../src/http2/version.rs");

/// The names of the methods in a block that begins with this line.
fn methods<'a>(source: &'a str, begins: &str) -> Vec<&'a str> {
    let block = source.split(begins).nth(1).expect("a block");
    let block = block.split("\n}\n").next().expect("its end");
    let name = |line: &'a str| line.strip_prefix("    fn ")?.split('(').next();
    block.lines().filter_map(name).collect()
}

#[test]
fn versions_of_http_forward_all_methods() {
    let forwarded = methods(VERSIONS, "impl Splitter for Splits {");
    let asked = methods(SPLITTER, "pub trait Splitter: Send {");
    assert!(asked.len() > 30, "{asked:?}");
    let missing: Vec<&str> = asked.into_iter().filter(|name| !forwarded.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

//! One file's text to a tree of nodes, each with its place.
//!
//! Strict YAML 1.2, core schema, one document, without the parts of YAML that surprise people: anchors, merges,
//! tags and directives are errors that say what to write instead. The parser gives events with byte ranges; the
//! tree is ours, because no YAML library keeps positions, finds all mistakes, and leaves numbers as written.

mod ahead;
mod pieces;
mod scalar;
mod syntax;
mod tabs;
mod tree;

use seam_diag::{Diagnostics, FileId, Span};
use seam_model::{Node, NodeKind};
use tree::Stopped;

/// How often a text may be mended to find what else is wrong in it.
const MAX_MENDED: usize = 20;

/// Reads one file's text. `None` where its structure cannot be known; then an error was told. Mistakes whose
/// extent is clear (a missing quote) are told, mended and read over, so that all others are found as well.
/// An empty text is a null.
pub fn parse(file: FileId, text: &str, found: &mut Diagnostics) -> Option<Node> {
    let mut mended: Option<String> = None;
    for _ in 0..=MAX_MENDED {
        // Only the last round's mistakes of nodes are told: those before it stopped half way.
        let mut told = Diagnostics::default();
        let current = mended.as_deref().unwrap_or(text);
        let mistake = match tree::build(file, current, &mut told) {
            Ok(node) => {
                found.append(told);
                return Some(node.unwrap_or(Node { span: Span::at_start(file), kind: NodeKind::Null }));
            }
            Err(Stopped::Told) => {
                found.append(told);
                return None;
            }
            Err(Stopped::Syntax { error, context }) => syntax::explain(file, current, &error, &context),
        };
        found.push(mistake.diagnostic);
        let Some(mend) = mistake.mend else {
            found.append(told);
            return None;
        };
        mend.apply(mended.get_or_insert_with(|| text.to_owned()));
    }
    None
}

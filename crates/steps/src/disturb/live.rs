//! Faults and stubs that are put on a seam from outside of any test, while the system is up: the same words.

use super::narrowing::Narrowing;
use super::{check_words, told, value_of};
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::Names;
use seam_model::{Fields, Node};
use seam_proxy::{Kind, Rule};
use seam_stub::StubSet;
use seam_wire::Protocol;
use std::sync::Arc;

/// What is to be put, read and ready.
pub struct Live {
    /// The seam as it was written.
    pub seam: String,
    /// What is put there.
    pub rule: Arc<Rule>,
}

/// What may be spoken on a seam of this name, or why that can't be said.
pub type Spoken<'a> = dyn Fn(&str) -> Result<Vec<&'static dyn Protocol>, Diagnostic> + 'a;

/// Reads a map with `seam`, `fault` or `stub`, and how often; `names` are what templates may ask.
pub fn read_live(
    entry: &Node,
    protocols: &Spoken<'_>,
    names: &Arc<dyn Names + Send + Sync>,
    found: &mut Diagnostics,
) -> Option<Live> {
    let before = found.n_errors();
    let mut fields = Fields::of(entry, "the rule", found);
    if !fields.is_map() {
        return None;
    }
    fields.require("seam", found);
    let seam = fields.text("seam", found)?;
    let mut spoken = protocols(&seam.value).unwrap_or_else(|error| {
        found.push(error.at(seam.span, ""));
        Vec::new()
    });
    spoken.dedup_by_key(|protocol| protocol.name());
    let (fault, stub) = (fields.take("fault"), fields.take("stub"));
    let narrowing = Narrowing::read(&mut fields, &spoken, found);
    fields.finish(found);
    let (title, kind) = match (fault, stub) {
        (Some(fault), None) => {
            let kind = told(fault, &fault.to_value(), found);
            if let Some(kind) = &kind {
                narrowing.check(&**kind, found);
                if let [protocol] = spoken.as_slice() {
                    check_words(fault, (&**kind, &narrowing), *protocol, found);
                }
            }
            (value_of(fault), kind.map(Kind::Fault))
        }
        (None, Some(stub)) => {
            let read_file = |path: &str| names.file(path);
            let read = spoken.first().and_then(|protocol| {
                let reading = seam_stub::Reading {
                    protocol: *protocol,
                    descriptors: None,
                    knows: &|_| false,
                    read_file: &read_file,
                };
                seam_stub::read_stubs(stub, &reading, found)
            });
            let set = read.map(|read| {
                let set = Arc::new(StubSet::new());
                set.put(read, names);
                set
            });
            (value_of(stub), set.map(|set| Kind::Stub(set as _)))
        }
        _ => {
            let error = Diagnostic::error("a rule has either `fault` or `stub`").at(entry.span, "");
            found.push(error.hint("`seam explain fault` and `seam explain stub` say what they take"));
            return None;
        }
    };
    let kind = kind.filter(|_| found.n_errors() == before)?;
    let chance = names.chance().branch(&title);
    // What could stand in the way was told above.
    let rule = narrowing.rule((title, kind), names, chance).ok()?;
    Some(Live { seam: seam.value, rule: Arc::new(rule) })
}

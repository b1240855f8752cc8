//! Which of many are meant: `where: { request.path: /charge }`, `subject: { contains: order }`, judged by the same
//! matchers as an `expect`.

use crate::action::Trouble;
use crate::input::Input;
use seam_diag::Diagnostics;
use seam_expr::{NameUse, Names, Path, Segment};
use seam_matcher::{NoSnapshots, Statement};
use seam_model::{Entry, NodeKind};
use seam_proxy::ByHead;
use seam_value::Value;

/// Statements about one element, all of which must hold.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<Clause>);

/// One path with what must be there.
#[derive(Debug)]
pub(crate) struct Clause {
    statement: Statement,
    /// The same as a value: a variable that holds nothing must be told, and not pass for an element that does not fit.
    written: Input,
    /// Is a list written there?
    is_list: bool,
    /// Does it look at what may have been cut off?
    needs_whole: bool,
    /// The first names of its path, where it has one.
    names: Vec<String>,
}

/// What a clause looks at of an interaction whose request has only begun.
enum LooksAt {
    /// What the head says, or what is known anyway.
    Head,
    /// The rest of the request, or who knows what.
    Rest,
    /// The answer.
    Reply,
}

impl Filter {
    /// Reads paths with what must be there.
    pub(crate) fn read(entries: &[Entry], found: &mut Diagnostics) -> Self {
        Self(entries.iter().map(|entry| Clause::read(entry, found)).collect())
    }

    /// Does all of it hold for this element? None where that depends on bytes that were not kept (`is_cut`).
    pub(crate) fn holds(
        &self,
        element: &Value,
        is_cut: bool,
        names: &dyn Names,
    ) -> Result<Option<bool>, Trouble> {
        let mut doubtful = false;
        for clause in &self.0 {
            if clause.holds(element, names)? {
                continue;
            }
            if !(is_cut && clause.needs_whole) {
                return Ok(Some(false));
            }
            doubtful = true;
        }
        Ok((!doubtful).then_some(true))
    }

    /// Does it hold, as far as a head tells that? `head` is an interaction whose request or reply lacks all that depends on
    /// the rest of it.
    pub(crate) fn by_head(&self, head: &Value, names: &dyn Names) -> ByHead {
        let mut told = ByHead::Fits;
        for clause in &self.0 {
            match clause.looks_at(head) {
                LooksAt::Head if !matches!(clause.holds(head, names), Ok(true)) => return ByHead::Misses,
                LooksAt::Rest => told = ByHead::OnRequest,
                LooksAt::Reply if told == ByHead::Fits => told = ByHead::OnReply,
                LooksAt::Head | LooksAt::Reply => {}
            }
        }
        told
    }

    /// Does it take everything?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The variables in it.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        for clause in &self.0 {
            clause.uses(into);
        }
    }
}

impl Clause {
    /// Reads one path with what must be there.
    pub(crate) fn read(entry: &Entry, found: &mut Diagnostics) -> Self {
        let statement = Statement::read(&entry.key, &entry.node, found);
        let needs_whole =
            entry.key.value.split('.').any(|name| {
                matches!(name.split('[').next(), Some("body" | "text" | "rows" | "value" | "html"))
            });
        // The statement has told the mistakes already.
        let written = Input::read(&entry.node, &mut Diagnostics::default());
        let is_list = matches!(entry.node.kind, NodeKind::List(_));
        Self { statement, written, is_list, needs_whole, names: first_names(&entry.key.value) }
    }

    fn looks_at(&self, head: &Value) -> LooksAt {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["from" | "to" | "seam" | "message", ..] => LooksAt::Head,
            [part @ ("request" | "reply"), name]
                if head.get(part).is_some_and(|part| part.get(name).is_some()) =>
            {
                LooksAt::Head
            }
            ["reply", ..] => LooksAt::Reply,
            _ => LooksAt::Rest,
        }
    }

    /// Does it hold for this element?
    pub(crate) fn holds(&self, element: &Value, names: &dyn Names) -> Result<bool, Trouble> {
        self.written.value(names)?;
        Ok(self.statement.holds(element, names, &NoSnapshots))
    }

    /// Is it about a list as a whole, and not about each of its elements?
    pub(crate) fn wants_list(&self, names: &dyn Names) -> Result<bool, Trouble> {
        Ok(self.is_list || matches!(self.written.value(names)?, Value::List(_)))
    }

    /// The variables in it.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        into.extend(self.statement.names());
    }
}

/// The part of an interaction that a path leads to, and the field of it.
fn first_names(path: &str) -> Vec<String> {
    let Ok(path) = Path::parse(path) else { return Vec::new() };
    let names = path.segments().iter().map_while(|segment| match segment {
        Segment::Name(name) => Some(name.clone()),
        Segment::Every => None,
    });
    names.take(2).collect()
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use crate::testing::Variables;
    use seam_diag::{Diagnostics, FileId};
    use seam_proxy::ByHead;
    use seam_value::parse;

    #[test]
    fn a_head_tells_what_can_be_told_by_it() {
        let head =
            r#"{"from":"web","request":{"method":"PUT","path":"/up","headers":{"x":"1"}},"reply":null}"#;
        let head = parse(head).expect("JSON");
        let names = Variables::of("{}");
        for (filter, expected) in [
            ("request.path: /up", ByHead::Fits),
            ("request.path: /never", ByHead::Misses),
            ("from: web\nrequest.headers.x: '1'", ByHead::Fits),
            ("request.body.id: 7", ByHead::OnRequest),
            ("request.body.id: 7\nrequest.path: /never", ByHead::Misses),
            ("request.length: { above: 10 }\nrequest.path: /up", ByHead::OnRequest),
            ("request.trailers.x: 1", ByHead::OnRequest),
            ("request: { contains: a }", ByHead::OnRequest),
            ("that: request.path == '/never'", ByHead::OnRequest),
            ("message.type: text", ByHead::Misses),
            ("reply.status: 200", ByHead::OnReply),
            ("reply.status: 200\nrequest.path: /up", ByHead::OnReply),
            ("reply.status: 200\nrequest.text: a", ByHead::OnRequest),
            ("reply.status: 200\nrequest.path: /never", ByHead::Misses),
        ] {
            let mut found = Diagnostics::default();
            let node = seam_manifest::parse(FileId(0), filter, &mut found).expect("a map");
            let filter_read = Filter::read(node.as_map().expect("a map"), &mut found);
            assert_eq!(found.n_errors(), 0, "{filter}");
            assert_eq!(filter_read.by_head(&head, &names), expected, "{filter}");
        }
        let reply = r#"{"request":{"path":"/up","text":"a"},"reply":{"status":404,"headers":{}}}"#;
        let reply = parse(reply).expect("JSON");
        for (filter, expected) in [
            ("request.path: /up", ByHead::Fits),
            ("request.text: b", ByHead::Misses),
            ("reply.status: 404", ByHead::Fits),
            ("reply.status: 200", ByHead::Misses),
            ("reply.body.id: 7", ByHead::OnReply),
            ("reply.body.id: 7\nreply.status: 200", ByHead::Misses),
        ] {
            let mut found = Diagnostics::default();
            let node = seam_manifest::parse(FileId(0), filter, &mut found).expect("a map");
            let filter_read = Filter::read(node.as_map().expect("a map"), &mut found);
            assert_eq!(filter_read.by_head(&reply, &names), expected, "{filter}");
        }
    }
}

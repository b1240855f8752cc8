//! The parser's events to one tree of nodes.
//!
//! Kept as an explicit stack, so that no input can exhaust ours. What is wrong with a single node is told and
//! read over; what breaks the structure comes back as [`Stopped`].

use super::pieces::{self, Style};
use super::scalar::{self, Doubt, Meaning};
use super::tabs;
use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StructureStyle, options};
use seam_diag::{Diagnostic, Diagnostics, FileId, Span};
use seam_model::{Entry, Form, Node, NodeKind, Spanned};
use std::collections::HashMap;
use std::ops::Range;

/// How deep lists and maps may nest: more than any person writes, less than any stack minds.
const MAX_DEPTH: usize = 100;

/// Why there is no tree.
pub(super) enum Stopped {
    /// What is wrong was told already.
    Told,
    /// It is not YAML.
    Syntax {
        /// What the parser says.
        error: Box<ScanError>,
        /// What was open there.
        context: Context,
    },
}

/// What stood before a syntax error, as ranges of bytes.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Every `{` and `[` that is still open.
    pub(super) open_flows: Vec<usize>,
    /// The last scalar.
    pub(super) last_scalar: Range<usize>,
}

/// A list or a map that is not closed yet.
struct Open {
    start: usize,
    is_flow: bool,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    key: Key,
    /// Was the last entry's value torn by a comma? Told when its whole extent is known.
    is_torn: bool,
}

#[derive(Default)]
enum Key {
    #[default]
    Awaited,
    Read(Spanned<String>),
    /// It was told that this key can't be; its value is dropped.
    Unusable,
}

struct Tree<'t> {
    file: FileId,
    text: &'t str,
    found: &'t mut Diagnostics,
    open: Vec<Open>,
    root: Option<Node>,
    last_scalar: Range<usize>,
    /// Where texts stand, in order: tabs may stand only there.
    texts: Vec<Range<usize>>,
    has_tabs: bool,
    n_documents: usize,
}

/// Builds the tree; none for a text without any node.
pub(super) fn build(file: FileId, text: &str, found: &mut Diagnostics) -> Result<Option<Node>, Stopped> {
    let mut tree = Tree {
        file,
        text,
        found,
        open: Vec::new(),
        root: None,
        last_scalar: 0..0,
        texts: Vec::new(),
        has_tabs: text.contains('\t'),
        n_documents: 0,
    };
    let options: Options = options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        emit_comments: false,
    };
    for step in Parser::new_from_str_with_options(text, options) {
        match step {
            Ok((event, span)) => {
                let range = span.start.byte_offset().unwrap_or(0)..span.end.byte_offset().unwrap_or(0);
                let tag = span
                    .tag_span()
                    .map(|tag| tag.start.byte_offset().unwrap_or(0)..tag.end.byte_offset().unwrap_or(0));
                tree.event(event, range, tag)?;
            }
            Err(error) => {
                let open_flows = tree.open.iter().filter(|open| open.is_flow).map(|open| open.start);
                let context = Context { open_flows: open_flows.collect(), last_scalar: tree.last_scalar };
                return Err(Stopped::Syntax { error: Box::new(error), context });
            }
        }
    }
    if tree.has_tabs
        && let Some(diagnostic) = tabs::outside(file, text, &tree.texts)
    {
        tree.found.push(diagnostic);
    }
    Ok(tree.root)
}

impl Tree<'_> {
    fn event(
        &mut self,
        event: Event<'_>,
        range: Range<usize>,
        tag: Option<Range<usize>>,
    ) -> Result<(), Stopped> {
        if let Some(tag) = tag {
            let title = format!("tags are not allowed: `{}`", &self.text[tag.clone()]);
            let hint = "quote it if it belongs to a text; otherwise leave it out";
            self.found.push(Diagnostic::error(title).at(self.span(tag), "").hint(hint));
        }
        match event {
            Event::DocumentStart(..) => {
                self.n_documents += 1;
                if self.n_documents > 1 {
                    self.found.push(
                        Diagnostic::error("a second document begins here")
                            .at(self.span(range), "")
                            .hint("one file holds one document; put the rest into a file of its own"),
                    );
                    return Err(Stopped::Told);
                }
            }
            Event::Anchor(_, name) => self.found.push(
                Diagnostic::error(format!("anchors are not allowed: `&{name}`"))
                    .at(self.span(range), "")
                    .hint("quote it if it belongs to a text; components share with `like`, tests with fixtures, flows and `vars`"),
            ),
            Event::Alias(_) | Event::UnresolvedAlias(_) => self.alias(&range),
            Event::Scalar(text, style, ..) => self.scalar(&text, style, range),
            Event::SequenceStart(style, ..) => {
                self.begin(style, range, Content::List(Vec::new()))?;
            }
            Event::MappingStart(style, ..) => {
                self.begin(style, range, Content::Map(OpenMap::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&range),
            _ => {}
        }
        Ok(())
    }

    fn span(&self, range: Range<usize>) -> Span {
        let short = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file: self.file, start: short(range.start), end: short(range.end) }
    }

    fn alias(&mut self, range: &Range<usize>) {
        let written = &self.text[range.clone()];
        let title = format!("aliases are not allowed: `{written}`");
        let hint = format!("quote it if it is a text: \"{written}\"; otherwise write out what it stands for");
        self.found.push(Diagnostic::error(title).at(self.span(range.clone()), "").hint(hint));
        let node = Node::text(written, self.span(range.clone()));
        if let Some(Open { content: Content::Map(map), .. }) = self.open.last_mut()
            && matches!(map.key, Key::Awaited)
        {
            map.key = Key::Unusable;
            return;
        }
        self.add(node);
    }

    fn begin(&mut self, style: StructureStyle, range: Range<usize>, content: Content) -> Result<(), Stopped> {
        if self.open.len() >= MAX_DEPTH {
            let title = format!("nested more than {MAX_DEPTH} deep");
            self.found.push(Diagnostic::error(title).at(self.span(range), ""));
            return Err(Stopped::Told);
        }
        self.open.push(Open { start: range.start, is_flow: style == StructureStyle::Flow, content });
        Ok(())
    }

    fn end(&mut self, range: &Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        let (kind, last) = match open.content {
            Content::List(list) => {
                let last = list.last().map(|node| node.span.end);
                (NodeKind::List(list), last)
            }
            Content::Map(mut map) => {
                self.tell_torn(&mut map);
                let last = map.entries.last().map(|entry| entry.node.span.end.max(entry.key.span.end));
                (NodeKind::Map(self.without_duplicates(map.entries)), last)
            }
        };
        // A block ends where its last child ends; the parser's own end lies beyond the blank lines.
        let end = if open.is_flow { range.end } else { last.map_or(range.end, |last| last as usize) };
        let node = Node { span: self.span(open.start..end.max(open.start)), kind };
        self.add(node);
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, range: Range<usize>) {
        let source = &self.text[range.clone()];
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        // A block's range runs over the blank lines after it.
        let length = if is_block { source.trim_end().len() } else { source.len() };
        let range = range.start..range.start + length;
        let source = &source[..length];
        if !range.is_empty() {
            self.last_scalar = range.clone();
        }
        if self.has_tabs {
            self.note_text(style, &range);
        }
        let is_nothing = style == ScalarStyle::Plain && range.is_empty();
        match self.open.last() {
            Some(Open { content: Content::Map(OpenMap { key: Key::Awaited, .. }), .. }) => {
                let is_merge = style == ScalarStyle::Plain && text == "<<";
                self.key(if is_nothing { "" } else { text }, range, is_merge);
                return;
            }
            Some(Open { content: Content::Map(OpenMap { key: Key::Read(key), .. }), is_flow, .. })
                if is_nothing =>
            {
                let after = key.span.end as usize;
                let has_colon = self.text[after..].trim_start().starts_with(':');
                if *is_flow && !has_colon {
                    self.key_without_value();
                    return;
                }
                self.warn_of_comment(after);
            }
            _ => {}
        }
        let span = self.span(range);
        let kind = match style {
            ScalarStyle::Plain => self.plain(if is_nothing { "" } else { text }, source, span),
            ScalarStyle::SingleQuoted => written(Style::Single, source, text),
            ScalarStyle::DoubleQuoted => written(Style::Double, source, text),
            ScalarStyle::Literal | ScalarStyle::Folded => written(Style::Lines, source, text),
        };
        self.add(Node { span, kind });
    }

    /// What an unquoted scalar is; tells what looks like something else.
    fn plain(&mut self, text: &str, source: &str, span: Span) -> NodeKind {
        match scalar::meaning(text) {
            Meaning::Null => return NodeKind::Null,
            Meaning::Bool(flag) => return NodeKind::Bool(flag),
            Meaning::Number(number) => return NodeKind::Number(number),
            Meaning::Text => {}
            Meaning::Doubtful(doubt) => {
                let (what, instead) = match doubt {
                    Doubt::Boolean(flag) => ("true or false", flag.to_string()),
                    Doubt::Number(number) => ("a number", number),
                };
                self.found.push(
                    Diagnostic::warning(format!("`{text}` is a text here, not {what}"))
                        .at(span, "")
                        .hint(format!("quote it, \"{text}\", or write {instead}")),
                );
            }
            Meaning::OddNumber(instead) => {
                let hint = instead.map_or_else(
                    || format!("quote it if it is a text: \"{text}\""),
                    |number| format!("write {number}, or quote it if it is a text: \"{text}\""),
                );
                self.found.push(
                    Diagnostic::error(format!("`{text}` is a number that only YAML writes so"))
                        .at(span, "")
                        .hint(hint),
                );
            }
        }
        written(Style::Lines, source, text)
    }

    fn key(&mut self, text: &str, range: Range<usize>, is_merge: bool) {
        let span = self.span(range.clone());
        let usable =
            if is_merge {
                self.found.push(Diagnostic::error("merges are not allowed: `<<`").at(span, "").hint(
                    "components share with `like` and `defaults`, tests with fixtures, flows and `vars`",
                ));
                false
            } else if range.is_empty() {
                self.found.push(Diagnostic::error("a name is missing before the `:`").at(span, ""));
                false
            } else {
                true
            };
        if let Some(Open { content: Content::Map(map), .. }) = self.open.last_mut() {
            map.key = if usable { Key::Read(Spanned::new(text.to_owned(), span)) } else { Key::Unusable };
        }
    }

    /// A name in `{ }` without `:`. Nearly always a comma has torn an unquoted text in two, or the space after
    /// the colon is missing.
    fn key_without_value(&mut self) {
        let Some(Open { content: Content::Map(map), .. }) = self.open.last_mut() else { return };
        let Key::Read(key) = std::mem::take(&mut map.key) else { return };
        let colon = key.value.split_once(':').filter(|(name, value)| {
            !value.starts_with('/') && !name.is_empty() && !name.contains(char::is_whitespace)
        });
        if let Some((name, value)) = colon {
            self.found.push(
                Diagnostic::error(format!("a space is missing after the `:` in `{}`", key.value))
                    .at(key.span, "")
                    .hint(format!("write `{name}: {value}`")),
            );
            let value_span = key.span.part(name.len() + 1, value.len());
            let name_span = key.span.part(0, name.len());
            let key = Spanned::new(name.to_owned(), name_span);
            map.entries.push(Entry { key, node: Node::text(value, value_span) });
            return;
        }
        let torn = map.entries.last_mut().filter(|entry| {
            let between = self.text.get(entry.node.span.end as usize..key.span.start as usize);
            let is_plain = !matches!(
                entry.node.kind,
                NodeKind::List(_) | NodeKind::Map(_) | NodeKind::Text { form: Form::Quoted, .. }
            );
            is_plain && between.is_some_and(|between| between.trim() == ",")
        });
        let Some(entry) = torn else {
            self.found.push(
                Diagnostic::error(format!("`{}` has no value", key.value))
                    .at(key.span, "")
                    .hint(format!("in {{ }} every name has a value: `{}: …`", key.value)),
            );
            return;
        };
        let span = entry.node.span.to(key.span);
        entry.node = Node::text(&self.text[span.start as usize..span.end as usize], span);
        map.is_torn = true;
    }

    fn tell_torn(&mut self, map: &mut OpenMap) {
        if !std::mem::take(&mut map.is_torn) {
            return;
        }
        let Some(Entry { key, node }) = map.entries.last() else { return };
        let Some(text) = node.as_text() else { return };
        let comma = text.find(',').unwrap_or(0);
        self.found.push(
            Diagnostic::error(format!("a comma in the unquoted text of `{}`", key.value))
                .at(node.part(comma, 1), "inside { } a comma ends an unquoted text")
                .hint(format!("quote it: {}: {}", key.value, quoted(text))),
        );
    }

    /// `colour: #fff` is nothing and a comment.
    fn warn_of_comment(&mut self, after_key: usize) {
        let rest = self.text[after_key..].trim_start_matches([' ', '\t']);
        let Some(rest) = rest.strip_prefix(':') else { return };
        let rest = rest.trim_start_matches([' ', '\t']);
        let comment = rest.lines().next().unwrap_or("").trim_end();
        let glued = comment
            .strip_prefix('#')
            .is_some_and(|text| text.starts_with(|first: char| !first.is_whitespace() && first != '#'));
        if !glued {
            return;
        }
        let start = self.text.len() - rest.len();
        self.found.push(
            Diagnostic::warning(format!("`{comment}` is a comment, so that nothing stands here"))
                .at(self.span(start..start + comment.len()), "")
                .hint(format!("quote it if it is a text: {}", quoted(comment))),
        );
    }

    /// Puts a finished node into what is open.
    fn add(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        let mut torn = None;
        match &mut open.content {
            Content::List(list) => list.push(node),
            Content::Map(map) => match std::mem::take(&mut map.key) {
                Key::Read(key) => {
                    if map.is_torn {
                        torn = Some(());
                    }
                    if torn.is_none() {
                        map.entries.push(Entry { key, node });
                        return;
                    }
                    let mut taken = std::mem::take(map);
                    self.tell_torn(&mut taken);
                    taken.entries.push(Entry { key, node });
                    if let Some(Open { content: Content::Map(map), .. }) = self.open.last_mut() {
                        *map = taken;
                    }
                }
                Key::Unusable => {}
                Key::Awaited => {
                    map.key = Key::Unusable;
                    let title = format!("a name must be a text, but this is {}", node.kind_name());
                    self.found.push(Diagnostic::error(title).at(node.span, ""));
                }
            },
        }
    }

    /// Tells names that stand twice, and keeps the first of each.
    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut first: HashMap<&str, Span> = HashMap::with_capacity(entries.len());
        let mut twice: Vec<usize> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(earlier) = first.get(entry.key.value.as_str()) {
                twice.push(index);
                self.found.push(
                    Diagnostic::error(format!("`{}` stands here twice", entry.key.value))
                        .at(entry.key.span, "")
                        .also(*earlier, "first here"),
                );
            } else {
                first.insert(&entry.key.value, entry.key.span);
            }
        }
        if twice.is_empty() {
            return entries;
        }
        let keep = |index: &usize| twice.binary_search(index).is_err();
        entries.into_iter().enumerate().filter(|(index, _)| keep(index)).map(|(_, entry)| entry).collect()
    }

    /// Remembers where a text stands. The indentation of an unquoted text's further lines is none of it.
    fn note_text(&mut self, style: ScalarStyle, range: &Range<usize>) {
        if style != ScalarStyle::Plain {
            self.texts.push(range.clone());
            return;
        }
        let mut start = range.start;
        for line in self.text[range.clone()].split_inclusive('\n') {
            let indent = line.len() - line.trim_start().len();
            self.texts.push(start + indent..start + line.trim_end().len().max(indent));
            start += line.len();
        }
    }
}

fn written(style: Style, source: &str, text: &str) -> NodeKind {
    NodeKind::Text { text: text.to_owned(), form: pieces::form(style, source, text) }
}

/// A text in the quotes that need no escapes, where there are any.
pub(super) fn quoted(text: &str) -> String {
    if text.contains('"') || text.contains('\\') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

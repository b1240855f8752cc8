//! Reads a template.

/// How deep blocks and expressions may nest.
const MAX_DEPTH: usize = 64;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// `{{…}}`
    Show(Call),
    /// `{{#…}}…{{else}}…{{/…}}`
    Block(Box<Block>),
}

/// A block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    pub(super) call: Call,
    pub(super) names: Vec<String>,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// A helper with what it is given, or a path alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) path: Path,
    pub(super) parameters: Vec<Argument>,
    pub(super) named: Vec<(String, Argument)>,
}

/// Something that is given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    Text(String),
    Number(String),
    Flag(bool),
    Null,
    Path(Path),
    Call(Box<Call>),
}

/// `request.query.[0]`, `../this`, `@index`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// How many steps outwards first.
    pub(super) up: usize,
    pub(super) is_data: bool,
    /// Does it begin with `this` or a dot, and is therefore never a helper's name?
    pub(super) is_this: bool,
    pub(super) names: Vec<String>,
    pub(super) text: String,
}

pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let mut reader = Reader { text, at: 0, trims: false };
    let (nodes, end) = reader.nodes(0)?;
    match end {
        End::Text => Ok(nodes),
        End::Otherwise(..) | End::Close(_) => Err(reader.wrong("found: '{{', expected: '<EOF>'")),
    }
}

/// What ended a run of nodes.
enum End {
    Text,
    /// `{{else}}`, and the call of `{{else if …}}`.
    Otherwise(Option<Call>),
    Close(String),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Did the last tag end with `~`?
    trims: bool,
}

impl<'t> Reader<'t> {
    fn wrong(&self, what: &str) -> String {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{line}:{column}: {what}")
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn push_text(&mut self, text: &str, nodes: &mut Vec<Node>) {
        let text = if std::mem::take(&mut self.trims) { text.trim_start() } else { text };
        match nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => nodes.push(Node::Text(text.to_owned())),
        }
    }

    fn nodes(&mut self, depth: usize) -> Result<(Vec<Node>, End), String> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("it nests too deeply"));
        }
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            let Some(open) = rest.find("{{") else {
                self.push_text(rest, &mut nodes);
                self.at = self.text.len();
                return Ok((nodes, End::Text));
            };
            // An escaped tag is text, where another tag stands before it.
            if self.at > 0 && rest[..open].ends_with('\\') {
                let close = rest[open..].find("}}").map_or(rest.len(), |close| open + close + 2);
                self.push_text(&rest[..open - 1], &mut nodes);
                self.push_text(&rest[open..close], &mut nodes);
                self.at += close;
                continue;
            }
            self.push_text(&rest[..open], &mut nodes);
            self.at += open;
            if let Some(end) = self.tag(&mut nodes, depth)? {
                return Ok((nodes, end));
            }
        }
    }

    /// One tag. Gives what ended the run, if it did.
    fn tag(&mut self, nodes: &mut Vec<Node>, depth: usize) -> Result<Option<End>, String> {
        let rest = self.rest();
        let is_triple = rest.starts_with("{{{");
        let opens = if is_triple { 3 } else { 2 };
        let inner = &rest[opens..];
        if inner.starts_with("!--") || inner.starts_with("~!--") {
            let Some(close) =
                rest.find("--}}").map(|at| at + 4).or_else(|| rest.find("--~}}").map(|at| at + 5))
            else {
                return Err(self.wrong("a comment is not closed"));
            };
            self.at += close;
            return Ok(None);
        }
        let Some(length) = end_of_tag(inner, is_triple) else {
            return Err(self.wrong("found: '<EOF>', expected: '}}'"));
        };
        let mut content = &inner[..length];
        let closes = if is_triple { 3 } else { 2 };
        if content.starts_with('~') {
            content = &content[1..];
            if let Some(Node::Text(text)) = nodes.last_mut() {
                text.truncate(text.trim_end().len());
            }
        }
        self.trims = content.ends_with('~');
        content = content.strip_suffix('~').unwrap_or(content).trim();
        let begin = self.at;
        let end = begin + opens + length + closes;
        let told = |reader: &Self, wrong: String| Reader { at: begin, ..*reader }.wrong(&wrong);
        if content.starts_with('!') {
            self.at = end;
            return Ok(None);
        }
        if content.starts_with('>') {
            return Err(self.wrong("there are no partials"));
        }
        if let Some(name) = content.strip_prefix('/') {
            self.at = end;
            // What follows a block stays as it is, whatever its end says.
            self.trims = false;
            return Ok(Some(End::Close(name.trim().to_owned())));
        }
        if content == "else" || content == "^" {
            self.at = end;
            return Ok(Some(End::Otherwise(None)));
        }
        if let Some(call) = content.strip_prefix("else ") {
            let call = Words::new(call).call(0).map_err(|wrong| told(self, wrong))?;
            self.at = end;
            return Ok(Some(End::Otherwise(Some(call))));
        }
        if let Some(head) = content.strip_prefix('#').or_else(|| content.strip_prefix('^')) {
            let is_inverse = content.starts_with('^');
            let (call, names) =
                block_head(head.trim_start_matches(['*', '>'])).map_err(|wrong| told(self, wrong))?;
            self.at = end;
            let block = self.block(call, names, is_inverse, depth)?;
            nodes.push(Node::Block(Box::new(block)));
            return Ok(None);
        }
        let shown = content.strip_prefix('&').unwrap_or(content);
        let call = Words::new(shown).call(0).map_err(|wrong| told(self, wrong))?;
        self.at = end;
        nodes.push(Node::Show(call));
        Ok(None)
    }

    fn block(
        &mut self,
        call: Call,
        names: Vec<String>,
        is_inverse: bool,
        depth: usize,
    ) -> Result<Block, String> {
        let name = call.path.text.clone();
        let (body, end) = self.nodes(depth + 1)?;
        let mut block = Block { call, names, body, otherwise: Vec::new() };
        self.finish(&mut block, end, &name, depth)?;
        if is_inverse {
            std::mem::swap(&mut block.body, &mut block.otherwise);
        }
        Ok(block)
    }

    fn finish(&mut self, block: &mut Block, end: End, name: &str, depth: usize) -> Result<(), String> {
        match end {
            End::Text => Err(self.wrong(&format!("found: '<EOF>', expected: '{{{{/{name}}}}}'"))),
            End::Close(closed) if closed == name => Ok(()),
            End::Close(closed) => Err(self.wrong(&format!("found: '{closed}', expected: '{name}'"))),
            End::Otherwise(None) => {
                let (nodes, end) = self.nodes(depth + 1)?;
                block.otherwise = nodes;
                self.finish(block, end, name, depth)
            }
            End::Otherwise(Some(call)) => {
                let (body, end) = self.nodes(depth + 1)?;
                let mut inner = Block { call, names: Vec::new(), body, otherwise: Vec::new() };
                self.finish(&mut inner, end, name, depth + 1)?;
                block.otherwise = vec![Node::Block(Box::new(inner))];
                Ok(())
            }
        }
    }
}

/// Where a tag ends: closing braces inside of texts don't count.
fn end_of_tag(inner: &str, is_triple: bool) -> Option<usize> {
    let close = if is_triple { "}}}" } else { "}}" };
    let mut quote = None;
    for (at, letter) in inner.char_indices() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None, '}') if inner[at..].starts_with(close) => return Some(at),
            _ => {}
        }
    }
    // A quote that is never closed may be an apostrophe.
    inner.find(close)
}

/// A block's call, and the names after `as |…|`.
fn block_head(head: &str) -> Result<(Call, Vec<String>), String> {
    let (head, names) = match head.rsplit_once(" as |") {
        Some((before, names)) if names.trim_end().ends_with('|') => {
            let names = names.trim_end().trim_end_matches('|');
            (before, names.split_whitespace().map(str::to_owned).collect())
        }
        _ => (head, Vec::new()),
    };
    Ok((Words::new(head).call(0)?, names))
}

/// Reads what stands in a tag.
struct Words<'t> {
    rest: &'t str,
}

impl<'t> Words<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text.trim() }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn call(&mut self, depth: usize) -> Result<Call, String> {
        if depth > MAX_DEPTH {
            return Err("it nests too deeply".to_owned());
        }
        self.space();
        let path = self.path()?;
        let mut call = Call { path, parameters: Vec::new(), named: Vec::new() };
        loop {
            self.space();
            if self.rest.is_empty() || self.rest.starts_with(')') {
                return Ok(call);
            }
            if let Some((name, rest)) = name_of_named(self.rest) {
                self.rest = rest;
                self.space();
                let argument = self.argument(depth)?;
                call.named.push((name.to_owned(), argument));
            } else {
                call.parameters.push(self.argument(depth)?);
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        let rest = self.rest;
        if let Some(inner) = rest.strip_prefix('(') {
            self.rest = inner;
            let call = self.call(depth + 1)?;
            self.space();
            self.rest = self.rest.strip_prefix(')').ok_or("found: '<EOF>', expected: ')'")?;
            return Ok(Argument::Call(Box::new(call)));
        }
        if let Some(quote @ ('\'' | '"')) = rest.chars().next() {
            let mut text = String::new();
            let mut letters = rest[1..].char_indices();
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '\\' if rest[1 + at + 1..].starts_with(quote) => {
                        letters.next();
                        text.push(quote);
                    }
                    letter if letter == quote => {
                        self.rest = &rest[1 + at + 1..];
                        return Ok(Argument::Text(text));
                    }
                    other => text.push(other),
                }
            }
            return Err(format!("a text is not closed: {rest}"));
        }
        let end = |c: char| c.is_whitespace() || matches!(c, ')' | '(');
        let word = &rest[..rest.find(end).unwrap_or(rest.len())];
        let argument = match word {
            "true" | "false" => Argument::Flag(word == "true"),
            "null" | "undefined" => Argument::Null,
            _ if is_number(word) => Argument::Number(word.to_owned()),
            _ => return self.path().map(Argument::Path),
        };
        self.rest = &rest[word.len()..];
        Ok(argument)
    }

    fn path(&mut self) -> Result<Path, String> {
        let whole = self.rest;
        let mut path = Path { up: 0, is_data: false, is_this: false, names: Vec::new(), text: String::new() };
        let mut rest = whole;
        if let Some(after) = rest.strip_prefix('@') {
            path.is_data = true;
            rest = after;
        }
        while let Some(after) = rest.strip_prefix("../") {
            path.up += 1;
            rest = after;
        }
        if let Some(after) = rest.strip_prefix("..") {
            path.up += 1;
            path.is_this = true;
            rest = after;
        }
        loop {
            if let Some(after) = rest.strip_prefix('[') {
                let Some((name, after)) = after.split_once(']') else {
                    return Err(format!("a bracket is not closed: {whole}"));
                };
                path.names.push(name.to_owned());
                rest = after;
            } else {
                let end = |c: char| {
                    c.is_whitespace()
                        || matches!(c, '.' | '/' | '[' | '(' | ')' | '=' | '|' | '\'' | '"' | '}')
                };
                let length = rest.find(end).unwrap_or(rest.len());
                let name = &rest[..length];
                rest = &rest[length..];
                if name == "this" && path.names.is_empty() {
                    path.is_this = true;
                } else if !name.is_empty() {
                    path.names.push(name.to_owned());
                }
            }
            match rest.chars().next() {
                Some('.' | '/') => {
                    if path.names.is_empty() {
                        path.is_this = true;
                    }
                    rest = &rest[1..];
                }
                Some('[') => {}
                _ => break,
            }
        }
        whole[..whole.len() - rest.len()].clone_into(&mut path.text);
        if path.text.is_empty() {
            return Err(format!("found: '{whole}', expected: a name"));
        }
        self.rest = rest;
        Ok(path)
    }
}

/// `name=` at the beginning of a text.
fn name_of_named(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let length = text.find(|c: char| !is_part(c))?;
    let rest = text[length..].strip_prefix('=')?;
    (length > 0).then(|| (&text[..length], rest))
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && seam_value::Number::parse(word).is_some()
}

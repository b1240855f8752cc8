//! Reads a path.

use super::{Condition, Function, JsonPath, NoPath, Operand, Step};
use seam_value::{Number, Value};

/// How deep filters and functions may nest.
const MAX_DEPTH: usize = 16;

pub(super) fn parse(text: &str) -> Result<JsonPath, NoPath> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(NoPath("json can not be null or empty".to_owned()));
    }
    let rooted = if trimmed.starts_with(['$', '@']) { trimmed.to_owned() } else { format!("$.{trimmed}") };
    let mut reader = Reader { text: &rooted, at: 1, depth: 0 };
    let path = reader.path()?;
    if reader.at < rooted.len() {
        return Err(reader.wrong("unexpected end of the path"));
    }
    Ok(path)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn wrong(&self, what: &str) -> NoPath {
        NoPath(format!("Could not parse token starting at position {}. {what}", self.at))
    }

    fn need(&mut self, word: &str) -> Result<(), NoPath> {
        self.space();
        if self.eat(word) { Ok(()) } else { Err(self.wrong(&format!("Expected {word}"))) }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, NoPath>) -> Result<T, NoPath> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("It nests too deeply"));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// The steps after `$` or `@`, as far as they go.
    fn path(&mut self) -> Result<JsonPath, NoPath> {
        let mut path = JsonPath { steps: Vec::new(), function: None };
        loop {
            if self.eat("..") {
                path.steps.push(Step::Deep);
                if !self.rest().starts_with('[') {
                    self.name(&mut path)?;
                }
            } else if self.eat(".") {
                if !self.rest().starts_with('[') {
                    self.name(&mut path)?;
                }
            } else if self.rest().starts_with('[') {
                self.at += 1;
                let step = self.deeper(Self::bracket)?;
                path.steps.push(step);
            } else {
                return Ok(path);
            }
            if path.function.is_some() {
                return Ok(path);
            }
        }
    }

    /// A name after a dot, `*`, or a function.
    fn name(&mut self, path: &mut JsonPath) -> Result<(), NoPath> {
        if self.eat("*") {
            path.steps.push(Step::Every);
            return Ok(());
        }
        let end = |c: char| {
            matches!(c, '.' | '[' | '(' | ')' | ' ' | ',' | ']' | '=' | '!' | '<' | '>' | '&' | '|')
        };
        let rest = self.rest();
        let length = rest.find(end).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.wrong("Path must not end with a '.' or '..'"));
        }
        let name = rest[..length].to_owned();
        self.at += length;
        if self.rest().starts_with('(') {
            self.at += 1;
            path.function = Some(self.deeper(|reader| reader.function(&name))?);
        } else {
            path.steps.push(Step::Names(vec![name]));
        }
        Ok(())
    }

    fn function(&mut self, name: &str) -> Result<Function, NoPath> {
        let mut arguments = Vec::new();
        self.space();
        while !self.eat(")") {
            arguments.push(self.operand()?);
            self.space();
            if !self.eat(",") && !self.rest().starts_with(')') {
                return Err(self.wrong("Arguments to a function are not closed"));
            }
            self.space();
        }
        Ok(match name {
            "length" | "size" => Function::Length,
            "keys" => Function::Keys,
            "sum" => Function::Sum,
            "min" => Function::Min,
            "max" => Function::Max,
            "avg" => Function::Average,
            "first" => Function::First,
            "last" => Function::Last,
            "index" => {
                let index = match arguments.first() {
                    Some(Operand::Literal(value)) => value.as_i64(),
                    _ => None,
                };
                Function::Index(index.ok_or_else(|| self.wrong("index() takes a number"))?)
            }
            "concat" => Function::Concat(arguments),
            "append" => Function::Append(arguments),
            _ => return Err(self.wrong(&format!("Function with name: {name} does not exist."))),
        })
    }

    /// What stands in brackets, the closing one included.
    fn bracket(&mut self) -> Result<Step, NoPath> {
        self.space();
        let step = match self.peek() {
            Some('\'' | '"') => {
                let mut names = vec![self.quoted()?];
                self.space();
                while self.eat(",") {
                    self.space();
                    names.push(self.quoted()?);
                    self.space();
                }
                Step::Names(names)
            }
            Some('*') => {
                self.at += 1;
                Step::Every
            }
            Some('?') => {
                self.at += 1;
                self.need("(")?;
                let condition = self.any()?;
                self.need(")")?;
                Step::Filter(condition)
            }
            _ => self.indexes()?,
        };
        self.need("]")?;
        Ok(step)
    }

    fn indexes(&mut self) -> Result<Step, NoPath> {
        let first = self.index();
        self.space();
        if self.eat(":") {
            self.space();
            return Ok(Step::Slice(first, self.index()));
        }
        let mut indexes = vec![first.ok_or_else(|| self.wrong("Expected an index"))?];
        while self.eat(",") {
            self.space();
            let index = self.index();
            indexes.push(index.ok_or_else(|| self.wrong("Expected an index"))?);
            self.space();
        }
        Ok(Step::Indexes(indexes))
    }

    fn index(&mut self) -> Option<i64> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
        let index = rest[..length].parse().ok()?;
        self.at += length;
        Some(index)
    }

    fn quoted(&mut self) -> Result<String, NoPath> {
        let Some(quote @ ('\'' | '"')) = self.peek() else { return Err(self.wrong("Expected a quote")) };
        self.at += 1;
        let mut text = String::new();
        while let Some(letter) = self.peek() {
            self.at += letter.len_utf8();
            match letter {
                '\\' => {
                    let Some(escaped) = self.peek() else { break };
                    self.at += escaped.len_utf8();
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                }
                letter if letter == quote => return Ok(text),
                other => text.push(other),
            }
        }
        Err(self.wrong("Property has not been closed - missing closing quote"))
    }

    fn any(&mut self) -> Result<Condition, NoPath> {
        let mut all = vec![self.all()?];
        self.space();
        while self.eat("||") {
            all.push(self.all()?);
            self.space();
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all(&mut self) -> Result<Condition, NoPath> {
        let mut all = vec![self.one()?];
        self.space();
        while self.eat("&&") {
            all.push(self.one()?);
            self.space();
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn one(&mut self) -> Result<Condition, NoPath> {
        self.space();
        if self.rest().starts_with('!') && !self.rest().starts_with("!=") {
            self.at += 1;
            return self.deeper(|reader| Ok(Condition::Not(Box::new(reader.one()?))));
        }
        if self.eat("(") {
            let condition = self.deeper(Self::any)?;
            self.need(")")?;
            return Ok(condition);
        }
        let left = self.operand()?;
        self.space();
        let Some(operator) = self.operator() else { return Ok(Condition::Exists(left)) };
        self.space();
        let right = self.operand()?;
        Ok(Condition::Compare(left, operator, right))
    }

    fn operator(&mut self) -> Option<String> {
        const SIGNS: [&str; 9] = ["===", "!==", "==", "!=", "=~", "<=", ">=", "<", ">"];
        const WORDS: [&str; 9] =
            ["subsetof", "anyof", "noneof", "contains", "nin", "in", "size", "empty", "all"];
        if let Some(sign) = SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            self.at += sign.len();
            return Some((*sign).to_owned());
        }
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let word = rest[..length].to_lowercase();
        let found = WORDS.contains(&word.as_str());
        if found {
            self.at += length;
        }
        found.then_some(word)
    }

    fn operand(&mut self) -> Result<Operand, NoPath> {
        self.space();
        match self.peek() {
            Some(sign @ ('@' | '$')) => {
                self.at += 1;
                let path = self.deeper(Self::path)?;
                Ok(Operand::Path { from_root: sign == '$', path })
            }
            Some('\'' | '"') => Ok(Operand::Literal(Value::Text(self.quoted()?))),
            Some('/') => self.pattern(),
            Some('[' | '{') => self.json(),
            _ => self.scalar(),
        }
    }

    fn pattern(&mut self) -> Result<Operand, NoPath> {
        let rest = &self.rest()[1..];
        let mut end = None;
        let mut escaped = false;
        for (at, letter) in rest.char_indices() {
            match letter {
                '\\' if !escaped => escaped = true,
                '/' if !escaped => {
                    end = Some(at);
                    break;
                }
                _ => escaped = false,
            }
        }
        let end = end.ok_or_else(|| self.wrong("Pattern not closed"))?;
        let flags: String = rest[end + 1..].chars().take_while(char::is_ascii_lowercase).collect();
        self.at += end + 2 + flags.len();
        let known: String = flags.chars().filter(|flag| "imsx".contains(*flag)).collect();
        let pattern = rest[..end].replace(r"\/", "/");
        Ok(Operand::Pattern(if known.is_empty() { pattern } else { format!("(?{known}){pattern}") }))
    }

    /// A list or an object, with single or double quotes.
    fn json(&mut self) -> Result<Operand, NoPath> {
        let rest = self.rest();
        let (mut depth, mut quote) = (0_usize, None);
        let mut end = None;
        for (at, letter) in rest.char_indices() {
            match (letter, quote) {
                ('\'' | '"', None) => quote = Some(letter),
                (letter, Some(open)) if letter == open => quote = None,
                ('[' | '{', None) => depth += 1,
                (']' | '}', None) => {
                    depth -= 1;
                    if depth == 0 {
                        end = Some(at + 1);
                        break;
                    }
                }
                _ => {}
            }
        }
        let end = end.ok_or_else(|| self.wrong("Json not closed"))?;
        let text = &rest[..end];
        let value = seam_value::parse(text)
            .or_else(|_| seam_value::parse(&text.replace('\'', "\"")))
            .map_err(|_| self.wrong("Not a value"))?;
        self.at += end;
        Ok(Operand::Literal(value))
    }

    fn scalar(&mut self) -> Result<Operand, NoPath> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let value = match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => Number::parse(word).map(Value::Number).ok_or_else(|| self.wrong("Expected a value"))?,
        };
        self.at += length;
        Ok(Operand::Literal(value))
    }
}

//! Reads the text of an expression: CEL's grammar and macros, from the `cel` crate.
//!
//! This is the only file that knows that crate. Its interpreter is not used: it has 64-bit integers and floats
//! where our numbers are exact, refuses `19.5 * 2`, calls `201 == '201'` false without a word, and its run-time
//! errors have no place. So its syntax tree is turned into [`Tree`], in which each part knows its place, each
//! function is looked up, and `$name` is a variable.

use crate::expression::tree::{Fold, Kind, Operator, Tree};
use crate::functions;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, SelectExpr,
    SourceInfo, operators,
};
use cel::parser::{ParseErrors, Parser};
use seam_diag::{Diagnostic, Span, did_you_mean};
use seam_value::{Number, Value};

/// Longer expressions are not read: nobody can follow them, and their depth could exhaust the stack.
const MAX_LENGTH: usize = 4_000;
/// The stack of the parser's thread, in bytes of address space.
const PARSER_STACK: usize = 128 << 20;
/// How deep brackets may nest.
const MAX_DEPTH: usize = 24;
/// Shorter ones with fewer brackets, which are nearly all, are read on the stack at hand: a thread costs more than they do.
const INLINE_LENGTH: usize = 60;
const INLINE_DEPTH: usize = 1;
/// How many steps a chain of operators or dots may have.
const MAX_NESTING: usize = 150;

/// Where a part of the expression's text stands in the user's file: offset and length in bytes.
pub(crate) type Place<'a> = &'a (dyn Fn(usize, usize) -> Span + Sync);

/// Reads an expression. The error is ready to be told.
pub(crate) fn read(text: &str, place: Place<'_>) -> Result<Tree, Box<Diagnostic>> {
    let whole = || place(0, text.len());
    if text.trim().is_empty() {
        return Err(Diagnostic::error("an expression is missing here").at(whole(), "").into());
    }
    if text.len() > MAX_LENGTH || nesting(text) > MAX_DEPTH {
        return Err(Diagnostic::error("the expression is too long or too deeply nested")
            .at(whole(), "")
            .into());
    }
    if text.len() <= INLINE_LENGTH && !text.contains('?') && nesting(text) <= INLINE_DEPTH {
        return parse(text, place);
    }
    // The parser takes up to 200 KiB of stack for each level of brackets, so that what the limits above let through
    // would exhaust that of a usual thread: it gets one of its own, of which only the used pages cost anything.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("expression".to_owned()).stack_size(PARSER_STACK);
        match thread.spawn_scoped(scope, || parse(text, place)) {
            Ok(parsing) => parsing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(Diagnostic::error(format!("the expression can't be read: {error}"))
                .at(whole(), "")
                .into()),
        }
    })
}

fn parse(text: &str, place: Place<'_>) -> Result<Tree, Box<Diagnostic>> {
    let (prepared, dollars) = without_dollars(text);
    let parser = Parser::new().enable_optional_syntax(true).enable_ident_escape_syntax(true);
    let (syntax, info) =
        parser.parse_with_source_info(&prepared).map_err(|errors| syntax_error(text, place, &errors))?;
    let mut reader = Reader { text, place, dollars, info, depth: 0 };
    reader.convert(syntax).map(|ranged| ranged.tree)
}

/// `$name` becomes `_name`, which CEL can read and which has the same length; the places of the dollars tell
/// the two apart afterwards. Dollars inside quotes stay.
fn without_dollars(text: &str) -> (String, Vec<usize>) {
    let mut prepared = String::with_capacity(text.len());
    let mut dollars = Vec::new();
    let mut quote = None;
    let mut characters = text.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        let next_is_letter = characters.peek().is_some_and(|(_, next)| next.is_alphabetic());
        match (quote, character) {
            (None, '$') if next_is_letter => {
                dollars.push(offset);
                prepared.push('_');
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (Some(_), '\\') => {
                prepared.push(character);
                if let Some((_, escaped)) = characters.next() {
                    prepared.push(escaped);
                }
                continue;
            }
            _ => {}
        }
        prepared.push(character);
    }
    (prepared, dollars)
}

/// How deep brackets nest, those in texts included: an upper bound is enough.
fn nesting(text: &str) -> usize {
    // A colon ends what a question mark began; in a map it ends nothing.
    let (mut depth, mut questions, mut deepest) = (0_usize, 0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'?' => questions += 1,
            b':' => questions = questions.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth + questions);
    }
    deepest
}

/// The parser's first complaint, in words that a tester can use.
fn syntax_error(text: &str, place: Place<'_>, errors: &ParseErrors) -> Diagnostic {
    let Some(first) = errors.errors.first() else {
        return Diagnostic::error("this is no expression").at(place(0, text.len()), "");
    };
    let (line, column) = first.pos;
    let line = usize::try_from(line).unwrap_or(1).max(1) - 1;
    let column = usize::try_from(column).unwrap_or(1).max(1) - 1;
    let line_start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut offset = (line_start + column).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let message = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    let said = message.split('\'').nth(1).unwrap_or_default();
    let rest = &text[offset..];
    let word_length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let length = word_length.max(rest.chars().next().map_or(0, char::len_utf8));
    let here = &rest[..length];
    let at = |title: String| Diagnostic::error(title).at(place(offset, length), "");
    if let Some(name) = message.strip_prefix("reserved identifier: ") {
        return at(format!("`{name}` is a reserved word in expressions"))
            .hint(format!("write `${name}` for the variable of that name"));
    }
    if message.starts_with("missing") {
        return at(format!("`{said}` is missing here"));
    }
    if rest.trim().is_empty() {
        return at("the expression ends too early".to_owned());
    }
    if message.starts_with("token recognition") && here.starts_with(['\'', '"']) {
        return at("the text has no closing quote".to_owned());
    }
    let unexpected = at(format!("`{here}` was not expected here"));
    let digits = rest.trim_start_matches('.').split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    match here {
        "=" => unexpected.hint("compare with `==`"),
        "and" => unexpected.hint("write `&&`"),
        "or" => unexpected.hint("write `||`"),
        "not" => unexpected.hint("write `!`"),
        "." if !digits.is_empty() => {
            unexpected.hint(format!("inside an expression an index stands in brackets: `[{digits}]`"))
        }
        _ if message.starts_with("invalid") => at(message.to_owned()),
        _ => unexpected,
    }
}

/// A part with the bytes that it covers, from which the place of the whole is put together.
struct Ranged {
    tree: Tree,
    start: usize,
    end: usize,
}

struct Reader<'a> {
    text: &'a str,
    place: Place<'a>,
    /// Where in the text a `$` stood before a name.
    dollars: Vec<usize>,
    info: SourceInfo,
    depth: usize,
}

impl Reader<'_> {
    fn convert(&mut self, syntax: IdedExpr) -> Result<Ranged, Box<Diagnostic>> {
        self.depth += 1;
        let token = self.token(syntax.id);
        if self.depth > MAX_NESTING {
            return Err(self.refuse(token, "the expression is too long or too deeply nested"));
        }
        let converted = match syntax.expr {
            Expr::Literal(literal) => self.literal(&literal, token),
            Expr::Ident(name) => Ok(self.name(&name, token)),
            Expr::Select(select) => self.select(select, token),
            Expr::Call(call) => self.call(call, token),
            Expr::List(list) => {
                let elements = self.all(list.elements)?;
                Ok(self.around(token, elements, Kind::List))
            }
            Expr::Map(map) => self.map(map.entries, token),
            Expr::Comprehension(fold) => self.fold(*fold, token),
            Expr::Struct(_) => Err(self.refuse(token, "a map is written with quoted keys: `{'name': 1}`")),
            Expr::Unspecified => Err(self.refuse(token, "this is no expression")),
        };
        self.depth -= 1;
        converted
    }

    /// The bytes of the token that the parser made a node for.
    fn token(&self, id: u64) -> (usize, usize) {
        let (start, stop) = self.info.offset_for(id).unwrap_or((0, 0));
        let start = (start as usize).min(self.text.len());
        (start, (stop as usize + 1).clamp(start, self.text.len()))
    }

    fn refuse(&self, (start, end): (usize, usize), title: &str) -> Box<Diagnostic> {
        Diagnostic::error(title).at((self.place)(start, end - start), "").into()
    }

    fn ranged(&self, start: usize, end: usize, kind: Kind) -> Ranged {
        let end = end.max(start);
        Ranged { tree: Tree { span: (self.place)(start, end - start), kind }, start, end }
    }

    fn all(&mut self, list: Vec<IdedExpr>) -> Result<Vec<Ranged>, Box<Diagnostic>> {
        list.into_iter().map(|syntax| self.convert(syntax)).collect()
    }

    /// Parts between brackets, of which the parser tells the opening one.
    fn around(
        &self,
        token: (usize, usize),
        parts: Vec<Ranged>,
        kind: impl FnOnce(Vec<Tree>) -> Kind,
    ) -> Ranged {
        let last = parts.iter().map(|part| part.end).fold(token.1, usize::max);
        let end = self.closing(last);
        self.ranged(token.0, end, kind(parts.into_iter().map(|part| part.tree).collect()))
    }

    /// Behind a closing bracket, if one follows.
    fn closing(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        let trimmed = rest.trim_start();
        if trimmed.starts_with([')', ']', '}']) { from + rest.len() - trimmed.len() + 1 } else { from }
    }

    fn literal(&self, literal: &LiteralValue, token: (usize, usize)) -> Result<Ranged, Box<Diagnostic>> {
        let value = match literal {
            LiteralValue::Boolean(flag) => Value::Bool(*flag.inner()),
            LiteralValue::Int(integer) => Value::from(*integer.inner()),
            LiteralValue::UInt(integer) => Value::from(*integer.inner()),
            LiteralValue::Double(float) => {
                let written = self.text.get(token.0..token.1).unwrap_or_default();
                Value::Number(
                    exact(written, *float.inner()).ok_or_else(|| self.refuse(token, "this is no number"))?,
                )
            }
            LiteralValue::String(text) => Value::text(text.inner()),
            LiteralValue::Null => Value::Null,
            LiteralValue::Bytes(_) => return Err(self.refuse(token, "bytes can't stand in an expression")),
        };
        Ok(self.ranged(token.0, token.1, Kind::Literal(value)))
    }

    fn name(&self, name: &str, token: (usize, usize)) -> Ranged {
        let dollar = self.dollars.contains(&token.0);
        let name = if dollar { name[1..].to_owned() } else { name.trim_start_matches('.').to_owned() };
        self.ranged(token.0, token.1, Kind::Name { name, dollar })
    }

    fn select(&mut self, select: SelectExpr, token: (usize, usize)) -> Result<Ranged, Box<Diagnostic>> {
        let of = self.convert(*select.operand)?;
        let start = of.start;
        // The parser tells the dot (or, for `has`, the bracket before it all); the field comes after.
        let from = token.1.max(of.end);
        let field_at =
            self.text.get(from..).and_then(|rest| rest.find(&select.field)).map_or(from, |at| from + at);
        let end = (field_at + select.field.len()).min(self.text.len());
        let of = Box::new(of.tree);
        let field = select.field;
        let kind =
            if select.test { Kind::Has { of, field } } else { Kind::Select { of, field, optional: false } };
        Ok(self.ranged(start, end, kind))
    }

    fn call(&mut self, call: CallExpr, token: (usize, usize)) -> Result<Ranged, Box<Diagnostic>> {
        let CallExpr { func_name, target, args } = call;
        if target.is_none()
            && let Some(operator) = operator(&func_name)
        {
            let [left, right] = self.some(args, token)?;
            let (start, end) = (left.start, right.end);
            let (left, right) = (Box::new(left.tree), Box::new(right.tree));
            return Ok(self.ranged(start, end, Kind::Binary { operator, left, right }));
        }
        match func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR => {
                let [left, right] = self.some(args, token)?;
                let (start, end) = (left.start, right.end);
                let (left, right) = (Box::new(left.tree), Box::new(right.tree));
                let is_and = func_name == operators::LOGICAL_AND;
                Ok(self.ranged(
                    start,
                    end,
                    if is_and { Kind::And(left, right) } else { Kind::Or(left, right) },
                ))
            }
            operators::LOGICAL_NOT | operators::NEGATE | operators::NOT_STRICTLY_FALSE => {
                let [of] = self.some(args, token)?;
                let (end, of) = (of.end, Box::new(of.tree));
                let kind = match func_name.as_str() {
                    operators::LOGICAL_NOT => Kind::Not(of),
                    operators::NEGATE => Kind::Negate(of),
                    _ => Kind::NotStrictlyFalse(of),
                };
                Ok(self.ranged(token.0, end, kind))
            }
            operators::CONDITIONAL => {
                let [condition, then, otherwise] = self.some(args, token)?;
                let (start, end) = (condition.start, otherwise.end);
                let [condition, then, otherwise] =
                    [condition, then, otherwise].map(|part| Box::new(part.tree));
                Ok(self.ranged(start, end, Kind::If { condition, then, otherwise }))
            }
            operators::INDEX | operators::OPT_INDEX => {
                let [of, index] = self.some(args, token)?;
                let (start, end) = (of.start, self.closing(index.end));
                let (of, index) = (Box::new(of.tree), Box::new(index.tree));
                let optional = func_name == operators::OPT_INDEX;
                Ok(self.ranged(start, end, Kind::Index { of, index, optional }))
            }
            operators::OPT_SELECT => {
                let [of, field] = self.some(args, token)?;
                let Kind::Literal(Value::Text(name)) = field.tree.kind else {
                    return Err(self.refuse(token, "a name is missing here"));
                };
                let end = (token.1 + 1 + name.len()).min(self.text.len());
                let kind = Kind::Select { of: Box::new(of.tree), field: name, optional: true };
                Ok(self.ranged(of.start, end, kind))
            }
            _ => self.function(&func_name, target, args, token),
        }
    }

    /// The operands of an operator; the parser always gives as many as it has.
    fn some<const N: usize>(
        &mut self,
        args: Vec<IdedExpr>,
        token: (usize, usize),
    ) -> Result<[Ranged; N], Box<Diagnostic>> {
        self.all(args)?.try_into().map_err(|_| self.refuse(token, "this is no expression"))
    }

    /// A call by name: `size(x)`, `x.size()`, `fake.email()`. The value before the dot is the first argument.
    fn function(
        &mut self,
        name: &str,
        target: Option<Box<IdedExpr>>,
        args: Vec<IdedExpr>,
        bracket: (usize, usize),
    ) -> Result<Ranged, Box<Diagnostic>> {
        let is_fake = |target: &IdedExpr| matches!(&target.expr, Expr::Ident(of) if of == "fake");
        let (full_name, target) = match target {
            Some(target) if is_fake(&target) => (format!("fake.{name}"), None),
            target => (name.to_owned(), target),
        };
        let before = self.text[..bracket.0].trim_end();
        let written = if before.ends_with(&full_name) { &full_name } else { name };
        let name_start = before.len().saturating_sub(written.len());
        let target = target.map(|target| self.convert(*target)).transpose()?;
        let start = target.as_ref().map_or(name_start, |target| target.start);
        let mut parts: Vec<Ranged> = target.into_iter().collect();
        parts.extend(self.all(args)?);
        let last = parts.iter().map(|part| part.end).fold(bracket.1, usize::max);
        let end = self.closing(last);
        let Some(function) = functions::find(&full_name) else {
            let span = (self.place)(name_start, before.len() - name_start);
            let error = Diagnostic::error(format!("unknown function `{full_name}`")).at(span, "");
            return Err(Box::new(match did_you_mean(&full_name, functions::names()) {
                Some(near) => error.hint(format!("did you mean `{near}()`?")),
                None => error.note("known", functions::names().collect::<Vec<_>>().join(", ")),
            }));
        };
        let n = parts.len();
        if !function.takes(n) {
            let title = format!("`{full_name}` takes {}, not {n}", function.arity());
            let span = (self.place)(start, end - start);
            let hint = format!("write `{}`", function.signature());
            return Err(Diagnostic::error(title).at(span, "").hint(hint).into());
        }
        let arguments = parts.into_iter().map(|part| part.tree).collect();
        Ok(self.ranged(start, end, Kind::Call { function, arguments }))
    }

    fn map(&mut self, entries: Vec<IdedEntryExpr>, token: (usize, usize)) -> Result<Ranged, Box<Diagnostic>> {
        let mut pairs = Vec::with_capacity(entries.len());
        let mut end = token.1;
        for entry in entries {
            let EntryExpr::MapEntry(entry) = entry.expr else {
                return Err(self.refuse(token, "a map is written with quoted keys: `{'name': 1}`"));
            };
            let key = self.convert(entry.key)?;
            let value = self.convert(entry.value)?;
            end = end.max(value.end);
            pairs.push((key.tree, value.tree));
        }
        let end = self.closing(end);
        Ok(self.ranged(token.0, end, Kind::Map(pairs)))
    }

    fn fold(&mut self, fold: ComprehensionExpr, bracket: (usize, usize)) -> Result<Ranged, Box<Diagnostic>> {
        let over = self.convert(fold.iter_range)?;
        let begin = self.convert(fold.accu_init)?.tree;
        let go_on = self.convert(fold.loop_cond)?.tree;
        let step = self.convert(fold.loop_step)?;
        let result = self.convert(fold.result)?.tree;
        let start = over.start;
        let end = self.closing(step.end.max(bracket.1));
        let kind = Kind::Fold(Box::new(Fold {
            over: over.tree,
            element: fold.iter_var,
            carried: fold.accu_var,
            begin,
            go_on,
            step: step.tree,
            result,
        }));
        Ok(self.ranged(start, end, kind))
    }
}

/// A number with its digits as written; the float only where they are in a form that JSON does not have.
fn exact(written: &str, float: f64) -> Option<Number> {
    let padded = if written.starts_with('.') { format!("0{written}") } else { written.to_owned() };
    let sign = if float.is_sign_negative() && !padded.starts_with('-') { "-" } else { "" };
    Number::parse(&format!("{sign}{padded}")).or_else(|| Number::from_f64(float))
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterEqual,
        operators::IN => Operator::In,
        _ => return None,
    })
}

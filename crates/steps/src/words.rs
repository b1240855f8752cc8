//! A command as a list, or as words that are split like a shell would, in which variables are passed and never pasted.
//!
//! `set cart:$id $value` is three words however many spaces the values have; quotes hold fixed text together. No
//! shell runs, so nothing else means anything.

use crate::action::Trouble;
use crate::input::{Input, Part as Variable, Piece, pieces};
use crate::kind::Reading;
use seam_diag::{Diagnostic, Span};
use seam_expr::{NameUse, Names};
use seam_model::{Node, NodeKind};
use seam_value::Value;

/// The words of a command; at least one.
#[derive(Debug)]
pub(crate) struct Words(Vec<Word>);

#[derive(Debug)]
enum Word {
    /// An element of a list: one word, whatever it is.
    Whole(Input),
    /// A word of a text, from its parts.
    Parts(Vec<Part>),
}

#[derive(Debug)]
enum Part {
    Fixed(String),
    Variable(Variable),
}

impl Words {
    /// Reads a list, or a text with words; tells if it is neither, or empty.
    pub(crate) fn read(node: &Node, example: &str, reading: &mut Reading<'_>) -> Option<Self> {
        let words = match &node.kind {
            NodeKind::List(list) => {
                list.iter().map(|element| Word::Whole(Input::read(element, reading.found))).collect()
            }
            NodeKind::Text { .. } => split(node, reading)?,
            _ => Vec::new(),
        };
        if words.is_empty() {
            let label = format!("this is {}", node.kind_name());
            reading
                .found
                .push(Diagnostic::error(format!("expected a command like {example}")).at(node.span, label));
            return None;
        }
        Some(Self(words))
    }

    /// The words as they are now. A word that is nothing but a variable without a value is left out.
    pub(crate) fn texts(&self, names: &dyn Names) -> Result<Vec<String>, Trouble> {
        let mut texts = Vec::with_capacity(self.0.len());
        for word in &self.0 {
            match word {
                Word::Whole(input) => match input.value(names)? {
                    Value::Null => {}
                    value => texts.push(value.to_plain_text()),
                },
                Word::Parts(parts) => {
                    let mut text = String::new();
                    for part in parts {
                        match part {
                            Part::Fixed(fixed) => text.push_str(fixed),
                            Part::Variable(variable) => {
                                text.push_str(&variable.value(names)?.to_plain_text());
                            }
                        }
                    }
                    texts.push(text);
                }
            }
        }
        Ok(texts)
    }

    /// The words that are known beforehand, from the first on.
    pub(crate) fn fixed(&self) -> Vec<&str> {
        let fixed = self.0.iter().map_while(|word| match word {
            Word::Whole(input) => input.fixed().and_then(Value::as_text),
            Word::Parts(parts) => match parts.as_slice() {
                [Part::Fixed(text)] => Some(text.as_str()),
                _ => None,
            },
        });
        fixed.collect()
    }

    /// The variables in it.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        for word in &self.0 {
            match word {
                Word::Whole(input) => input.uses(into),
                Word::Parts(parts) => {
                    for part in parts {
                        if let Part::Variable(variable) = part {
                            variable.uses(into);
                        }
                    }
                }
            }
        }
    }
}

/// Splits at spaces that stand in no quotes.
fn split(node: &Node, reading: &mut Reading<'_>) -> Option<Vec<Word>> {
    let mut splitter = Splitter::default();
    for piece in pieces(node, reading.found)? {
        match piece {
            Piece::Fixed { text, offset } => splitter.fixed(&text, |place| node.part(offset + place, 1)),
            Piece::Part(variable) => splitter.word().push(Part::Variable(variable)),
        }
    }
    if let Some((_, span)) = splitter.quote {
        reading.found.push(Diagnostic::error("a quote is opened here and never closed").at(span, ""));
        return None;
    }
    splitter.end_word();
    Some(splitter.words)
}

#[derive(Default)]
struct Splitter {
    words: Vec<Word>,
    /// The word that has begun.
    current: Option<Vec<Part>>,
    quote: Option<(char, Span)>,
}

impl Splitter {
    fn word(&mut self) -> &mut Vec<Part> {
        self.current.get_or_insert_default()
    }

    fn end_word(&mut self) {
        if let Some(parts) = self.current.take() {
            let parts = if parts.is_empty() { vec![Part::Fixed(String::new())] } else { parts };
            self.words.push(Word::Parts(parts));
        }
    }

    fn push(&mut self, character: char) {
        let word = self.word();
        if let Some(Part::Fixed(text)) = word.last_mut() {
            text.push(character);
        } else {
            word.push(Part::Fixed(character.to_string()));
        }
    }

    fn fixed(&mut self, text: &str, span: impl Fn(usize) -> Span) {
        let mut characters = text.char_indices();
        while let Some((place, character)) = characters.next() {
            match (character, self.quote) {
                (quote @ ('\'' | '"'), None) => {
                    self.quote = Some((quote, span(place)));
                    self.word();
                }
                (character, Some((quote, _))) if character == quote => self.quote = None,
                ('\\', None | Some(('"', _))) => {
                    // At the very end it stands for itself; in quotes also before what needs none, as in a shell.
                    let next = characters.clone().next().map_or('\\', |(_, next)| next);
                    if self.quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                        self.push('\\');
                        continue;
                    }
                    characters.next();
                    self.push(next);
                }
                (character, None) if character.is_whitespace() => self.end_word(),
                (character, _) => self.push(character),
            }
        }
    }
}

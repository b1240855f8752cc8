//! An expression as it is evaluated: small, with the place of each part in the user's file.

use crate::functions::Function;
use crate::names::{NameUse, Way};
use seam_diag::Span;
use seam_value::Value;

/// One part of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// From its first byte to its last.
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Literal(Value),
    /// A name; with `$` before it, it is a variable and nothing else.
    Name {
        name: String,
        dollar: bool,
    },
    /// `order.id`; with `.?`, nothing where it is not there.
    Select {
        of: Box<Tree>,
        field: String,
        optional: bool,
    },
    /// `has(order.id)`
    Has {
        of: Box<Tree>,
        field: String,
    },
    /// `items[0]`
    Index {
        of: Box<Tree>,
        index: Box<Tree>,
        optional: bool,
    },
    Call {
        function: &'static Function,
        arguments: Vec<Tree>,
    },
    Not(Box<Tree>),
    Negate(Box<Tree>),
    Binary {
        operator: Operator,
        left: Box<Tree>,
        right: Box<Tree>,
    },
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    If {
        condition: Box<Tree>,
        then: Box<Tree>,
        otherwise: Box<Tree>,
    },
    List(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    Fold(Box<Fold>),
    /// True unless its operand is false; errors are passed over. Only the macros make it.
    NotStrictlyFalse(Box<Tree>),
}

/// What `all`, `exists`, `filter` and `map` become: a value carried through the elements of a list.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) over: Tree,
    pub(crate) element: String,
    pub(crate) carried: String,
    pub(crate) begin: Tree,
    pub(crate) go_on: Tree,
    pub(crate) step: Tree,
    pub(crate) result: Tree,
}

/// An operator on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl Operator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
        }
    }
}

impl Tree {
    /// The name and the fields of `a.b.c`; none for anything else.
    pub(crate) fn chain(&self) -> Option<(&str, bool, Vec<&str>)> {
        let mut fields = Vec::new();
        let mut tree = self;
        loop {
            match &tree.kind {
                Kind::Name { name, dollar } => {
                    fields.reverse();
                    return Some((name, *dollar, fields));
                }
                Kind::Select { of, field, optional: false } => {
                    fields.push(field);
                    tree = of;
                }
                _ => return None,
            }
        }
    }

    /// All names that it mentions but those that its own `all`, `map` … bring.
    pub(crate) fn names(&self, way: Way, bound: &mut Vec<String>, out: &mut Vec<NameUse>) {
        if let Some((name, dollar, fields)) = self.chain() {
            if dollar || !bound.iter().any(|known| known == name) {
                let way = if dollar { Way::Dollar } else { way };
                out.push(NameUse { name: name.to_owned(), path: fields.join("."), span: self.span, way });
            }
            return;
        }
        if let Kind::Fold(fold) = &self.kind {
            fold.over.names(way, bound, out);
            fold.begin.names(way, bound, out);
            bound.extend([fold.element.clone(), fold.carried.clone()]);
            for part in [&fold.go_on, &fold.step, &fold.result] {
                part.names(way, bound, out);
            }
            bound.truncate(bound.len() - 2);
            return;
        }
        for part in self.parts() {
            part.names(way, bound, out);
        }
    }

    /// All functions that it calls, with their places.
    pub(crate) fn functions(&self, out: &mut Vec<(&'static str, Span)>) {
        if let Kind::Call { function, .. } = &self.kind {
            out.push((function.word.name, self.span));
        }
        for part in self.parts() {
            part.functions(out);
        }
    }

    fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Literal(_) | Kind::Name { .. } => Vec::new(),
            Kind::Select { of, .. }
            | Kind::Has { of, .. }
            | Kind::Not(of)
            | Kind::Negate(of)
            | Kind::NotStrictlyFalse(of) => vec![of],
            Kind::Index { of: left, index: right, .. }
            | Kind::Binary { left, right, .. }
            | Kind::And(left, right)
            | Kind::Or(left, right) => vec![left, right],
            Kind::If { condition, then, otherwise } => vec![condition, then, otherwise],
            Kind::Call { arguments, .. } => arguments.iter().collect(),
            Kind::List(elements) => elements.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Kind::Fold(fold) => {
                vec![&fold.over, &fold.begin, &fold.go_on, &fold.step, &fold.result]
            }
        }
    }
}

//! The documentation of one kind: a step, a matcher, a service, a fault.
//!
//! Whoever adds a kind writes its [`Word`] beside its code. The JSON Schema for editors, the reference,
//! `seam explain NAME` and the completions are made from these, and every example is run as a test.

/// One kind by name, with all that people and editors need to know about it.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The name in YAML: `http`, `postgres`, `contains`.
    pub name: &'static str,
    /// One line, for lists: lower case, no full stop.
    pub line: &'static str,
    /// The long text in plain sentences: what it does, what it takes for granted, what to look out for. Markdown.
    pub text: &'static str,
    /// What stands right of the name: `POST gateway/orders`.
    pub subject: Shape,
    /// Its further fields (a step's inputs, a service's settings).
    pub fields: &'static [Field],
    /// What comes out of it: the fields of a step's result, the parts of an interaction, a service's properties.
    pub results: &'static [Field],
    /// A complete example, which is run as a test.
    pub example: &'static str,
}

/// One field of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key in YAML.
    pub name: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// One line: lower case, no full stop.
    pub line: &'static str,
    /// Must it be there?
    pub need: Need,
}

/// Must a field be there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the kind means nothing.
    Required,
    /// It may be left out.
    Optional,
}

/// What may stand in a place of a file; enough for a JSON Schema.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Nothing at all.
    Nothing,
    /// Anything.
    Any,
    /// A text; variables may stand in it.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `10s`
    Duration,
    /// `64KiB`
    Size,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list whose elements have this shape.
    List(&'static Shape),
    /// A map with any keys, whose values have this shape.
    MapOf(&'static Shape),
    /// A map with these fields.
    Fields(&'static [Field]),
    /// Any of these shapes.
    Either(&'static [Shape]),
    /// A list of steps.
    Steps,
    /// The name of a component, or of a component's endpoint or database with a dot.
    Component,
    /// `consumer -> provider`
    Seam,
    /// Paths with what is expected there.
    Expectations,
    /// A map of matchers, or a plain value.
    Matchers,
}

impl Field {
    /// A field that may be left out.
    pub const fn optional(name: &'static str, shape: Shape, line: &'static str) -> Self {
        Self { name, shape, line, need: Need::Optional }
    }

    /// A field that must be there.
    pub const fn required(name: &'static str, shape: Shape, line: &'static str) -> Self {
        Self { name, shape, line, need: Need::Required }
    }
}

impl Word {
    /// A word of a name, with one line, and everything else empty: to be filled in with struct update syntax.
    pub const fn new(name: &'static str, line: &'static str) -> Self {
        Self { name, line, text: "", subject: Shape::Any, fields: &[], results: &[], example: "" }
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

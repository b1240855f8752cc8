//! Works a template out.

use super::World;
use super::helpers::{HELPERS, Helper, passes_on_nothing};
use super::item::{Item, double};
use super::parse::{Argument, Block, Call, Node, Path};
use seam_value::{Number, Value};
use std::collections::HashMap;

/// How long a text may become, and how many things may be worked out for it.
const MAX_LENGTH: usize = 16 * 1024 * 1024;
const MAX_STEPS: usize = 1_000_000;

pub(super) fn render(nodes: &[Node], model: &Item, world: World<'_>) -> Result<String, String> {
    let mut machine = Machine {
        frames: vec![Frame { this: model.clone(), data: HashMap::new() }],
        variables: HashMap::new(),
        world,
        steps: 0,
    };
    machine.nodes(nodes)
}

/// A template at work.
pub(super) struct Machine<'a> {
    frames: Vec<Frame>,
    /// What helpers have kept under a name.
    variables: HashMap<String, Item>,
    pub(super) world: World<'a>,
    steps: usize,
}

/// What stands around a block.
struct Frame {
    this: Item,
    /// `@index`, and the names that a block gives.
    data: HashMap<String, Item>,
}

/// A helper as it is called.
pub(super) struct Called<'m, 'a> {
    pub(super) machine: &'m mut Machine<'a>,
    /// The first parameter, or what stands around where there is none.
    pub(super) context: Item,
    /// The further parameters.
    pub(super) rest: Vec<Item>,
    /// Was there a first parameter?
    pub(super) has_context: bool,
    named: Vec<(String, Item)>,
    pub(super) block: Option<&'m Block>,
}

impl Machine<'_> {
    pub(super) fn nodes(&mut self, nodes: &[Node]) -> Result<String, String> {
        let mut out = String::new();
        self.step()?;
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Show(call) => {
                    let item = self.call(call, None)?;
                    out.push_str(&item.print());
                }
                Node::Block(block) => out.push_str(&self.block(block)?),
            }
            if out.len() > MAX_LENGTH {
                return Err("the text becomes too long".to_owned());
            }
        }
        Ok(out)
    }

    /// The same with something else as `this`.
    pub(super) fn inside(
        &mut self,
        nodes: &[Node],
        this: Item,
        data: HashMap<String, Item>,
    ) -> Result<String, String> {
        self.frames.push(Frame { this, data });
        let rendered = self.nodes(nodes);
        self.frames.pop();
        rendered
    }

    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err("there is too much to work out".to_owned()) } else { Ok(()) }
    }

    /// Keeps something under a name for the rest of the template.
    pub(super) fn keep(&mut self, name: &str, item: Item) {
        self.variables.insert(name.to_owned(), item);
    }

    fn block(&mut self, block: &Block) -> Result<String, String> {
        if helper(&block.call.path).is_some() {
            return Ok(self.call(&block.call, Some(block))?.print());
        }
        // A block of a name alone: for each element, with the thing, or not at all.
        let item = self.path(&block.call.path);
        if !item.is_true() {
            return self.nodes(&block.otherwise);
        }
        match item.elements() {
            Some(list) => {
                let mut out = String::new();
                for element in list {
                    out.push_str(&self.inside(&block.body, element, HashMap::new())?);
                }
                Ok(out)
            }
            None if matches!(item, Item::Value(Value::Bool(_))) => self.nodes(&block.body),
            None => self.inside(&block.body, item, HashMap::new()),
        }
    }

    fn call(&mut self, call: &Call, block: Option<&Block>) -> Result<Item, String> {
        self.step()?;
        let Some(helper) = helper(&call.path) else {
            if !call.parameters.is_empty() || !call.named.is_empty() {
                return Err(format!("could not find helper: '{}'", call.path.text));
            }
            return Ok(self.path(&call.path));
        };
        let mut given = Vec::new();
        for argument in &call.parameters {
            given.push(self.argument(argument)?);
        }
        let mut named = Vec::new();
        for (name, argument) in &call.named {
            named.push((name.clone(), self.argument(argument)?));
        }
        let has_context = !given.is_empty();
        let context = if has_context { given.remove(0) } else { self.this() };
        if !context.is_true() && call.path.names.iter().any(|name| passes_on_nothing(name)) {
            return Ok(given.first().map_or(Item::Nothing, |next| Item::text(next.print())));
        }
        let called = Called { machine: self, context, rest: given, has_context, named, block };
        helper(called)
    }

    fn argument(&mut self, argument: &Argument) -> Result<Item, String> {
        Ok(match argument {
            Argument::Text(text) => Item::text(text),
            Argument::Number(text) => {
                // A number with a point is a double: its last noughts are lost.
                let number = Number::parse(text).and_then(|number| {
                    if number.is_written_as_integer() {
                        Some(number)
                    } else {
                        Number::parse(&double(number.as_f64()))
                    }
                });
                number.map_or(Item::Nothing, |number| Item::Value(Value::Number(number)))
            }
            Argument::Flag(flag) => Item::flag(*flag),
            Argument::Null => Item::Nothing,
            Argument::Path(path) if helper(path).is_some() && self.path(path) == Item::Nothing => {
                self.call(&Call { path: path.clone(), parameters: Vec::new(), named: Vec::new() }, None)?
            }
            Argument::Path(path) => self.path(path),
            Argument::Call(call) => self.call(call, None)?,
        })
    }

    /// What stands around.
    fn this(&self) -> Item {
        self.frames.last().map_or(Item::Nothing, |frame| frame.this.clone())
    }

    /// What a path leads to; nothing where it leads nowhere.
    fn path(&self, path: &Path) -> Item {
        let Some(top) = self.frames.len().checked_sub(1 + path.up) else { return Item::Nothing };
        let (first, rest) = match path.names.split_first() {
            Some((first, rest)) => (first.as_str(), rest),
            None => return self.frames[top].this.clone(),
        };
        let begin = if path.is_data {
            let frames = self.frames[..=top].iter().rev();
            let found = frames.clone().find_map(|frame| frame.data.get(&format!("@{first}")));
            match (first, found) {
                ("root", None) => Some(self.frames[0].this.clone()),
                (_, found) => found.cloned().or_else(|| self.variables.get(first).cloned()),
            }
        } else if path.is_this || path.up > 0 {
            self.frames[top].this.child(first)
        } else {
            let frames = self.frames[..=top].iter().rev();
            let mut found =
                frames.filter_map(|frame| frame.data.get(first).cloned().or_else(|| frame.this.child(first)));
            found.next().or_else(|| self.variables.get(first).cloned())
        };
        let Some(begin) = begin else { return Item::Nothing };
        rest.iter().try_fold(begin, |item, name| item.child(name)).unwrap_or(Item::Nothing)
    }
}

/// The helper that a path names.
fn helper(path: &Path) -> Option<Helper> {
    if path.is_data || path.is_this || path.up > 0 || path.names.len() != 1 {
        return None;
    }
    let name = path.names.first()?;
    HELPERS.iter().find_map(|list| list.iter().find(|(known, _)| known == name)).map(|(_, helper)| *helper)
}

impl Called<'_, '_> {
    /// What is given under a name.
    pub(super) fn named(&self, name: &str) -> Option<&Item> {
        self.named
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, item)| item)
            .filter(|item| **item != Item::Nothing)
    }

    /// The same as a text.
    pub(super) fn named_text(&self, name: &str) -> Option<String> {
        self.named(name).map(Item::print)
    }

    /// A further parameter.
    pub(super) fn parameter(&self, index: usize) -> Option<&Item> {
        self.rest.get(index).filter(|item| **item != Item::Nothing)
    }

    /// The body of its block.
    pub(super) fn body(&mut self) -> Result<String, String> {
        match self.block {
            Some(block) => self.machine.nodes(&block.body),
            None => Ok(String::new()),
        }
    }

    /// What its block says otherwise.
    pub(super) fn otherwise(&mut self) -> Result<String, String> {
        match self.block {
            Some(block) => self.machine.nodes(&block.otherwise),
            None => Ok(String::new()),
        }
    }

    /// The text that it works on: that of its block, in which its first parameter is `this`, or that parameter.
    pub(super) fn subject(&mut self) -> Result<String, String> {
        if let Some(block) = self.block {
            return self.machine.inside(&block.body, self.context.clone(), HashMap::new());
        }
        self.needs_something()?;
        Ok(self.context.print())
    }

    /// Ends the whole answer where there is nothing to work on, as WireMock's helpers do that don't ask.
    pub(super) fn needs_something(&self) -> Result<(), String> {
        if self.context == Item::Nothing {
            return Err("java.lang.NullPointerException: \"context\" is null".to_owned());
        }
        Ok(())
    }

    /// A statement: as a block what stands in it or otherwise, alone true or false.
    pub(super) fn decide(&mut self, holds: bool) -> Result<Item, String> {
        if self.block.is_some() {
            return Ok(Item::text(if holds { self.body()? } else { self.otherwise()? }));
        }
        let said = self.named(if holds { "yes" } else { "no" });
        Ok(said.cloned().unwrap_or(Item::flag(holds)))
    }
}

/// What WireMock's helpers say where they can't do what they are asked.
#[expect(clippy::unnecessary_wraps, reason = "it ends a helper, which may fail")]
pub(super) fn error(what: impl std::fmt::Display) -> Result<Item, String> {
    Ok(Item::text(format!("[ERROR: {what}]")))
}

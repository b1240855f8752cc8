//! Which of many are meant: `where: { request.path: /charge }`, `subject: { contains: order }`, judged by the same
//! matchers as an `expect`.

use crate::action::Trouble;
use crate::input::Input;
use seam_diag::Diagnostics;
use seam_expr::{NameUse, Names};
use seam_matcher::{NoSnapshots, Statement};
use seam_model::{Entry, NodeKind};
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
        Self { statement, written, is_list, needs_whole }
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

//! What hangs: calls that nobody ever answers, until the fault that did it is taken away. Then each of them is reset alone
//! where its connection carries others, which go on; otherwise its connection is.

use super::{Ended, Held};
use crate::faults::Extent;
use crate::hold::rule::{By, Rule};
use crate::relay::Over;
use seam_wire::{Call, Passed};
use std::sync::Arc;
use tokio::time::Instant;

/// All that hangs on a connection.
#[derive(Default)]
pub(super) struct Hung(Vec<OneHung>);

/// One call, or bytes of which nothing more is known.
struct OneHung {
    call: Option<Call>,
    rule: Arc<Rule>,
    /// Did the provider get what was asked?
    request: Passed,
}

impl Hung {
    /// It hangs from here on.
    pub(super) fn push(&mut self, call: Option<Call>, rule: Arc<Rule>, request: Passed) {
        self.0.push(OneHung { call, rule, request });
    }

    /// Who asked has given up.
    pub(super) fn forget(&mut self, call: Call) {
        self.0.retain(|one| one.call != Some(call));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what hangs because of a rule that is none of these.
    fn take_let_go(&mut self, rules: &[Arc<Rule>]) -> Vec<OneHung> {
        let is_let_go = |one: &mut OneHung| !rules.iter().any(|rule| Arc::ptr_eq(rule, &one.rule));
        self.0.extract_if(.., is_let_go).collect()
    }
}

impl Held {
    /// These are the rules that are left: what hung because of others is reset.
    pub(super) fn reset_what_hung(&mut self, rules: &[Arc<Rule>]) -> Result<(), Ended> {
        for OneHung { call, rule, request } in self.hung.take_let_go(rules) {
            let (by, extent) = (By::Fault(rule), (Extent::Call, request));
            if !call.is_some_and(|call| self.break_off(call, extent, Instant::now(), &by)) {
                self.with.tap.borrow_mut().reset_by_fault();
                return Err(Ended(Over::Reset));
            }
        }
        Ok(())
    }
}

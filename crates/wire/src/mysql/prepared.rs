//! The statements that a connection has prepared, as far as there is room for them: a client that prepares without end is
//! forgotten from its oldest statement on.

use super::request::Prepared;
use crate::conversation::Limits;
use std::collections::BTreeMap;

/// Statements by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Statements {
    by_id: BTreeMap<u32, Prepared>,
    n_bytes: usize,
}

impl Statements {
    pub(super) fn get(&self, id: u32) -> Option<&Prepared> {
        self.by_id.get(&id)
    }

    /// The newest number.
    pub(super) fn last_id(&self) -> Option<u32> {
        self.by_id.last_key_value().map(|(id, _)| *id)
    }

    pub(super) fn insert(&mut self, id: u32, prepared: Prepared, limits: Limits) {
        self.remove(id);
        self.n_bytes += size(&prepared);
        self.by_id.insert(id, prepared);
        self.make_room(limits);
    }

    /// Changes what is remembered of one.
    pub(super) fn change(&mut self, id: u32, limits: Limits, change: impl FnOnce(&mut Prepared)) {
        let Some(prepared) = self.by_id.get_mut(&id) else { return };
        self.n_bytes -= size(prepared);
        change(prepared);
        self.n_bytes += size(prepared);
        self.make_room(limits);
    }

    /// What is sent ahead of an execution: its parameter's number, and some of its bytes.
    pub(super) fn send_ahead(&mut self, id: u32, (parameter, data): (u16, &[u8]), limits: Limits) {
        let room = limits.kept_open.saturating_sub(self.n_bytes);
        self.change(id, limits, |prepared| {
            let n_kept: usize = prepared.ahead.values().map(Vec::len).sum();
            let n_now = data.len().min(limits.kept_body.saturating_sub(n_kept)).min(room);
            prepared.ahead.entry(parameter).or_default().extend_from_slice(&data[..n_now]);
        });
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Some(gone) = self.by_id.remove(&id) {
            self.n_bytes -= size(&gone);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn make_room(&mut self, limits: Limits) {
        while (self.n_bytes > limits.kept_open || self.by_id.len() > limits.n_open)
            && let Some((_, gone)) = self.by_id.pop_first()
        {
            self.n_bytes -= size(&gone);
        }
    }
}

/// About how many bytes of memory it holds.
fn size(prepared: &Prepared) -> usize {
    let ahead: usize = prepared.ahead.values().map(|data| data.len() + 32).sum();
    let types = prepared.types.len() * size_of_val(&prepared.types[..1.min(prepared.types.len())]);
    128 + prepared.statement.len() + prepared.columns.len() + ahead + types
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_oldest_go_first() {
        let limits = Limits { kept_open: 1000, n_open: 1000, ..Limits::default() };
        let mut statements = Statements::default();
        for id in 0..100 {
            let statement = Arc::from("select 1".repeat(20).as_str());
            statements.insert(id, Prepared { statement, ..Prepared::default() }, limits);
            statements.send_ahead(id, (0, &[0; 5000]), limits);
            assert!(statements.n_bytes <= 1000, "{} bytes", statements.n_bytes);
        }
        assert!(statements.get(99).is_none() || statements.last_id() == Some(99));
        statements.insert(100, Prepared::default(), limits);
        assert!(statements.get(100).is_some() && statements.get(0).is_none());
        statements.clear();
        assert_eq!(statements.n_bytes, 0);
    }
}

//! Where what a reply of MySQL says stands: the values in its rows, and the words of an error.
//!
//! Rows in texts and rows in binary form are told apart by what fits: a row in texts is as many values as there are columns,
//! and nothing else.

use super::packets::{Cell, FULL, Fields, can};
use super::reading::{Column, column};
use super::value::is_counted;
use std::ops::Range;

/// The places of what is said in whole packets. How many values there are, and how long each is, is none of it.
pub(super) fn contents(reply: &[u8], can: u64) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut at, mut n_columns, mut columns, mut n_ends) = (0, 0, Vec::new(), 0);
    while let Some(head) = reply.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let begins = at + 4;
        let Some(payload) = reply.get(begins..begins + length).filter(|_| length < FULL) else { break };
        at = begins + length;
        match payload.first() {
            Some(0xff) => {
                // The code, a mark, and the state that goes with the code.
                let words = begins + if payload.get(3) == Some(&b'#') { 9 } else { 3 };
                ranges.push(words.min(at)..at);
            }
            Some(0xfe) if length < 9 => {
                n_ends += 1;
                let is_over = columns.len() == n_columns && (n_ends == 2 || can & can::DEPRECATE_EOF != 0);
                if is_over {
                    (n_columns, columns, n_ends) = (0, Vec::new(), 0);
                }
            }
            None => {}
            Some(_) if n_columns == 0 => n_columns = count(payload, can),
            Some(_) if columns.len() < n_columns => match column(payload, can) {
                Some(column) => columns.push(column),
                None => break,
            },
            Some(_) => ranges.extend(
                row(payload, &columns).into_iter().map(|place| begins + place.start..begins + place.end),
            ),
        }
    }
    ranges
}

/// How many columns a result has; none where there is no result.
fn count(payload: &[u8], can: u64) -> usize {
    let mut fields = Fields(payload);
    if can & can::OPTIONAL_METADATA != 0 {
        fields.u8();
    }
    usize::try_from(fields.length().unwrap_or(0)).unwrap_or(0)
}

fn row(payload: &[u8], columns: &[Column]) -> Vec<Range<usize>> {
    let place = |rest: &[u8], value: &[u8]| {
        let end = payload.len() - rest.len();
        end - value.len()..end
    };
    let (mut fields, mut texts) = (Fields(payload), Vec::new());
    let are_texts = columns.iter().all(|_| match fields.cell() {
        Some(Cell::Value(value)) => {
            texts.push(place(fields.0, value));
            true
        }
        Some(Cell::Null) => true,
        None => false,
    });
    if are_texts && fields.0.is_empty() {
        return texts;
    }
    let mut fields = Fields(payload);
    let nulls = fields.u8().and_then(|_| fields.take((columns.len() + 9) / 8)).unwrap_or_default();
    let mut values = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let is_null = nulls.get((index + 2) / 8).is_some_and(|byte| byte & (1 << ((index + 2) % 8)) != 0);
        let value = match is_counted(column.kind) {
            _ if is_null => continue,
            Some(n_bytes) => fields.take(n_bytes),
            None => fields.bytes(),
        };
        match value {
            // A time or a date has its own inner lengths.
            Some(value) if is_counted(column.kind).is_some() || !column.kind.is_time() => {
                values.push(place(fields.0, value));
            }
            Some(_) => {}
            None => break,
        }
    }
    values
}

//! How far a reply has come: which packet is what, and which one ends it.
//!
//! ```text
//! OK │ ERR │ file name ▶ (data) ▶ OK                          what changes, or was refused
//! count, column…, [EOF], row…, EOF│OK                         a result; more of them may follow
//! OK, parameter…, [EOF], column…, [EOF]                       a statement that was prepared
//! ```

use super::packets::{FULL, Fields, Packet, can, status};
use crate::conversation::Surprise;

/// What was asked, as far as the form of the reply depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows in texts.
    Query,
    /// Rows in binary form.
    Execute,
    /// More rows of a cursor.
    Fetch,
    Prepare,
    /// Exactly one packet.
    One,
    /// Columns up to an end.
    FieldList,
    /// A log-in: the server may ask for more.
    LogIn,
}

/// What a packet of a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Ok,
    Error,
    /// How far a long statement has come.
    Progress,
    /// The server asks for more of the client: a file's content, another proof.
    Asks,
    Count,
    Column,
    /// The end of columns, or of rows.
    End,
    Row,
    Prepared {
        id: u32,
    },
    /// Anything else that stands alone.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    First,
    Columns(u64),
    ColumnsEnd,
    Rows,
    Parameters { n_left: u16, n_columns: u16 },
    ParametersEnd { n_columns: u16 },
    Prepared(u16),
    PreparedEnd,
}

/// One reply.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) kind: Kind,
    stage: Stage,
    can: u64,
    /// The server's status, as last said.
    pub(super) status: u16,
}

impl Walk {
    pub(super) fn new(kind: Kind, can: u64, status: u16) -> Self {
        let stage = if kind == Kind::Fetch { Stage::Rows } else { Stage::First };
        Self { kind, stage, can, status }
    }

    /// The next packet: what it is, and whether the reply ends with it.
    pub(super) fn step(&mut self, packet: &Packet<'_>) -> Result<(What, bool), Surprise> {
        if packet.first == 0xff && packet.length >= 3 && !matches!(self.stage, Stage::Columns(_)) {
            let is_progress =
                self.can & can::PROGRESS != 0 && packet.payload.get(1..3) == Some(&[0xff, 0xff]);
            return Ok(if is_progress { (What::Progress, false) } else { (What::Error, true) });
        }
        match self.stage {
            Stage::First => self.first(packet),
            Stage::Columns(n_left) => {
                self.stage = match n_left {
                    0 | 1 if self.has_eof() => Stage::ColumnsEnd,
                    0 | 1 => Stage::Rows,
                    n_left => Stage::Columns(n_left - 1),
                };
                Ok((What::Column, false))
            }
            Stage::ColumnsEnd => {
                let ends = self.end(packet)?;
                // With a cursor the rows are fetched later.
                let has_cursor = self.kind == Kind::Execute && self.status & status::CURSOR != 0;
                if !has_cursor {
                    self.stage = Stage::Rows;
                }
                Ok((What::End, has_cursor && ends))
            }
            Stage::Rows => {
                let is_end = packet.first == 0xfe && packet.length < if self.has_eof() { 9 } else { FULL };
                if !is_end {
                    let what = if self.kind == Kind::FieldList { What::Column } else { What::Row };
                    return Ok((what, false));
                }
                let ends = self.end(packet)?;
                self.stage = Stage::First;
                Ok((What::End, ends))
            }
            Stage::Parameters { n_left, n_columns } => {
                self.stage = match n_left {
                    0 | 1 if self.has_eof() => Stage::ParametersEnd { n_columns },
                    0 | 1 => Stage::Prepared(n_columns),
                    n_left => Stage::Parameters { n_left: n_left - 1, n_columns },
                };
                Ok((What::Other, self.stage == Stage::Prepared(0)))
            }
            Stage::ParametersEnd { n_columns } => {
                self.stage = Stage::Prepared(n_columns);
                Ok((What::End, n_columns == 0))
            }
            Stage::Prepared(n_left) => {
                self.stage = match n_left {
                    0 | 1 => Stage::PreparedEnd,
                    n_left => Stage::Prepared(n_left - 1),
                };
                Ok((What::Column, self.stage == Stage::PreparedEnd && !self.has_eof()))
            }
            Stage::PreparedEnd => Ok((What::End, true)),
        }
    }

    fn has_eof(&self) -> bool {
        self.can & can::DEPRECATE_EOF == 0
    }

    fn first(&mut self, packet: &Packet<'_>) -> Result<(What, bool), Surprise> {
        match (self.kind, packet.first) {
            (Kind::LogIn | Kind::One, 0) => {
                self.ok(packet);
                Ok((What::Ok, true))
            }
            (Kind::LogIn, _) | (Kind::Query, 0xfb) => Ok((What::Asks, false)),
            (Kind::One, _) => Ok((What::Other, true)),
            (Kind::Prepare, 0) => self.prepared(packet),
            (Kind::FieldList, _) => {
                self.stage = Stage::Rows;
                self.step(packet)
            }
            (Kind::Query | Kind::Execute, 0) if packet.length >= 7 => {
                self.ok(packet);
                Ok((What::Ok, self.status & status::MORE_RESULTS == 0))
            }
            (Kind::Query | Kind::Execute, 0xfe) if packet.length < 9 => Ok((What::End, self.end(packet)?)),
            (Kind::Query | Kind::Execute, 1..) => self.count(packet),
            _ => Err(Surprise::new("a reply that does not fit what was asked")),
        }
    }

    fn count(&mut self, packet: &Packet<'_>) -> Result<(What, bool), Surprise> {
        let mut fields = Fields(packet.payload);
        let mut has_columns = true;
        if self.can & can::OPTIONAL_METADATA != 0 {
            has_columns = fields.u8() != Some(0);
        }
        let n_columns = fields.length().filter(|n_columns| *n_columns > 0 && *n_columns < 1 << 16);
        let n_columns = n_columns.ok_or_else(|| Surprise::new("a result without columns"))?;
        if self.can & can::CACHE_METADATA != 0 {
            has_columns = fields.u8() != Some(0);
        }
        self.stage = match (has_columns, self.has_eof()) {
            (true, _) => Stage::Columns(n_columns),
            (false, true) => Stage::ColumnsEnd,
            (false, false) => Stage::Rows,
        };
        Ok((What::Count, false))
    }

    fn prepared(&mut self, packet: &Packet<'_>) -> Result<(What, bool), Surprise> {
        let mut fields = Fields(packet.payload.get(1..).unwrap_or_default());
        let (id, n_columns, n_parameters) = (fields.u32(), fields.u16(), fields.u16());
        let (Some(id), Some(n_columns), Some(n_parameters)) = (id, n_columns, n_parameters) else {
            return Err(Surprise::new("a prepared statement without its number"));
        };
        let has_columns = self.can & can::OPTIONAL_METADATA == 0 || packet.payload.get(12) != Some(&0);
        let (n_columns, n_parameters) = if has_columns { (n_columns, n_parameters) } else { (0, 0) };
        self.stage = match (n_parameters, n_columns) {
            (0, n_columns) => Stage::Prepared(n_columns),
            (n_left, n_columns) => Stage::Parameters { n_left, n_columns },
        };
        Ok((What::Prepared { id }, n_parameters == 0 && n_columns == 0))
    }

    /// An OK packet says the status.
    fn ok(&mut self, packet: &Packet<'_>) {
        let mut fields = Fields(packet.payload.get(1..).unwrap_or_default());
        let said = fields.length().and_then(|_| fields.length()).and_then(|_| fields.u16());
        self.status = said.unwrap_or(self.status & !status::MORE_RESULTS);
    }

    /// The end of columns or rows says the status, too. Is it the end of the reply?
    fn end(&mut self, packet: &Packet<'_>) -> Result<bool, Surprise> {
        if packet.first != 0xfe {
            return Err(Surprise::new("columns without their end"));
        }
        if self.has_eof() {
            let mut fields = Fields(packet.payload.get(1..).unwrap_or_default());
            let said = fields.u16().and_then(|_| fields.u16());
            self.status = said.unwrap_or(self.status & !status::MORE_RESULTS);
        } else {
            self.ok(packet);
        }
        Ok(self.status & status::MORE_RESULTS == 0)
    }
}

impl Walk {
    pub(super) fn can(&self) -> u64 {
        self.can
    }

    /// Has a result just ended?
    pub(super) fn is_between_results(&self) -> bool {
        self.stage == Stage::First
    }

    /// Has the reply ended with columns, because the rows are fetched?
    pub(super) fn has_cursor(&self) -> bool {
        self.kind == Kind::Execute && self.stage == Stage::ColumnsEnd
    }
}

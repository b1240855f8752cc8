//! Which tables were written to since a moment, read from the server's log of changes: exact, and no trigger, no
//! extension and no statistics are needed for it.
//!
//! ```text
//! segment: | page header | record ......... | record ... ‖ page header | ... rest of it | record | 0000
//! record:  | length, transaction, kind | block headers: which file | (images, data: passed over) |
//! ```
//!
//! Only rows that come, change or go are told. What PostgreSQL does to pages besides (locks, hints, pruning,
//! vacuuming) leaves the rows as they are. Its form has been the same since 9.5 but for the bits of compressed
//! images; whatever surprises us gives nothing, and then tables are compared by content.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// How much of a segment is read at once.
const CHUNK: u64 = 64 * 1024;

/// The size of a page of the log, as all builds have it.
const PAGE: u64 = 8192;

/// The header of a page, and that of a segment's first one.
const SHORT_HEADER: u64 = 24;
const LONG_HEADER: u64 = 40;

const RECORD_HEADER: usize = 24;

/// No header of a record is longer; a longer one is none.
const LONGEST_HEADER: u64 = 64 * 1024;

/// Where the log of changes lies, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    /// The folder `pg_wal`.
    pub(super) folder: PathBuf,
    /// The size of a segment in bytes.
    pub(super) segment: u64,
    /// The history of the server that is written, as eight hexadecimal digits.
    pub(super) timeline: String,
    /// The major version of the server.
    pub(super) major: u32,
}

/// What was written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Files with rows: the number of the database and of the file.
    pub(super) files: BTreeSet<(u32, u32)>,
    /// Databases in which the files of the catalogue itself were exchanged.
    pub(super) remapped: BTreeSet<u32>,
    /// How many records were read.
    pub(super) n_records: u64,
}

/// Walks through the log.
struct Tape<'l> {
    log: &'l Log,
    /// The place of the next byte, never within a page's header once `skip_header` was called.
    at: u64,
    /// The part of a segment that is at hand: where it begins, and its bytes.
    chunk: (u64, Vec<u8>),
    open: Option<(u64, File)>,
}

/// One record as far as it matters.
struct Record {
    start: u64,
    end: u64,
    transaction: u32,
    previous: u64,
    info: u8,
    /// Which part of the server wrote it.
    owner: u8,
    blocks: Vec<Block>,
    /// The first bytes of its main data, where they are needed.
    main: Vec<u8>,
}

struct Block {
    database: u32,
    file: u32,
    fork: u8,
}

/// The parts of the server that write records, by their numbers.
mod owner {
    pub(super) const XLOG: u8 = 0;
    pub(super) const STORAGE: u8 = 2;
    pub(super) const RELMAP: u8 = 7;
    pub(super) const HEAP2: u8 = 9;
    pub(super) const HEAP: u8 = 10;
    pub(super) const GENERIC: u8 = 20;
    pub(super) const FIRST_CUSTOM: u8 = 128;
}

impl Log {
    /// What was written between two ends of records, but for the transactions `own`. Nothing where a part of the log
    /// is gone or not understood. Blocks.
    pub(super) fn read(&self, from: u64, to: u64, own: &BTreeSet<u32>) -> Option<Touched> {
        let mut tape = Tape { log: self, at: from, chunk: (0, Vec::new()), open: None };
        let mut touched = Touched::default();
        let mut previous = None;
        loop {
            tape.align();
            if tape.at >= to {
                return Some(touched);
            }
            let record = tape.record()?;
            if previous.is_some_and(|previous| previous != record.previous) {
                return None;
            }
            previous = Some(record.start);
            touched.n_records += 1;
            if !own.contains(&record.transaction) {
                record.note(&mut touched);
            }
            tape.at = if record.is_switch() { self.next_segment(record.start) } else { record.end };
        }
    }

    fn next_segment(&self, at: u64) -> u64 {
        (at / self.segment + 1) * self.segment
    }

    fn path(&self, number: u64) -> PathBuf {
        let per_id = 0x1_0000_0000 / self.segment;
        self.folder.join(format!("{}{:08X}{:08X}", self.timeline, number / per_id, number % per_id))
    }
}

impl Record {
    fn is_switch(&self) -> bool {
        self.owner == owner::XLOG && self.info & 0xf0 == 0x40
    }

    /// Does it change rows of the blocks it names?
    fn changes_rows(&self) -> bool {
        match self.owner {
            // Insert, delete, update, update on the same page, confirm; not truncate (whose tables get new files),
            // lock, nor what is written in place (statistics of a table).
            owner::HEAP => matches!(self.info & 0x70, 0x00 | 0x10 | 0x20 | 0x40 | 0x50),
            // Several rows at once; not pruning, freezing and the like.
            owner::HEAP2 => self.info & 0x70 == 0x50,
            // Whole pages, but not those written because of a hint.
            owner::XLOG => self.info & 0xf0 == 0xb0,
            other => other == owner::GENERIC || other >= owner::FIRST_CUSTOM,
        }
    }

    fn note(&self, touched: &mut Touched) {
        if self.changes_rows() {
            let rows = self.blocks.iter().filter(|block| block.fork == 0);
            touched.files.extend(rows.map(|block| (block.database, block.file)));
        }
        let number = |at: usize| Some(u32::from_le_bytes(self.main.get(at..at + 4)?.try_into().ok()?));
        match self.owner {
            // A table was emptied in the transaction that made it; a vacuum, which has none, only gives pages back.
            owner::STORAGE if self.info & 0xf0 == 0x20 && self.transaction != 0 => {
                touched.files.extend(number(8).zip(number(12)));
            }
            owner::RELMAP => touched.remapped.extend(number(0)),
            _ => {}
        }
    }
}

impl Tape<'_> {
    /// Records begin at multiples of eight, after the header of a page.
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
        self.skip_header();
    }

    fn skip_header(&mut self) {
        if self.at.is_multiple_of(PAGE) {
            self.at += if self.at.is_multiple_of(self.log.segment) { LONG_HEADER } else { SHORT_HEADER };
        }
    }

    fn record(&mut self) -> Option<Record> {
        let start = self.at;
        let head = self.take(RECORD_HEADER)?;
        let total = u64::from(u32_at(&head, 0)?);
        let body = total.checked_sub(RECORD_HEADER as u64)?;
        let mut record = Record {
            start,
            end: after(self.at, body, self.log.segment),
            transaction: u32_at(&head, 4)?,
            previous: u64::from_le_bytes(head.get(8..16)?.try_into().ok()?),
            info: head[16],
            owner: head[17],
            blocks: Vec::new(),
            main: Vec::new(),
        };
        if record.changes_rows() || matches!(record.owner, owner::STORAGE | owner::RELMAP) {
            self.headers(body, &mut record)?;
        }
        Some(record)
    }

    /// Reads which blocks a record is about, and the beginning of its main data.
    fn headers(&mut self, body: u64, record: &mut Record) -> Option<()> {
        // Headers and data together are `body` bytes; headers end where the rest is all data.
        let (mut headers, mut data, mut main) = (0_u64, 0_u64, 0_u64);
        let mut last = None;
        while headers + data + main < body {
            let id = self.take(1)?[0];
            headers += 1;
            headers += match id {
                0..=32 => {
                    let (size, payload) = self.block(record, &mut last)?;
                    data += payload;
                    size
                }
                // The main data, short or long, the origin, and the transaction above.
                255 => self.length(1, &mut main)?,
                254 => self.length(4, &mut main)?,
                253 => self.take(2).map(|_| 2)?,
                252 => self.take(4).map(|_| 4)?,
                _ => return None,
            };
            if headers > LONGEST_HEADER {
                return None;
            }
        }
        if headers + data + main != body {
            return None;
        }
        self.at = after(self.at, data, self.log.segment);
        record.main = self.take(usize::try_from(main.min(24)).ok()?)?;
        Some(())
    }

    fn length(&mut self, n_bytes: usize, main: &mut u64) -> Option<u64> {
        let mut number = [0; 8];
        number[..n_bytes].copy_from_slice(&self.take(n_bytes)?);
        *main = u64::from_le_bytes(number);
        Some(n_bytes as u64)
    }

    /// One block's header after its number: how long it was, and how much data belongs to it.
    fn block(&mut self, record: &mut Record, last: &mut Option<(u32, u32)>) -> Option<(u64, u64)> {
        let head = self.take(3)?;
        let mut size = 3;
        let flags = head[0];
        let mut payload = u64::from(u16_at(&head, 1)?);
        if flags & 0x10 != 0 {
            let image = self.take(5)?;
            size += 5;
            payload += u64::from(u16_at(&image, 0)?);
            let compressed = if self.log.major >= 15 { 0x1c } else { 0x02 };
            if image[4] & 0x01 != 0 && image[4] & compressed != 0 {
                self.take(2)?;
                size += 2;
            }
        }
        if flags & 0x80 == 0 {
            let file = self.take(12)?;
            size += 12;
            *last = Some((u32_at(&file, 4)?, u32_at(&file, 8)?));
        }
        self.take(4)?;
        let (database, file) = (*last)?;
        record.blocks.push(Block { database, file, fork: flags & 0x0f });
        Some((size + 4, payload))
    }

    /// The next bytes, across the headers of pages.
    fn take(&mut self, n_bytes: usize) -> Option<Vec<u8>> {
        let mut taken = Vec::with_capacity(n_bytes);
        while taken.len() < n_bytes {
            if self.at.is_multiple_of(PAGE) {
                self.check_page()?;
                self.skip_header();
            }
            let left_on_page = PAGE - self.at % PAGE;
            let n = left_on_page.min((n_bytes - taken.len()) as u64);
            let at = self.at;
            taken.extend_from_slice(self.bytes(at, n)?);
            self.at += n;
        }
        Some(taken)
    }

    /// A page that we come to within a record says that it goes on with one.
    fn check_page(&mut self) -> Option<()> {
        const GOES_ON: u16 = 1;
        let flags = u16_at(self.bytes(self.at, 4)?, 2)?;
        (flags & GOES_ON != 0).then_some(())
    }

    /// Bytes of one page.
    fn bytes(&mut self, at: u64, n: u64) -> Option<&[u8]> {
        let (begin, known) = &self.chunk;
        if at < *begin || at + n > begin + known.len() as u64 {
            self.load(at)?;
        }
        let (begin, bytes) = &self.chunk;
        let offset = |at: u64| usize::try_from(at - begin).ok();
        // Segments are used again, and then hold what was written long ago.
        let page = at - at % PAGE;
        let address = bytes.get(offset(page)? + 8..offset(page)? + 16)?;
        if u64::from_le_bytes(address.try_into().ok()?) != page {
            return None;
        }
        bytes.get(offset(at)?..offset(at + n)?)
    }

    fn load(&mut self, at: u64) -> Option<()> {
        let number = at / self.log.segment;
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.open = Some((number, File::open(self.log.path(number)).ok()?));
        }
        let (_, file) = self.open.as_ref()?;
        let size = CHUNK.min(self.log.segment);
        let begin = at - at % size;
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        file.read_exact_at(&mut bytes, begin % self.log.segment).ok()?;
        self.chunk = (begin, bytes);
        Some(())
    }
}

/// The place that is `n` bytes of content after another one.
fn after(mut at: u64, mut n: u64, segment: u64) -> u64 {
    while n > 0 {
        if at.is_multiple_of(PAGE) {
            at += if at.is_multiple_of(segment) { LONG_HEADER } else { SHORT_HEADER };
        }
        let step = (PAGE - at % PAGE).min(n);
        at += step;
        n -= step;
    }
    at
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// `0/D599F0` as a number.
pub(super) fn place(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of a heap with one block, and what its owner and info say.
    fn record(previous: u64, owner: u8, info: u8, file: u32, payload: usize) -> Vec<u8> {
        let mut body = vec![0, 0x20];
        body.extend(u16::try_from(payload).unwrap().to_le_bytes());
        for number in [1663, 5, file, 7] {
            body.extend(u32::to_le_bytes(number));
        }
        body.extend([255, 3]);
        body.extend(vec![9; payload]);
        body.extend([1, 2, 3]);
        let mut record = Vec::new();
        record.extend(u32::try_from(24 + body.len()).unwrap().to_le_bytes());
        record.extend(77_u32.to_le_bytes());
        record.extend(previous.to_le_bytes());
        record.extend([info, owner, 0, 0, 0, 0, 0, 0]);
        record.extend(body);
        record
    }

    /// Two segments of 16 KiB with records one after the other; the ends of all of them.
    fn write(folder: &std::path::Path, records: &[(u8, u8, u32, usize)]) -> (Log, Vec<u64>) {
        let log =
            Log { folder: folder.to_owned(), segment: 16384, timeline: "00000001".to_owned(), major: 15 };
        let mut bytes = vec![0; 2 * 16384];
        for page in 0..4_u64 {
            let at = usize::try_from(page * PAGE).unwrap();
            bytes[at + 2] = u8::from(page > 0);
            bytes[at + 8..at + 16].copy_from_slice(&(page * PAGE).to_le_bytes());
        }
        let (mut at, mut previous, mut ends) = (LONG_HEADER, 0, Vec::new());
        for (owner, info, file, payload) in records {
            at = at.next_multiple_of(8);
            if at.is_multiple_of(PAGE) {
                at = after(at, 1, log.segment) - 1;
            }
            let start = at;
            for byte in record(previous, *owner, *info, *file, *payload) {
                let next = after(at, 1, log.segment);
                bytes[usize::try_from(next).unwrap() - 1] = byte;
                at = next;
            }
            previous = start;
            ends.push(at);
        }
        for number in 0..2 {
            std::fs::write(log.path(number), &bytes[usize::try_from(number).unwrap() * 16384..][..16384])
                .unwrap();
        }
        (log, ends)
    }

    #[test]
    fn rows_that_change_are_told_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let records = [
            (owner::HEAP, 0x00, 1, 100),
            (owner::HEAP, 0x60, 2, 10),
            (owner::HEAP, 0x70, 3, 10),
            (owner::HEAP2, 0x10, 4, 10),
            (owner::HEAP2, 0xd0, 5, 9000),
            (11, 0x00, 6, 10),
            (15, 0x00, 7, 10),
            (owner::XLOG, 0xa0, 8, 8100),
            (owner::XLOG, 0xb0, 9, 8000),
            (owner::HEAP, 0xc0, 10, 5),
            (200, 0x00, 11, 5),
        ];
        let (log, ends) = write(folder.path(), &records);
        let last = *ends.last().unwrap();
        let files = |touched: Touched| touched.files.iter().map(|(_, file)| *file).collect::<Vec<_>>();
        let nobody = BTreeSet::new();
        assert_eq!(files(log.read(0, last, &nobody).unwrap()), [1, 5, 9, 10, 11]);
        assert_eq!(files(log.read(ends[0], ends[8], &nobody).unwrap()), [5, 9]);
        assert!(files(log.read(0, last, &BTreeSet::from([77])).unwrap()).is_empty());
        assert_eq!(log.read(last, last, &nobody), Some(Touched::default()));
    }

    #[test]
    fn what_is_damaged_or_gone_gives_nothing_and_never_ends_badly() {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<_> = (0..40).map(|n| (owner::HEAP, 0x00, n, 500)).collect();
        let (log, ends) = write(folder.path(), &records);
        let nobody = BTreeSet::new();
        let last = *ends.last().unwrap();
        assert!(log.read(0, last, &nobody).is_some());
        let whole = std::fs::read(log.path(0)).unwrap();
        let mut n_noticed = 0;
        for at in 40..700 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            std::fs::write(log.path(0), damaged).unwrap();
            n_noticed += usize::from(log.read(0, last, &nobody).is_none());
        }
        assert!(n_noticed > 20, "{n_noticed}");
        std::fs::write(log.path(0), &whole[..9000]).unwrap();
        assert_eq!(log.read(0, last, &nobody), None);
        std::fs::write(log.path(0), &whole).unwrap();
        std::fs::remove_file(log.path(1)).unwrap();
        assert_eq!(log.read(0, last, &nobody), None);
        assert!(log.read(0, ends[3], &nobody).is_some());
    }

    #[test]
    fn places_are_read() {
        assert_eq!(place("1/D599F0"), Some(0x1_00D5_99F0));
        assert_eq!(place("x"), None);
    }
}

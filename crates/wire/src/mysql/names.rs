//! MySQL's types by the names that SQL has for them, as an answer's `columns` say them: `id bigint unsigned`,
//! `price decimal(2)`. In brackets stand the digits behind the point: how long a value may be at most is not said.

use super::reading::Column;
use super::value::{BINARY, Type, UTF8, kinds};

/// Types by their numbers, with the name that they have where they hold bytes and not text.
const NAMES: &[(u8, &str, &str)] = &[
    (kinds::TINY, "tinyint", "tinyint"),
    (kinds::SHORT, "smallint", "smallint"),
    (kinds::LONG, "int", "int"),
    (kinds::FLOAT, "float", "float"),
    (kinds::DOUBLE, "double", "double"),
    (kinds::NULL, "null", "null"),
    (kinds::TIMESTAMP, "timestamp", "timestamp"),
    (kinds::LONGLONG, "bigint", "bigint"),
    (kinds::INT24, "mediumint", "mediumint"),
    (kinds::DATE, "date", "date"),
    (kinds::TIME, "time", "time"),
    (kinds::DATETIME, "datetime", "datetime"),
    (kinds::YEAR, "year", "year"),
    (kinds::BIT, "bit", "bit"),
    (kinds::JSON, "json", "json"),
    (kinds::DECIMAL, "decimal", "decimal"),
    (kinds::VAR_STRING, "varchar", "varbinary"),
    (kinds::BLOB, "text", "blob"),
    (247, "enum", "enum"),
    (248, "set", "set"),
    (249, "tinytext", "tinyblob"),
    (250, "mediumtext", "mediumblob"),
    (251, "longtext", "longblob"),
    (254, "char", "binary"),
    (255, "geometry", "geometry"),
    // Those of old servers.
    (0, "decimal", "decimal"),
    (14, "date", "date"),
    (15, "varchar", "varbinary"),
];

/// As many decimals as the value has.
const ANY_DECIMALS: u8 = 31;

/// A column with its type: `price decimal(2)`.
pub(super) fn said(column: &Column) -> String {
    let Type { kind, is_unsigned, charset, decimals } = column.kind;
    let known = NAMES.iter().find(|(own, ..)| *own == kind);
    let name = known.map_or_else(
        || kind.to_string(),
        |(_, text, bytes)| if charset == BINARY { *bytes } else { *text }.to_owned(),
    );
    let digits = match kind {
        kinds::FLOAT | kinds::DOUBLE if decimals >= ANY_DECIMALS => String::new(),
        kinds::FLOAT | kinds::DOUBLE => format!("({decimals})"),
        _ if has_decimals(kind) && (1..ANY_DECIMALS).contains(&decimals) => format!("({decimals})"),
        _ => String::new(),
    };
    let unsigned = if is_unsigned && is_integer(kind) { " unsigned" } else { "" };
    format!("{} {name}{digits}{unsigned}", column.name)
}

/// Reads such a column.
pub(super) fn read(text: &str) -> Option<Column> {
    let (text, is_unsigned) = match text.strip_suffix(" unsigned") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (name, kind) = text.rsplit_once(' ')?;
    let (kind, digits) = match kind.strip_suffix(')').and_then(|kind| kind.split_once('(')) {
        Some((kind, digits)) => (kind, Some(digits.parse::<u8>().ok()?)),
        None => (kind, None),
    };
    let known = NAMES.iter().find(|(_, text, bytes)| *text == kind || *bytes == kind);
    let (number, is_text) = match known {
        Some((number, text, bytes)) => (*number, text != bytes && *text == kind),
        None => (kind.parse().ok()?, false),
    };
    // What is listed from many and JSON have letters, too.
    let is_text = is_text || matches!(number, 247 | 248);
    let usual = if matches!(number, kinds::FLOAT | kinds::DOUBLE) { ANY_DECIMALS } else { 0 };
    let kind = Type {
        kind: number,
        is_unsigned,
        charset: if is_text { UTF8 } else { BINARY },
        decimals: digits.unwrap_or(usual),
    };
    Some(Column { name: name.to_owned(), kind })
}

fn has_decimals(kind: u8) -> bool {
    matches!(kind, 0 | kinds::DECIMAL | kinds::TIMESTAMP | kinds::TIME | kinds::DATETIME)
}

fn is_integer(kind: u8) -> bool {
    use kinds::{INT24, LONG, LONGLONG, SHORT, TINY};
    matches!(kind, TINY | SHORT | LONG | LONGLONG | INT24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in [
            "id bigint unsigned",
            "n int",
            "price decimal(2)",
            "ratio double",
            "at datetime(6)",
            "of text",
            "a name blob",
            "kind enum",
            "x varchar",
            "y varbinary",
        ] {
            assert_eq!(read(text).map(|column| said(&column)).as_deref(), Some(text));
        }
        assert!(["id", "id mood", "id int(x)"].iter().all(|text| read(text).is_none()));
    }
}

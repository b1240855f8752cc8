//! PostgreSQL's types by their names, as an answer's `columns` say them: `int4`, `timestamptz`, `text[]`.
//!
//! A type that only one database has (an enum, one of an extension) is said by its number, as text: nobody else knows
//! it, and drivers take its values for texts.

use super::value::{element_kind, kinds};

/// Types of single values.
const NAMES: &[(u32, &str)] = &[
    (kinds::BOOL, "bool"),
    (kinds::BYTEA, "bytea"),
    (kinds::CHAR, "char"),
    (kinds::NAME, "name"),
    (kinds::INT8, "int8"),
    (kinds::INT2, "int2"),
    (kinds::INT4, "int4"),
    (kinds::TEXT, "text"),
    (kinds::OID, "oid"),
    (kinds::JSON, "json"),
    (kinds::XML, "xml"),
    (kinds::CIDR, "cidr"),
    (kinds::FLOAT4, "float4"),
    (kinds::FLOAT8, "float8"),
    (kinds::UNKNOWN, "unknown"),
    (kinds::MONEY, "money"),
    (kinds::INET, "inet"),
    (kinds::BPCHAR, "bpchar"),
    (kinds::VARCHAR, "varchar"),
    (kinds::DATE, "date"),
    (kinds::TIME, "time"),
    (kinds::TIMESTAMP, "timestamp"),
    (kinds::TIMESTAMPTZ, "timestamptz"),
    (kinds::INTERVAL, "interval"),
    (kinds::TIMETZ, "timetz"),
    (kinds::NUMERIC, "numeric"),
    (kinds::UUID, "uuid"),
    (kinds::JSONB, "jsonb"),
];

/// What people write for them in SQL.
const OTHERS: &[(&str, u32)] = &[
    ("boolean", kinds::BOOL),
    ("smallint", kinds::INT2),
    ("int", kinds::INT4),
    ("integer", kinds::INT4),
    ("bigint", kinds::INT8),
    ("real", kinds::FLOAT4),
    ("double", kinds::FLOAT8),
    ("decimal", kinds::NUMERIC),
];

/// The highest number of a type that every server has.
const LAST_ARRAY: u32 = 3807;

/// The name of a type.
pub(super) fn name_of(kind: u32) -> String {
    let single = |kind: u32| NAMES.iter().find(|(own, _)| *own == kind).map(|(_, name)| (*name).to_owned());
    let array = || element_kind(kind).and_then(single).map(|name| name + "[]");
    single(kind).or_else(array).unwrap_or_else(|| kind.to_string())
}

/// The type of a name, or of a number.
pub(super) fn kind_named(name: &str) -> Option<u32> {
    if let Some(element) = name.strip_suffix("[]") {
        let element = kind_named(element)?;
        return (1..=LAST_ARRAY).find(|array| element_kind(*array) == Some(element));
    }
    let known = NAMES.iter().find(|(_, own)| *own == name).map(|(kind, _)| *kind);
    let other = || OTHERS.iter().find(|(own, _)| *own == name).map(|(_, kind)| *kind);
    known.or_else(other).or_else(|| name.parse().ok().filter(|number| *number > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (kind, name) in
            [(23, "int4"), (1007, "int4[]"), (3807, "jsonb[]"), (16_400, "16400"), (705, "unknown")]
        {
            assert_eq!((name_of(kind).as_str(), kind_named(name)), (name, Some(kind)));
        }
        assert_eq!((kind_named("bigint"), kind_named("mood"), kind_named("mood[]")), (Some(20), None, None));
    }
}

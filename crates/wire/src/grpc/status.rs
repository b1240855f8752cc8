//! gRPC's statuses by name and number, and the writing of their messages.

/// The names, by number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a number as it was sent; a number that has none stays one.
pub(super) fn name(number: &str) -> &str {
    number.parse::<usize>().ok().and_then(|number| NAMES.get(number).copied()).unwrap_or(number)
}

/// The number of a name, or of a number; what HTTP would say is translated as gRPC's clients do. None where there is no
/// such status.
pub(super) fn number(name: &str) -> Option<u32> {
    let place = NAMES.iter().position(|other| other.eq_ignore_ascii_case(name));
    match place.and_then(|place| u32::try_from(place).ok()).or_else(|| name.parse().ok())? {
        200 => Some(0),
        400 => Some(13),
        401 => Some(16),
        403 => Some(7),
        404 => Some(12),
        429 | 502 | 503 | 504 => Some(14),
        100..600 => Some(2),
        number => Some(number),
    }
}

/// A message as it was sent, decoded.
pub(super) fn read_message(sent: &str) -> String {
    percent_encoding::percent_decode_str(sent).decode_utf8_lossy().into_owned()
}

/// A message as it is sent: what is not printable ASCII stands as `%XX`.
pub(super) fn write_message(message: &str) -> String {
    const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%');
    percent_encoding::utf8_percent_encode(message, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, written, expect) in [("14", "UNAVAILABLE", 14), ("0", "OK", 0), ("77", "77", 77)] {
            assert_eq!(name(text), written);
            assert_eq!(number(written), Some(expect));
        }
        assert_eq!(number("unavailable"), Some(14));
        assert_eq!(number("NOPE"), None);
        assert_eq!(number("503"), number("UNAVAILABLE"));
    }

    #[test]
    fn messages() {
        for message in ["no copy left", "100% é\n", ""] {
            assert!(write_message(message).bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            assert_eq!(read_message(&write_message(message)), message);
        }
    }
}

//! Settings come from the environment; what is missing or misspelt ends the program before it serves anyone.

use std::time::Duration;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable is not set, or empty.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The variable holds something else than it should.
    #[error("{name} is {value:?}, which is not {wanted}")]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
}

/// A setting without which the program cannot work.
pub fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}

/// A setting that has a default.
pub fn text(name: &'static str, default: &str) -> String {
    required(name).unwrap_or_else(|_| default.to_owned())
}

/// A whole number.
pub fn number(name: &'static str, default: i64) -> Result<i64, ConfigError> {
    let Ok(value) = required(name) else {
        return Ok(default);
    };
    value.parse().map_err(|_| ConfigError::Unreadable { name, value, wanted: "a whole number" })
}

/// A time span with its unit, such as `2s` or `1500ms`.
pub fn duration(name: &'static str, default: Duration) -> Result<Duration, ConfigError> {
    let Ok(value) = required(name) else {
        return Ok(default);
    };
    span(&value).ok_or(ConfigError::Unreadable { name, value, wanted: "a time such as 2s or 1500ms" })
}

/// Reads a time span with its unit.
pub fn span(value: &str) -> Option<Duration> {
    if let Some(digits) = value.strip_suffix("ms") {
        return digits.parse().ok().map(Duration::from_millis);
    }
    value.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::span;
    use std::time::Duration;

    #[test]
    fn spans_need_a_unit() {
        let table = [
            ("2s", Some(Duration::from_secs(2))),
            ("1500ms", Some(Duration::from_millis(1500))),
            ("2", None),
            ("s", None),
            ("-1s", None),
        ];
        for (written, expected) in table {
            assert_eq!(span(written), expected, "{written}");
        }
    }
}

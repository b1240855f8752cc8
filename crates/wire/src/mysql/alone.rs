//! What a MySQL server says by itself, for a stub behind which there is none: greeting, log-in, settings, transactions.

use super::packets::{can, put_packet, status};
use super::request::LogIn;
use super::saying::ok;
use super::text;
use seam_value::{Map, Value};

/// All that a server behind which there is none can do.
pub(super) const CAN: u64 = 0x1
    | 0x2
    | 0x4
    | can::CONNECT_WITH_DB
    | can::PROTOCOL_41
    | 0x2000
    | 0x8000
    | 0x1_0000
    | 0x2_0000
    | 0x4_0000
    | can::PLUGIN_AUTH
    | 0x10_0000
    | can::AUTH_WITH_LENGTH
    | can::DEPRECATE_EOF;

const VERSION: &str = "8.0.36";
const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";
const SCRAMBLE: &[u8; 21] = b"seamworkseamworkseam\0";

/// The status of a fresh session.
pub(super) const FRESH: u16 = status::AUTOCOMMIT;

/// The server's first words.
pub(super) fn greeting() -> Vec<u8> {
    let can = CAN.to_le_bytes();
    let mut payload = vec![10];
    payload.extend_from_slice(VERSION.as_bytes());
    payload.push(0);
    payload.extend_from_slice(&1_u32.to_le_bytes());
    payload.extend_from_slice(&SCRAMBLE[..8]);
    payload.push(0);
    payload.extend_from_slice(&can[..2]);
    payload.push(45);
    payload.extend_from_slice(&FRESH.to_le_bytes());
    payload.extend_from_slice(&can[2..4]);
    payload.push(21);
    payload.extend_from_slice(&[0; 10]);
    payload.extend_from_slice(&SCRAMBLE[8..]);
    payload.extend_from_slice(NATIVE.as_bytes());
    payload.push(0);
    let mut out = Vec::new();
    put_packet(&mut out, &mut 0, &payload);
    out
}

/// What is said to a log-in, and whether that is all.
pub(super) fn welcome(log_in: &LogIn, mut seq: u8) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    match log_in.plugin.as_deref() {
        None | Some(NATIVE | "") => {
            put_packet(&mut out, &mut seq, &ok(0, (0, 0), FRESH, 0));
            (out, true)
        }
        Some(plugin) => {
            // It would like to prove itself in another way: in its own where that can be waved through.
            let plugin = if plugin == CACHING { CACHING } else { NATIVE };
            let switch = [&[0xfe], plugin.as_bytes(), &[0], SCRAMBLE].concat();
            put_packet(&mut out, &mut seq, &switch);
            (out, false)
        }
    }
}

/// What is said to the proof that was asked for.
pub(super) fn believe(log_in: &LogIn, proof: &[u8], mut seq: u8) -> Vec<u8> {
    let mut out = Vec::new();
    if log_in.plugin.as_deref() == Some(CACHING) && proof.len() > 1 {
        put_packet(&mut out, &mut seq, &[1, 3]);
    }
    put_packet(&mut out, &mut seq, &ok(0, (0, 0), FRESH, 0));
    out
}

/// What is said to a statement that no stub is asked about, as the fields of an answer, and the status then; none where
/// it is the stub's.
pub(super) fn statement(sql: &str, now: u16) -> Option<(Value, u16)> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let mut words = sql.split_ascii_whitespace().map(str::to_ascii_uppercase);
    let (first, second) = (words.next()?, words.next().unwrap_or_default());
    let done = |status: u16| Some((Value::map([("affected", Value::from(0_u64))]), status));
    match (first.as_str(), second.as_str()) {
        ("BEGIN", _) | ("START", "TRANSACTION") => done(now | status::IN_TRANSACTION),
        ("COMMIT" | "ROLLBACK", _) if second != "TO" => done(now & !status::IN_TRANSACTION),
        ("SET", _) => {
            let compact: String = sql.to_ascii_lowercase().split_ascii_whitespace().collect();
            let is_off = ["autocommit=0", "autocommit=off", "autocommit=false"]
                .iter()
                .any(|off| compact.contains(off));
            let is_on =
                ["autocommit=1", "autocommit=on", "autocommit=true"].iter().any(|on| compact.contains(on));
            done(match (is_off, is_on) {
                (true, _) => now & !status::AUTOCOMMIT,
                (_, true) => now | status::AUTOCOMMIT,
                _ => now,
            })
        }
        ("ROLLBACK" | "SAVEPOINT" | "RELEASE" | "USE", _) => done(now),
        ("SHOW", "WARNINGS" | "VARIABLES" | "SESSION" | "COLLATION") => {
            Some((Value::map([("rows", Value::List(Vec::new()))]), now))
        }
        ("SELECT", _) => {
            variables(sql, now).map(|row| (Value::map([("rows", Value::List(vec![Value::Map(row)]))]), now))
        }
        _ => None,
    }
}

/// The row of `SELECT @@a, @@session.b AS c`, and of `SELECT VERSION()`; none where something else is selected.
fn variables(sql: &str, now: u16) -> Option<Map> {
    let mut row = Map::default();
    // What drivers ask for is commented by some.
    let list = sql.get(6..)?.trim();
    let list = match list.strip_prefix("/*") {
        Some(rest) => rest.split_once("*/")?.1.trim(),
        None => list,
    };
    let lower = list.to_ascii_lowercase();
    let list = lower.rfind(" limit ").map_or(list, |end| &list[..end]);
    for item in list.split(',') {
        let item = item.trim();
        let mut words = item.split_ascii_whitespace();
        let what = words.next()?;
        let name = match (words.next(), words.next(), words.next()) {
            (None, ..) => what,
            (Some(r#as), Some(name), None) if r#as.eq_ignore_ascii_case("as") => name,
            (Some(name), None, _) => name,
            _ => return None,
        };
        let value = match what.strip_prefix("@@") {
            Some(variable) => {
                let variable = variable.rsplit('.').next().unwrap_or(variable);
                setting(&variable.trim_matches('`').to_ascii_lowercase(), now)
            }
            None if what.eq_ignore_ascii_case("version()") => Value::text(VERSION),
            None if what.eq_ignore_ascii_case("connection_id()") => Value::from(1_u64),
            None => return None,
        };
        row.insert(name.trim_matches(['`', '\'', '"']).to_owned(), value);
    }
    Some(row)
}

fn setting(name: &str, now: u16) -> Value {
    match name {
        "version" => Value::text(VERSION),
        "version_comment" => Value::text("Seamwork"),
        "autocommit" => Value::from(u64::from(now & status::AUTOCOMMIT != 0)),
        "max_allowed_packet" => Value::from(64_u64 * 1024 * 1024),
        "net_buffer_length" => Value::from(16_384_u64),
        "wait_timeout" | "interactive_timeout" => Value::from(28_800_u64),
        "net_write_timeout" => Value::from(60_u64),
        "auto_increment_increment" => Value::from(1_u64),
        "tx_isolation" | "transaction_isolation" => Value::text("REPEATABLE-READ"),
        "sql_mode" => Value::text("STRICT_TRANS_TABLES"),
        "time_zone" => Value::text("SYSTEM"),
        "system_time_zone" => Value::text("UTC"),
        "license" => Value::text("GPL"),
        "init_connect" => Value::text(""),
        name if name.starts_with("character_set_") => Value::text("utf8mb4"),
        name if name.starts_with("collation_") => Value::text("utf8mb4_general_ci"),
        _ => Value::from(0_u64),
    }
}

/// How many `?` stand for values: those outside of quotes and comments.
pub(super) fn n_parameters(sql: &str) -> u16 {
    let code = text::pieces(sql).filter(|(is_code, _)| *is_code);
    u16::try_from(code.map(|(_, piece)| piece.matches('?').count()).sum::<usize>()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_values() {
        for (sql, n_places) in [
            ("select ?", 1),
            ("select '?', \"?\", `?`, ? -- ?\n, ?", 2),
            ("select 'it''s ?', '\\'?', /* ? */ ? # ?", 1),
            ("é = ?", 1),
            ("10--? --\t?", 1),
            ("/* /* */ ? /*! ? */", 2),
            ("select '", 0),
        ] {
            assert_eq!(n_parameters(sql), n_places, "{sql}");
        }
    }

    #[test]
    fn what_no_stub_is_asked() {
        for (sql, expect) in [
            ("SET NAMES utf8mb4", Some((r#"{"affected":0}"#, 2))),
            ("SET autocommit = 0", Some((r#"{"affected":0}"#, 0))),
            ("begin", Some((r#"{"affected":0}"#, 3))),
            ("SELECT @@version_comment limit 1", Some((r#"{"rows":[{"@@version_comment":"Seamwork"}]}"#, 2))),
            ("SELECT @@session.autocommit AS a, @@x", Some((r#"{"rows":[{"a":1,"@@x":0}]}"#, 2))),
            ("select * from t", None),
            ("select 1", None),
            ("insert into t values (1)", None),
        ] {
            let said = statement(sql, FRESH).map(|(value, status)| (value.to_string(), status));
            assert_eq!(said, expect.map(|(value, status)| (value.to_owned(), status)), "{sql}");
        }
    }
}

//! Settings that live in the database: `_crdt_pragma(name, value)`.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::Value;
use crate::key::MAX_KEY_BYTES;

/// A setting: its name, its default, and what it counts.
struct Setting {
    name: &'static str,
    default: &'static str,
    unit: Unit,
}

/// What a setting counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Duration,
    Bytes,
    Rows,
    Changes,
    KeyBytes,
}

impl Unit {
    /// What a value looks like.
    fn wants(self) -> &'static str {
        match self {
            Unit::Duration => "a duration such as 500ms, 30s, 5m, 12h, 7d",
            Unit::Bytes => "a number of bytes above 0",
            Unit::Rows => "a number of rows, 0 for none",
            Unit::Changes => "a whole number above 0",
            Unit::KeyBytes => "a number from 1 to 65536",
        }
    }
}

const SETTINGS: &[Setting] = &[
    Setting { name: "tombstone_ttl", default: "7d", unit: Unit::Duration },
    Setting { name: "max_drift", default: "5m", unit: Unit::Duration },
    Setting { name: "page_bytes", default: "67108864", unit: Unit::Bytes },
    Setting { name: "max_value_bytes", default: "67108864", unit: Unit::Bytes },
    Setting { name: "max_key_bytes", default: "65536", unit: Unit::KeyBytes },
    Setting { name: "max_push_changes", default: "1000000", unit: Unit::Changes },
    Setting { name: "conflict_log", default: "10000", unit: Unit::Rows },
];

/// Settings that only tell something.
pub const READ_ONLY: [&str; 3] = ["hlc", "node_id", "format"];

const NANOSECONDS: i64 = 1_000_000_000;

/// Nanoseconds in a duration such as `500ms`, `30s`, `5m`, `12h`, `7d`, or whole seconds without a unit.
pub fn duration(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1_000_000,
        "" | "s" => NANOSECONDS,
        "m" => 60 * NANOSECONDS,
        "h" => 3_600 * NANOSECONDS,
        "d" => 86_400 * NANOSECONDS,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

fn find(name: &str) -> Result<&'static Setting> {
    SETTINGS.iter().find(|s| s.name == name).ok_or_else(|| {
        let known: Vec<&str> = SETTINGS.iter().map(|s| s.name).chain(READ_ONLY).collect();
        Error::caller(format!(
            "crdt_pragma: there is no setting '{}'; there are {}",
            crate::error::excerpt(name),
            known.join(", ")
        ))
    })
}

/// The text of a setting as it stands, or its default.
pub fn text(conn: &Conn, name: &str, installed: bool) -> Result<String> {
    let setting = find(name)?;
    if !installed {
        return Ok(setting.default.to_owned());
    }
    let kept =
        conn.first("SELECT value FROM main._crdt_pragma WHERE name = ?1", &[name.into()], |row| match row.column(0) {
            crate::ffi::ValueRef::Integer(i) => Some(i.to_string()),
            other => other.as_str().map(str::to_owned),
        })?;
    Ok(kept.flatten().unwrap_or_else(|| setting.default.to_owned()))
}

/// A setting in nanoseconds, bytes, rows or changes.
pub fn number(conn: &Conn, name: &str) -> Result<i64> {
    let setting = find(name)?;
    let text = text(conn, name, true)?;
    // What cannot be read was written by hand: the default holds.
    Ok(parse(setting, &text).or_else(|| parse(setting, setting.default)).unwrap_or(0))
}

fn parse(setting: &Setting, text: &str) -> Option<i64> {
    let least = |least: i64| text.parse().ok().filter(|n| *n >= least);
    match setting.unit {
        Unit::Duration => duration(text),
        Unit::Bytes | Unit::Changes => least(1),
        // A longer key is never taken, whatever is set.
        Unit::KeyBytes => least(1).filter(|n| *n <= MAX_KEY_BYTES as i64),
        Unit::Rows => least(0),
    }
}

/// Checks a new value; what is to be stored. An INTEGER is whole seconds, bytes, rows, or changes.
pub fn check(name: &str, value: &Value) -> Result<String> {
    if READ_ONLY.contains(&name) {
        return Err(Error::caller(format!("crdt_pragma: '{name}' can only be read")));
    }
    let setting = find(name)?;
    let text = match value {
        Value::Integer(i) => i.to_string(),
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let want = setting.unit.wants();
    match parse(setting, &text) {
        Some(_) => Ok(text),
        None => {
            Err(Error::caller(format!("crdt_pragma: '{name}' takes {want}, not '{}'", crate::error::excerpt(&text))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Some(500_000_000));
        assert_eq!(duration("90"), Some(90 * NANOSECONDS));
        assert_eq!(duration("7d"), Some(7 * 86_400 * NANOSECONDS));
        for bad in ["", "d", "-1s", "1.5h", "1 h", "5w", "99999999999999d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(check("max_drift", &Value::Integer(30)).ok().as_deref(), Some("30"));
        assert!(check("page_bytes", &Value::Integer(0)).is_err());
        assert!(check("max_key_bytes", &Value::Integer(65_536)).is_ok());
        assert!(check("max_key_bytes", &Value::Integer(65_537)).is_err_and(|e| e.message().contains("65536")));
        assert_eq!(check("conflict_log", &Value::Integer(0)).ok().as_deref(), Some("0"));
        assert!(check("conflict_log", &Value::Integer(-1)).is_err_and(|e| e.message().contains("number of rows")));
        assert!(check("node_id", &"x".into()).is_err_and(|e| e.message().contains("only be read")));
        assert!(check("colour", &"x".into()).is_err_and(|e| e.message().contains("page_bytes")));
    }
}

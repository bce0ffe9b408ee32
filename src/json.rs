//! Paths, times and sums in JSON, as the log writes them.

use serde_json::Value;
use towpath_backend::Timestamp;

/// Puts a path under `key`. If it is not UTF-8, also puts its bytes in hexadecimal under `key_bytes`.
///
/// ```
/// let mut object = serde_json::Map::new();
/// towpath::json::put_path("source", b"/old/\xff", |key, value| drop(object.insert(key.to_owned(), value)));
/// assert_eq!(object["source_bytes"], "2f6f6c642fff");
/// ```
pub fn put_path(key: &str, path: &[u8], mut put: impl FnMut(&str, Value)) {
    put(key, String::from_utf8_lossy(path).into());
    if std::str::from_utf8(path).is_err() {
        put(&format!("{key}_bytes"), hex::encode(path).into());
    }
}

/// A sum as a JSON number. A sum beyond 64 bits is rounded, because most JSON parsers read it as floating point.
pub fn number(sum: u128) -> Value {
    u64::try_from(sum).map_or_else(|_| Value::from(sum as f64), Value::from)
}

/// A time as RFC 3339 writes it; out of its range (years -9999 to 9999) in seconds since 1970: `@253402300800`.
pub fn time(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(time.total_ns())
        .map_or_else(|_| format!("@{}", time.seconds()), |time| time.to_string())
}

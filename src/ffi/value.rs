//! SQLite values, borrowed and owned. TEXT is bytes: SQLite does not check that it is UTF-8.

use super::api::{bytes, Api};
use sqlite_loadable::ext::sqlite3_value;

const INTEGER: i32 = 1;
const FLOAT: i32 = 2;
const TEXT: i32 = 3;
const BLOB: i32 = 4;

/// A value in memory that belongs to somebody else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT, most likely UTF-8.
    Text(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

/// A value that owns its memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT, most likely UTF-8.
    Text(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

impl<'a> ValueRef<'a> {
    /// Reads a function argument, in its own type: nothing is converted.
    ///
    /// # Safety
    /// `value` is a protected value of `api`'s host that lives, unchanged, for `'a`.
    pub(super) unsafe fn read(api: &Api, value: *mut sqlite3_value) -> ValueRef<'a> {
        // SAFETY: as the caller promises. The bytes are asked for in the encoding that the pointer is asked in; null is handled
        // by `bytes`.
        unsafe {
            match (api.value_type)(value) {
                INTEGER => ValueRef::Integer((api.value_int64)(value)),
                FLOAT => ValueRef::Real((api.value_double)(value)),
                TEXT => {
                    // Makes it UTF-8, wherever it comes from. As text it would be copied to end in a NUL, all of it.
                    let len = (api.value_bytes)(value);
                    ValueRef::Text(bytes((api.value_blob)(value).cast(), len))
                }
                BLOB => {
                    let pointer = (api.value_blob)(value);
                    ValueRef::Blob(bytes(pointer.cast(), (api.value_bytes)(value)))
                }
                _ => ValueRef::Null,
            }
        }
    }

    /// The number of an INTEGER, `None` for anything else.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            ValueRef::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The string of a TEXT that is UTF-8, `None` for anything else.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            ValueRef::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The bytes of a TEXT or BLOB, `None` for anything else.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What SQL's `typeof()` calls it.
    pub fn type_name(self) -> &'static str {
        match self {
            ValueRef::Null => "null",
            ValueRef::Integer(_) => "integer",
            ValueRef::Real(_) => "real",
            ValueRef::Text(_) => "text",
            ValueRef::Blob(_) => "blob",
        }
    }

    /// A copy that owns its memory.
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(text.to_vec()),
            ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
        }
    }
}

impl Value {
    /// The same value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text),
            Value::Blob(blob) => ValueRef::Blob(blob),
        }
    }
}

impl From<i64> for ValueRef<'_> {
    fn from(number: i64) -> Self {
        ValueRef::Integer(number)
    }
}

impl From<f64> for ValueRef<'_> {
    fn from(number: f64) -> Self {
        ValueRef::Real(number)
    }
}

impl<'a> From<&'a str> for ValueRef<'a> {
    fn from(text: &'a str) -> Self {
        ValueRef::Text(text.as_bytes())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.as_bytes().to_vec())
    }
}

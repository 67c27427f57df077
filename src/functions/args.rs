//! Arguments of SQL functions: each checked, an error names the function, the argument and what was expected.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Call, ValueRef};

/// The call of a function, with its name for errors.
pub struct Args<'a> {
    call: &'a Call<'a, Conn>,
    function: &'static str,
}

impl<'a> Args<'a> {
    /// Checks the number of arguments.
    pub fn new(
        call: &'a Call<'a, Conn>,
        function: &'static str,
        usage: &str,
        least: usize,
        most: usize,
    ) -> Result<Self> {
        if call.len() < least || call.len() > most {
            return Err(Error::caller(format!("{function} is called as {function}({usage})")));
        }
        crate::hooks::refuse_inside(call.state(), function, call.len())?;
        Ok(Args { call, function })
    }

    /// The connection.
    pub fn conn(&self) -> &'a Conn {
        self.call.state()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.call.len()
    }

    /// Argument `i`; NULL when it was not given.
    pub fn value(&self, i: usize) -> ValueRef<'a> {
        self.call.arg(i)
    }

    /// An error about argument `i`.
    pub fn wrong(&self, i: usize, name: &str, expected: &str) -> Error {
        let got = match self.value(i) {
            ValueRef::Integer(number) => format!("integer {number}"),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => format!("text '{}'", crate::error::excerpt(text)),
                Err(_) => "text that is not UTF-8".to_owned(),
            },
            value => value.type_name().to_owned(),
        };
        Error::caller(format!("{}: argument {} ({name}) is {expected}, not {got}", self.function, i + 1))
    }

    /// A TEXT argument, without U+0000 where it is no JSON and no key.
    pub fn text(&self, i: usize, name: &str) -> Result<&'a str> {
        let text = self.value(i).as_str().ok_or_else(|| self.wrong(i, name, "TEXT"))?;
        if text.contains('\0') && !["json", "request", "pk"].contains(&name) {
            return Err(self.error(&format!("argument {} ({name}) holds U+0000", i + 1)));
        }
        Ok(text)
    }

    /// A TEXT argument, None for NULL or when it was not given.
    pub fn optional(&self, i: usize, name: &str) -> Result<Option<&'a str>> {
        match self.value(i) {
            ValueRef::Null => Ok(None),
            _ => self.text(i, name).map(Some),
        }
    }

    /// JSON as TEXT or BLOB.
    pub fn json(&self, i: usize, name: &str) -> Result<&'a str> {
        let bytes = self.value(i).as_bytes().ok_or_else(|| self.wrong(i, name, "JSON as TEXT or BLOB"))?;
        std::str::from_utf8(bytes).map_err(|_| self.error(&format!("argument {} ({name}) is not UTF-8", i + 1)))
    }

    /// An error of this function.
    pub fn error(&self, message: &str) -> Error {
        Error::caller(format!("{}: {message}", self.function))
    }

    /// Does the work of the function; puts its name in front of an error's message, unless it is there.
    pub fn named<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        work().map_err(|e| if e.message().starts_with(self.function) { e } else { e.context(self.function) })
    }
}

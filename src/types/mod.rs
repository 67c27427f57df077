//! The rule of each column type: one file each, pure.

pub mod counter;
pub mod lww;
pub mod seen;
pub mod set;

use crate::error::{Error, Result};

/// What a tracked column is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Type {
    /// Last writer wins.
    Lww,
    /// PN-counter: the sum of what every node added and took.
    Counter,
    /// Observed-remove set, add wins.
    Set,
}

impl Type {
    /// The name on the wire and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Type::Lww => "lww",
            Type::Counter => "counter",
            Type::Set => "set",
        }
    }

    /// The type of that name, if this version has it.
    pub fn parse(name: &str) -> Option<Type> {
        [Type::Lww, Type::Counter, Type::Set].into_iter().find(|t| t.name() == name)
    }

    /// The type asked for in `crdt_enable`; None for `none`.
    pub fn requested(name: &str) -> Result<Option<Type>> {
        match name {
            "none" => Ok(None),
            _ => Type::parse(name).map(Some).ok_or_else(|| {
                Error::caller(format!(
                    "'{}' is not a column type; use lww, counter, set or none",
                    crate::error::excerpt(name)
                ))
            }),
        }
    }
}

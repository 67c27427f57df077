//! The one error type of the crate: who is at fault, and a sentence for a human.

use std::fmt;

/// Who or what an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The SQL statement asked for something it may not have.
    Caller,
    /// What another replica sent is not acceptable.
    Peer,
    /// What the database file holds contradicts itself.
    Data,
    /// SQLite refused; the extended result code.
    Sqlite(i32),
    /// A bug of this crate.
    Internal,
}

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    message: String,
    /// A hook refused.
    hook: bool,
    /// A peer answered with this status.
    #[cfg(feature = "http")]
    status: u16,
    /// The connection to a peer broke.
    #[cfg(feature = "http")]
    broken: bool,
}

/// An error, one pointer wide so that `Result` stays small.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Longest message, characters.
const MAX_MESSAGE: usize = 400;

const SQLITE_ERROR: i32 = 1;
const SQLITE_INTERNAL: i32 = 2;
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_INTERRUPT: i32 = 9;

impl Error {
    fn new(kind: Kind, mut message: String) -> Self {
        // What came from outside may be repeated in it.
        if let Some((cut, _)) = message.char_indices().nth(MAX_MESSAGE) {
            message.truncate(cut);
            message.push('…');
        }
        Error(Box::new(Inner {
            kind,
            message,
            hook: false,
            #[cfg(feature = "http")]
            status: 0,
            #[cfg(feature = "http")]
            broken: false,
        }))
    }

    /// The caller's mistake.
    pub fn caller(message: impl Into<String>) -> Self {
        Self::new(Kind::Caller, message.into())
    }

    /// A peer sent something unacceptable.
    pub fn peer(message: impl Into<String>) -> Self {
        Self::new(Kind::Peer, message.into())
    }

    /// The stored data contradicts itself.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message.into())
    }

    /// A bug of this crate.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message.into())
    }

    /// SQLite answered `code` (extended codes welcome).
    pub fn sqlite(code: i32, message: impl Into<String>) -> Self {
        Self::new(Kind::Sqlite(code), message.into())
    }

    /// Who or what the error is about.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The sentence, without any code.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The SQLite result code to hand to the host; never 0 (OK).
    pub fn sqlite_code(&self) -> i32 {
        match self.0.kind {
            Kind::Caller | Kind::Peer | Kind::Data => SQLITE_ERROR,
            Kind::Sqlite(0) => SQLITE_ERROR,
            Kind::Sqlite(code) => code,
            Kind::Internal => SQLITE_INTERNAL,
        }
    }

    /// SQLite's primary result code, 0 when SQLite did not refuse.
    fn primary(&self) -> i32 {
        match self.0.kind {
            Kind::Sqlite(code) => code & 0xff,
            _ => 0,
        }
    }

    /// Another connection holds the lock: the same call may succeed later.
    pub fn is_busy(&self) -> bool {
        matches!(self.primary(), SQLITE_BUSY | SQLITE_LOCKED)
    }

    /// The caller was interrupted, or a progress handler stopped it.
    pub fn is_interrupted(&self) -> bool {
        self.primary() == SQLITE_INTERRUPT
    }

    /// The database cannot be written.
    pub fn is_readonly(&self) -> bool {
        self.primary() == SQLITE_READONLY
    }

    /// Whether it is about what was asked for, and not about the machine, a lock or an interrupt: of those SQLite may have rolled
    /// the transaction back, and the next time may be different, so nothing may go on after them.
    pub fn is_statement(&self) -> bool {
        match self.0.kind {
            Kind::Sqlite(code) => code & 0xff == SQLITE_ERROR,
            Kind::Internal => false,
            Kind::Caller | Kind::Peer | Kind::Data => true,
        }
    }

    /// Says that it came of the hook of that name.
    #[must_use]
    pub fn of_hook(mut self, name: &str) -> Self {
        self.0.hook = true;
        self.context(&format!("hook '{}'", excerpt(name)))
    }

    /// Whether a hook refused, for whatever reason.
    pub fn is_hook(&self) -> bool {
        self.0.hook
    }

    /// Says that a peer answered with a status of HTTP.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn of_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// Whether a peer refused what it was sent.
    #[cfg(feature = "http")]
    pub fn is_refusal(&self) -> bool {
        matches!(self.0.status, 400 | 403)
    }

    /// Whether a peer refused because of who asked.
    #[cfg(feature = "http")]
    pub fn is_forbidden(&self) -> bool {
        self.0.status == 403
    }

    /// Whether what a peer was sent is longer than it takes.
    #[cfg(feature = "http")]
    pub fn is_too_long(&self) -> bool {
        self.0.status == 413
    }

    /// Whether what a peer was sent took longer to arrive than it waits.
    #[cfg(feature = "http")]
    pub fn is_too_slow(&self) -> bool {
        self.0.status == 408
    }

    /// Says whether the connection to a peer broke.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn of_break(mut self, broken: bool) -> Self {
        self.0.broken = broken;
        self
    }

    /// Whether the connection to a peer broke before its answer was there.
    #[cfg(feature = "http")]
    pub fn is_broken(&self) -> bool {
        self.0.broken
    }

    /// Puts `what: ` in front of the message.
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }
}

/// The start of a text that came from outside, short enough for a message.
pub fn excerpt(text: &str) -> String {
    cut(text, 80)
}

/// The first `most` characters of a text that came from outside, without what a terminal or a log would take for something else.
pub fn cut(text: &str, most: usize) -> String {
    let mut out: String = text.chars().take(most).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// `none` where a table of ours is missing: the database is of an older format, and cannot be written now.
pub fn unless_missing<T>(outcome: Result<T>, none: T) -> Result<T> {
    match outcome {
        Err(e) if e.message().starts_with("no such table") => Ok(none),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_questions() {
        assert_eq!(Error::caller("x").sqlite_code(), 1);
        assert_eq!(Error::internal("x").sqlite_code(), 2);
        assert_eq!(Error::sqlite(0, "x").sqlite_code(), 1);
        assert_eq!(Error::sqlite(517, "x").sqlite_code(), 517);
        assert!(Error::sqlite(517, "x").is_busy());
        assert!(Error::sqlite(262, "x").is_busy());
        assert!(Error::sqlite(1032, "x").is_readonly());
        assert!(!Error::data("x").is_busy());
        assert_eq!(Error::peer("b").context("a").to_string(), "a: b");
        assert_eq!(std::mem::size_of::<Result<()>>(), std::mem::size_of::<usize>());
    }
}

//! Whether the file at a path is still the one that was opened. SQLite goes on with one that was moved away, deleted or replaced, and what
//! is written to that is found by nobody. <https://sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use>

use std::path::{Path, PathBuf};

/// A file that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    path: PathBuf,
    id: Option<Id>,
}

impl Opened {
    /// The file at a path, just opened.
    pub fn at(path: &Path) -> Opened {
        Opened { path: path.to_owned(), id: id(path) }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where another file is there now, or none.
    pub fn check(&self) -> Result<(), String> {
        match self.id == id(&self.path) {
            true => Ok(()),
            // Without its path: peers are told.
            false => {
                Err("the database was moved away, deleted or replaced while it was open; put it back, or start again \
                          with what is there now"
                    .to_owned())
            }
        }
    }
}

/// What tells a file from others as long as it is open: device and inode.
#[cfg(unix)]
type Id = (u64, u64);

/// Not by opening it: to close it again would let go of SQLite's locks.
#[cfg(unix)]
fn id(path: &Path) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Elsewhere a file that is open can be neither moved nor deleted.
#[cfg(not(unix))]
type Id = ();

#[cfg(not(unix))]
fn id(_: &Path) -> Option<Id> {
    Some(())
}

//! Open files: a connection that finds none is not closed, but waits, and takes the database's from it.

/// What the hub opens besides connections, and for each connection to the database.
const OURS: usize = 64;
const EACH: usize = 4;

/// How many connections there is room for, once this process may have as many files open as it is let.
pub fn connections(asked: usize, readers: usize) -> usize {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => usize::try_from(files).unwrap_or(usize::MAX),
        Err(error) => {
            tracing::warn!("how many files may be open is not told: {error}");
            return asked;
        }
    };
    let room = room(files, readers);
    if room < asked {
        tracing::warn!("at most {room} connections at a time: this process may have {files} files open (ulimit -n)");
    }
    asked.min(room)
}

fn room(files: usize, readers: usize) -> usize {
    files.saturating_sub(EACH.saturating_mul(readers).saturating_add(OURS)).max(files / 4)
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn files_are_left_to_the_database() {
        assert_eq!([room(1024, 4), room(200, 4), room(100, 10), room(0, 4), room(8, usize::MAX)], [944, 120, 25, 0, 2]);
    }
}

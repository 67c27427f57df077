//! Open files: a connection that finds none is not closed, but waits, and takes the database's from it.

/// What the hub opens besides connections, and for each connection to the database.
const OURS: usize = 64;
const EACH: usize = 4;

/// How many connections there is room for.
pub fn connections(asked: usize, readers: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(files) = most(&limits) else { return asked };
    let room = files.saturating_sub(OURS + EACH * readers).max(files / 4);
    if room < asked {
        tracing::warn!("at most {room} connections at a time: this process may have {files} files open (ulimit -n)");
    }
    asked.min(room)
}

/// The soft limit; None where there is none, or it is not told.
fn most(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn limits() {
        let line =
            |limit: &str| format!("Max processes  1  2  p\nMax open files            {limit}       4096  files\n");
        assert_eq!(most(&line("1024")), Some(1024));
        assert_eq!(most(&line("unlimited")), None);
        assert_eq!(most(""), None);
    }
}

//! Tells when the database has changed, whoever changed it.

use std::sync::mpsc::{sync_channel, RecvTimeoutError, SyncSender};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

/// A number that rises with every commit that was noticed.
#[derive(Clone)]
pub struct Changed {
    rises: watch::Receiver<u64>,
    nudge: Nudge,
}

/// Has the database looked at without waiting.
#[derive(Clone)]
pub struct Nudge(SyncSender<()>);

impl Nudge {
    /// Looks at once.
    pub fn now(&self) {
        // One that waits already will do.
        let _ = self.0.try_send(());
    }
}

impl Changed {
    /// Starts to look every so often. `PRAGMA data_version` tells of other connections' commits, our own ones too, as nothing is
    /// written on this one. The thread ends with the last handle.
    pub fn start(conn: Connection, every: Duration) -> std::io::Result<Changed> {
        let (tell, rises) = watch::channel(0);
        let (nudge, nudged) = sync_channel(1);
        std::thread::Builder::new().name("changed".to_owned()).spawn(move || {
            let mut last = None;
            while !matches!(nudged.recv_timeout(every), Err(RecvTimeoutError::Disconnected)) {
                let version = conn
                    .prepare_cached("PRAGMA data_version")
                    .and_then(|mut version| version.query_row([], |row| row.get::<_, i64>(0)));
                match version {
                    Ok(version) if last.replace(version) == Some(version) => {}
                    Ok(_) => tell.send_modify(|n| *n += 1),
                    Err(e) => tracing::warn!("looking for changes: {e}"),
                }
            }
        })?;
        Ok(Changed { rises, nudge: Nudge(nudge) })
    }

    /// The number, to wait for.
    pub fn rises(&self) -> watch::Receiver<u64> {
        self.rises.clone()
    }

    /// To be told at once.
    pub fn nudge(&self) -> Nudge {
        self.nudge.clone()
    }
}

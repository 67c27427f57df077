//! Being told to stop.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// SIGINT and SIGTERM, also those that come before they are waited for.
#[cfg(unix)]
struct Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Signals> {
        use tokio::signal::unix::{signal, SignalKind};
        Ok(Signals(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        drop(tokio::signal::ctrl_c().await);
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn stop() {
    match Signals::new() {
        Ok(mut signals) => signals.next().await,
        // They end the process by themselves.
        Err(_) => std::future::pending().await,
    }
}

/// The same, for who has no runtime. As long as the one that it gives is there, a second signal ends the process at once.
pub fn wait() -> Result<Runtime, String> {
    let first_of_two = async {
        let mut signals = Signals::new()?;
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(1);
        });
        Ok(())
    };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    runtime.block_on(first_of_two).map_err(|e: io::Error| e.to_string())?;
    Ok(runtime)
}

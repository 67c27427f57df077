//! Connections that end when their client takes nothing of what is being sent to it.

use std::future::{ready, Ready};
use std::io;
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::net::TcpStream;

/// Accepts connections, without delay, on which the client may leave for so long what is sent to it.
#[derive(Clone, Copy)]
pub struct Patience(pub Duration);

impl<S> Accept<TcpStream, S> for Patience {
    type Stream = TcpStream;
    type Service = S;
    type Future = Ready<io::Result<(TcpStream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(stream.set_nodelay(true).and_then(|()| self.limit(&stream)).map(|()| (stream, service)))
    }
}

impl Patience {
    /// The system sees what the hub does not: a slow client that takes a little now and then of what waits in the system's buffers.
    #[cfg(target_os = "linux")]
    fn limit(self, stream: &TcpStream) -> io::Result<()> {
        socket2::SockRef::from(stream).set_tcp_user_timeout(Some(self.0))
    }

    /// Others end such connections in their own time; what they hold is counted.
    #[cfg(not(target_os = "linux"))]
    fn limit(self, _: &TcpStream) -> io::Result<()> {
        Ok(())
    }
}

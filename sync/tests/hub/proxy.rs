//! A wire that fails: connections are dropped, held back, or cut after some bytes, until it is healed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

pub struct Proxy {
    address: String,
    healed: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy to `to`, `host:port`.
    pub fn start(to: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, healed) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicBool::new(false)));
        let (well, to, count) = (Arc::clone(&healed), to.to_owned(), AtomicU32::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let n = count.fetch_add(1, Ordering::SeqCst);
                let fault = if well.load(Ordering::SeqCst) { 9 } else { n % 5 };
                let to = to.clone();
                std::thread::spawn(move || carry(stream, &to, fault));
            }
        });
        Proxy { address, healed }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From here on nothing fails.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
    }
}

/// Carries one connection, under a fault.
fn carry(client: TcpStream, to: &str, fault: u32) {
    if fault == 1 {
        return; // dropped
    }
    if fault == 2 {
        std::thread::sleep(Duration::from_millis(300));
    }
    let Ok(server) = TcpStream::connect(to) else { return };
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
    // Cut within the request, or within the answer: that was taken, but nobody knows.
    let (up, down) = match fault {
        3 => (200, usize::MAX),
        4 => (usize::MAX, 60),
        _ => (usize::MAX, usize::MAX),
    };
    let forth = std::thread::spawn(move || pump(from_client, server, up));
    pump(from_server, client, down);
    let _ = forth.join();
}

/// Copies at most so many bytes, then cuts both ways.
fn pump(mut from: TcpStream, mut to: TcpStream, mut most: usize) {
    let mut buffer = [0; 4096];
    while most > 0 {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => {
                let n = n.min(most);
                most -= n;
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

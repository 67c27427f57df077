//! A wire that fails: connections are dropped, held back, or cut after some bytes, until it is healed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Proxy {
    address: String,
    wire: Arc<Wire>,
}

/// How the wire does.
struct Wire {
    state: AtomicU8,
    /// The clients' ends, to be cut.
    open: Mutex<Vec<TcpStream>>,
}

const FAILING: u8 = 0;
const HEALED: u8 = 1;
const CUT: u8 = 2;

impl Proxy {
    /// A proxy to `to`, `host:port`, whose connections fail one after the other.
    pub fn failing(to: &str) -> Proxy {
        Proxy::start(to, FAILING)
    }

    /// A proxy that carries everything, until it is cut.
    pub fn healthy(to: &str) -> Proxy {
        Proxy::start(to, HEALED)
    }

    fn start(to: &str, state: u8) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Arc::new(Wire { state: AtomicU8::new(state), open: Mutex::default() });
        let (address, to, count) = (listener.local_addr().unwrap().to_string(), to.to_owned(), AtomicU32::new(0));
        let ours = Arc::clone(&wire);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let n = count.fetch_add(1, Ordering::SeqCst);
                let mut open = ours.open.lock().unwrap();
                let fault = match ours.state.load(Ordering::SeqCst) {
                    FAILING => n % 5,
                    HEALED => 9,
                    _ => 1,
                };
                open.extend(stream.try_clone());
                let to = to.clone();
                std::thread::spawn(move || carry(stream, &to, fault));
            }
        });
        Proxy { address, wire }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From here on nothing fails.
    pub fn heal(&self) {
        self.wire.state.store(HEALED, Ordering::SeqCst);
    }

    /// From here on nothing comes through, of what is under way neither.
    pub fn cut(&self) {
        self.wire.state.store(CUT, Ordering::SeqCst);
        for stream in self.wire.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both); // it may be gone already
        }
    }
}

/// Carries one connection, under a fault.
fn carry(client: TcpStream, to: &str, fault: u32) {
    if fault == 1 {
        let _ = client.shutdown(Shutdown::Both);
        return;
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

//! A TCP proxy on loopback whose connections can be cut, and which can stop forwarding without saying so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FORWARDS: u8 = 0;
/// Every connection is closed, and new ones at once.
const CUT: u8 = 1;
/// Connections stand, and nothing goes through.
const STALLED: u8 = 2;

#[derive(Default)]
struct Shared {
    mode: AtomicU8,
    open: Mutex<Vec<TcpStream>>,
}

/// A proxy; its threads end with the process.
pub struct Proxy {
    pub port: u16,
    listener: Option<TcpListener>,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Takes a port; forwards nothing yet.
    pub fn bind() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        Proxy { port, listener: Some(listener), shared: Arc::default() }
    }

    /// Forwards to `target` from now on.
    pub fn forward(&mut self, target: &str) {
        let listener = self.listener.take().expect("forwarding begins once");
        let (shared, target) = (self.shared.clone(), target.to_owned());
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let cut = shared.mode.load(Ordering::SeqCst) == CUT;
                let (false, Ok(far)) = (cut, TcpStream::connect(&target)) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor is left");
                shared.open.lock().expect("no panic").extend([clone(&near), clone(&far)]);
                let (one, two) = (shared.clone(), shared.clone());
                let (near_in, far_in) = (clone(&near), clone(&far));
                std::thread::spawn(move || copy(near_in, far, &one));
                std::thread::spawn(move || copy(far_in, near, &two));
            }
        });
    }

    /// Closes every connection for a while.
    pub fn cut(&self, length: Duration) {
        self.shared.mode.store(CUT, Ordering::SeqCst);
        for stream in self.shared.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        std::thread::sleep(length);
        self.shared.mode.store(FORWARDS, Ordering::SeqCst);
    }

    /// Lets nothing through for a while.
    pub fn stall(&self, length: Duration) {
        self.shared.mode.store(STALLED, Ordering::SeqCst);
        std::thread::sleep(length);
        self.shared.mode.store(FORWARDS, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        while shared.mode.load(Ordering::SeqCst) == STALLED {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

//! Loopback ports for side-by-side instances.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range of the kernel's ports for outgoing connections: no client connection
/// can take a port between the check here and Asterisk's bind.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// The next candidate. The counter keeps two tests of one run from getting the same port;
/// its start depends on the process id, so two runs rarely try the same ones.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that is free for TCP and UDP on 127.0.0.1.
pub(super) fn free() -> u16 {
    let start = (std::process::id() * 64 % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        let address = ("127.0.0.1", port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

/// A port that is free, as is the next one.
pub(super) fn free_pair() -> u16 {
    for _ in 0..COUNT {
        let port = free();
        // Another test may have taken the next one in between.
        if free() == port + 1 {
            return port;
        }
    }
    panic!("no two free ports on 127.0.0.1");
}

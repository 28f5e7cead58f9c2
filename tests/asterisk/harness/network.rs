//! Networks that vanish.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc;
use std::thread;

use super::wait::PATIENCE;

/// Makes the kernel drop everything that arrives on this connection without acknowledging
/// it: to the other side the network has vanished. This needs no special rights.
#[track_caller]
pub fn vanish(stream: &TcpStream) {
    vanish_socket(stream.as_raw_fd());
}

/// As [`vanish`], of any socket. On one that listens, connects time out.
#[track_caller]
pub(super) fn vanish_socket(socket: RawFd) {
    let mut nothing = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &raw mut nothing,
    };
    // SAFETY: the filter has one instruction, and the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Ends what [`vanish_socket`] did, if it did: what was dropped arrives when it is sent again.
pub(super) fn reappear(socket: RawFd) {
    let ignored: libc::c_int = 0;
    // SAFETY: the kernel reads an integer at most. Without a filter this is an error that
    // changes nothing.
    unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_DETACH_FILTER,
            (&raw const ignored).cast(),
            size_of_val(&ignored) as libc::socklen_t,
        )
    };
}

/// Relays one connection to that port of this machine. Returns the relay's own port, and
/// its connection to the other side as soon as it exists.
#[track_caller]
pub fn relay(to: u16) -> (u16, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (near, _) = listener.accept().expect("a connection");
        let far = TcpStream::connect(("127.0.0.1", to)).expect("the other side");
        far.set_read_timeout(Some(2 * PATIENCE)).expect("a timeout");
        let clone = |stream: &TcpStream| stream.try_clone().expect("one more of it");
        let (mut near_in, mut far_out) = (clone(&near), clone(&far));
        let (mut far_in, mut near_out) = (clone(&far), near);
        let _ = tell.send(far);
        thread::spawn(move || io::copy(&mut near_in, &mut far_out));
        // Until one of the two sides closes.
        let _ = io::copy(&mut far_in, &mut near_out);
    });
    (port, told)
}
